"""What may import what beside the contracts of pyproject.toml, which `make lint` holds."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import parivision

ROOT = Path(parivision.__file__).parent
# They hand their environment on to a process that they start, and read no setting from it.
STARTERS = {"packaging/local_deployment.py", "packaging/bento.py", "kubeflow/local_process.py"}
# It takes what is secret out of all that a command says, before the command reads its settings.
CLEARERS = {"cli/__init__.py"}
# MLflow takes a login from the environment only: it is put there.
WRITERS = {"registry/runs.py"}
SERVING = (
    "parivision.models.bundle",
    "parivision.serving.app",
    "parivision.serving.logs",
    "parivision.serving.predictor",
)
TRAINERS = ("polars", "pandas", "pyarrow", "sklearn", "scipy", "mlflow", "xgboost", "matplotlib")


def _modules() -> dict[str, Path]:
    """Every module of the library by its dotted name below `parivision`."""
    names = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(part for part in parts if part != "__init__")] = path
    return names


MODULES = _modules()


@cache
def _imports(name: str) -> frozenset[str]:
    """Full names that a module imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


@pytest.mark.parametrize(
    ("package", "home"),
    [
        (
            "mlflow",
            {
                "registry.runs",
                "registry.versions",
                "registry.client_settings",
                "registry.logged_model",
                "registry.pyfunc",
            },
        ),
        (
            "pymongo",
            {
                "lake.backup",
                "lake.mongo",
                "lake.mongo_client",
                "lake.users",
                "prediction_log.mongo",
                "canary.store",
            },
        ),
        ("kfp", {"kubeflow.connection", "kubeflow.local_process"}),
        ("kfp_server_api", {"kubeflow.connection"}),
        ("kubernetes", {"kubernetes.api", "kubernetes.cluster", "kubernetes.cron_jobs"}),
        ("streamlit", {"web.main", "web.home", "web.model", "web.shot"}),
    ],
)
def test_a_server_is_known_to_its_own_module_only(package, home):
    """MLflow, MongoDB, Kubeflow and Kubernetes are spoken to in one place each."""
    users = {
        name for name in MODULES if any(full.split(".")[0] == package for full in _imports(name))
    }
    assert users == home


def test_the_service_needs_no_trainer():
    """What serves a model imports neither tables nor trainers, which its image has not.

    The driver of the log's store is there, and waits until a service is ready.
    """
    code = f"import sys, {', '.join(SERVING)}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {*TRAINERS, "pymongo"} & set(done.stdout.split())


def test_the_page_needs_no_table_and_no_trainer():
    """What draws the page imports nothing that its image has not: Streamlit brings pandas only."""
    code = "import sys, parivision.cli.page, parivision.web.main; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not (set(TRAINERS) - {"pandas", "pyarrow"}) & set(done.stdout.split())


def test_the_environment_is_read_at_the_door_only():
    """Only the command line reads the environment; components have their own entry points."""
    readers = {
        str(path.relative_to(ROOT))
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
    }
    assert readers - STARTERS - WRITERS - CLEARERS == {"cli/context.py"}


def test_the_library_never_prints():
    """Nothing is printed outside the command line."""
    printers = {
        name
        for name, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    }
    assert printers == set()

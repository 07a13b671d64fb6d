"""What may import what: the core no edge, the service no trainer, and nobody anything at once."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import parivision

ROOT = Path(parivision.__file__).parent
CORE = (
    "shots.court",
    "shots.league",
    "shots.limits",
    "shots.contradictions",
    "errors",
    "shots.facts",
    "shots.actions",
    "shots.schema",
    "features.tables",
    "features.form",
    "features.matrix",
    "models.single_shot",
    "models.explanation",
    "shots.split",
    "scoring.metrics",
    "scoring.bootstrap",
    "scoring.scores",
    "promotion.decision",
    "promotion.holdout",
    "backtests.seasons",
    "scoring.estimated",
    "backtests.estimated",
    "shots.row_digest",
    "registry.records",
    "telemetry",
    "exporter.cached",
    "kubeflow.schedule",
    "settings",
    "models",
    "drift",
    "verdict",
    "simulation.worlds",
    "simulation.study",
    "simulation.replay",
    "simulation.replay_rows",
    "scoring.proportions",
    "strict_json",
)
EDGES = {
    "sources",
    "lake",
    "durable",
    "registry.runs",
    "serving",
    "cli",
    "stages.models",
    "stages.components",
    "packaging.bento",
    "exporter.metrics",
    "packaging.local_deployment",
    "stats_api.app",
    "serving.client",
    "kubeflow.local_runs",
    "kubeflow.local_process",
    "registry.pyfunc",
    "web",
    "kubeflow.client",
    "kubeflow.answers",
    "kubeflow.runs",
    "packaging.oci",
    "kubernetes",
    "prediction_log",
    "canary",
    "retraining",
    "registry.versions",
}
FOREIGN_EDGES = {
    *("mlflow", "pymongo", "kfp", "kfp_server_api", "kubernetes"),
    *("bentoml", "httpx", "fastapi", "starlette", "nba_api", "streamlit"),
}
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


def _reached(name: str) -> tuple[set[str], set[str]]:
    """Modules of the library and packages of others that a module leads to."""
    ours, others, left = set(), set(), [name]
    while left:
        module = left.pop()
        if module in ours:
            continue
        ours.add(module)
        for full in _imports(module):
            first, _, rest = full.partition(".")
            if first != "parivision":
                others.add(first)
                continue
            while rest and rest not in MODULES:  # a name inside a module
                rest = rest.rpartition(".")[0]
            left += [rest] if rest else []
    return ours, others


def _in(name: str, group: str) -> bool:
    return name == group or name.startswith(f"{group}.")


@pytest.mark.parametrize("group", CORE)
def test_the_core_imports_no_edge(group):
    """No module of the core leads to a source, a store, a registry, a service or a command."""
    members = [name for name in MODULES if _in(name, group)]
    assert members
    for name in members:
        ours, others = _reached(name)
        assert not {module for module in ours for edge in EDGES if _in(module, edge)}, name
        assert not others & FOREIGN_EDGES, name


@pytest.mark.parametrize(
    ("package", "home"),
    [
        ("mlflow", {"registry.runs", "registry.versions", "registry.patience", "registry.pyfunc"}),
        (
            "pymongo",
            {"lake.backup", "lake.mongo", "lake.users", "prediction_log.mongo", "canary.store"},
        ),
        ("kfp", {"kubeflow.client", "kubeflow.local_process"}),
        ("kfp_server_api", {"kubeflow.client"}),
        ("kubernetes", {"kubernetes.cluster"}),
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

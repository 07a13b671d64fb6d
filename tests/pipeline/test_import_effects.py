"""Importing any module of the library does nothing else."""

import subprocess
import sys
from pathlib import Path

import parivision

# Reports what parivision's own lines do while they are being imported; the import system and what
# other packages do for themselves are not ours.
WATCH = """
import importlib, os, pkgutil, sys, warnings
warnings.simplefilter("ignore")
import parivision
ROOT = os.path.dirname(parivision.__file__) + os.sep
DOES = {"open", "socket.connect", "socket.bind", "subprocess.Popen", "os.system", "os.mkdir",
        "os.putenv", "os.remove", "os.rename", "os.posix_spawn", "sqlite3.connect", "os.listdir"}
def hook(event, args):
    if event not in DOES:
        return
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if "importlib" in file:
            return
        if file.startswith(ROOT):
            print(f"{file}:{frame.f_lineno} {event} {args}", flush=True)
            return
        frame = frame.f_back
sys.addaudithook(hook)
before = dict(os.environ)
for module in pkgutil.walk_packages(parivision.__path__, "parivision."):
    importlib.import_module(module.name)
    print("imported", module.name)
"""


def test_importing_opens_nothing():
    """No module opens a file or a connection, starts a process or changes the environment."""
    done = subprocess.run(
        [sys.executable, "-c", WATCH], capture_output=True, text=True, check=True, timeout=300
    )
    lines = done.stdout.splitlines()
    imported = [line for line in lines if line.startswith("imported ")]
    assert len(imported) == len(list(Path(parivision.__file__).parent.rglob("*.py"))) - 1
    effects = [line for line in lines if line not in imported]
    # MLflow runs the one as code, and reads MLflow's own source when its class is made; Streamlit
    # runs the others, and reads what it caches the results of.
    scripts = ("registry/pyfunc.py", "web/main.py", "web/shot.py")
    assert [line for line in effects if not any(name in line for name in scripts)] == []


def test_the_command_line_starts_without_what_takes_seconds_to_import():
    """Help and every command that needs no model server are there before MLflow would be."""
    asked = "import sys, parivision.cli.app; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=120
    )
    slow = {"mlflow", "sklearn", "matplotlib", "bentoml", "evidently", "kubernetes", "streamlit"}
    assert slow & set(done.stdout.split()) == set()

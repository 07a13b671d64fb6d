"""A bundle as a model of MLflow that needs nothing of this repository wherever it is loaded.

Logged with it are its signature, an input example, the files of this library that it imports, and
pins of the packages of others. This library itself is no requirement: its name is not on the public
index, and whoever took it there would be run.
"""

import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

import mlflow
import pandas as pd
from mlflow.environment_variables import MLFLOW_LOG_UV_FILES
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema, TensorSpec

from parivision.models import dependencies
from parivision.models.bundle import Bundle
from parivision.serving.shot import FIELDS, REQUIRED, rules_of
from parivision.shots.facts import GIVEN

_CODE: Final = Path(__file__).with_name("pyfunc.py")
_EXAMPLE: Final = (
    {
        "player_id": 201939,
        "period": 4,
        "clock_s": 30.0,
        "x_ft": 8.0,
        "y_ft": 24.0,
        "game_date": "2023-03-01",
        "team_id": 1610612744,
        "home_team": "GSW",
        "away_team": "BOS",
        "shot_value": 3,
        "action_type": "Pullup Jump shot",
        "since_last_shot_s": 14.0,
        "last_shot_own": 0,
        "last_shot_made": 1,
        "player_attempts": 17,
        "player_makes": 8,
    },
    {"player_id": 201939, "period": 1, "clock_s": 600.0, "x_ft": 0.5, "y_ft": 2.0},
)
"""A shot of which everything is known, and one with what is required only."""


def log(uri: str, run_id: str, bundle: Path) -> str:
    """Log the bundle in a folder as the model of a run; returns the model's URI.

    Raises ModelError when the folder holds no usable bundle, or a package of it is not installed.
    """
    mlflow.set_tracking_uri(uri)
    # Whoever calls from a project of uv's would have that project restored where the model serves.
    MLFLOW_LOG_UV_FILES.set(False)  # type: ignore[no-untyped-call]
    with (
        tempfile.TemporaryDirectory() as scratch,
        # It advises type hints, which it would then take for the model's signature, and its advice
        # passes every filter but one that makes errors of warnings. Kept here, it does not show.
        warnings.catch_warnings(record=True, action="always"),
        _interpreter_as_before(),
        mlflow.start_run(run_id=run_id),
    ):
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(_CODE),
            artifacts={"bundle": str(bundle)},
            code_paths=[str(_copied(code_files(), Path(scratch)))],
            signature=signature(),
            input_example=input_example(),
            pip_requirements=requirements(bundle),
            metadata={"facts": {name: FIELDS[name] for name in GIVEN}},
        )
    return str(info.model_uri)


@contextmanager
def _interpreter_as_before() -> Iterator[None]:
    """Keep what MLflow does to the interpreter, when it loads the model to try the example, within.

    It leaves the model's folder in `sys.path`, which is gone then: whoever makes it anew in the
    folder for temporary files would have code run here. And Python would log compiled files.
    """
    path, writes_no_bytecode = sys.path, sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.path, sys.dont_write_bytecode = path, writes_no_bytecode


def signature() -> ModelSignature:
    """The raw facts of a shot, as requests to the service carry them; probabilities come out.

    The words for each fact are in the model's metadata: MLflow's columns have none.
    """
    columns: list[ColSpec | TensorSpec] = [
        ColSpec(_column_type(name), name, required=name in REQUIRED) for name in GIVEN
    ]
    return ModelSignature(Schema(columns), Schema([ColSpec(DataType.double)]))


def input_example() -> pd.DataFrame:
    """Shots to try the model with."""
    shots = pd.DataFrame(_EXAMPLE, columns=list(GIVEN))
    # NaN would be written as such, which is no JSON; None is null.
    return shots.astype(object).where(shots.notna(), None)


def requirements(bundle: Path) -> list[str]:
    """Pins of all packages that a bundle's model needs, MLflow among them.

    All, so that a version that is loaded in years gets what it was registered with.
    """
    kinds = dependencies.kinds(Bundle.load(bundle))
    imported = dependencies.packages_of([_CODE, *code_files()])
    return dependencies.pins(imported | dependencies.packages_of_kinds(kinds))


@cache
def code_files() -> tuple[Path, ...]:
    """The files of this library that the model's code imports; they stay while a process runs."""
    return tuple(dependencies.library_files(dependencies.imported(_CODE)))


def _column_type(name: str) -> DataType:
    kind = rules_of(name)[0].get("type")
    if kind == "string":
        # Days, too: as text they are the same in frames, JSON and CSV.
        return DataType.string
    # A column of whole numbers cannot hold a missing one. MLflow advises numbers with a fraction
    # for such columns, and this model takes 3.0 for 3.
    is_always_whole = kind == "integer" and name in REQUIRED
    return DataType.long if is_always_whole else DataType.double


def _copied(files: Sequence[Path], folder: Path) -> Path:
    """These files of the library as a package of its name, which MLflow copies from."""
    package = folder / dependencies.LIBRARY.name
    for path in files:
        target = package / path.relative_to(dependencies.LIBRARY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return package

"""A registered model away from this repository: the packages that it asks for, and nothing else."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import mlflow
import numpy as np
import polars as pl
import pytest

from parivision.features import tables
from parivision.models import families
from parivision.models.bundle import Bundle, blended
from parivision.models.training import History, Recipe, train
from parivision.promotion.decision import Decision
from parivision.registry import ALIAS, MODEL_NAME, Registry, quiet
from parivision.shots.facts import from_records
from parivision.shots.split import time_split
from pipeline import mlflow_server
from ports import free_port

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]

INSTALL_S = 400
REQUIRED = {"player_id": 7, "period": 2, "clock_s": 30.0, "x_ft": 1.0, "y_ft": 24.0}
SHOTS: list[dict[str, Any]] = [
    {**REQUIRED, "game_date": "2023-03-01", "action_type": "Jump Shot", "shot_value": 3},
    {**REQUIRED, "x_ft": -22.0, "y_ft": 1.0, "team_id": 1610612738, "home_team": "BOS"},
    {**REQUIRED, "team_id": 1610612738, "home_team": "LAL", "away_team": "BOS", "period": 5},
    {**REQUIRED, "since_last_shot_s": 12.0, "last_shot_own": 0, "last_shot_made": 1},
    {**REQUIRED, "y_ft": 2.0, "player_attempts": 9, "player_makes": 4, "action_type": "Dunk"},
    REQUIRED,
]
# Reads what to do from its input: where the model is, and the shots. Columns of numbers are made
# what the signature says, as whoever has a frame of whole numbers does.
PROGRAM = """
import importlib.util, json, sys
asked = json.load(sys.stdin)
assert importlib.util.find_spec("parivision") is None, "the repository is in the environment"
import mlflow, pandas
from mlflow.exceptions import MlflowException
model = mlflow.pyfunc.load_model(asked["model"])
wanted = {c.name: c.type.to_pandas() for c in model.metadata.get_input_schema().inputs}
def frame(shots):
    columns = pandas.DataFrame(shots)
    return columns.astype({name: kind for name, kind in wanted.items() if name in columns})
def refusal(shots):
    try:
        return f"answered {model.predict(pandas.DataFrame(shots))}"
    except MlflowException as error:
        return f"{error.error_code}: {error.message}"
import parivision
json.dump({
    "example": model.predict(model.input_example),
    "all": model.predict(frame(asked["shots"])),
    "required_only": model.predict(frame(asked["required_only"])),
    "refusals": [refusal(shots) for shots in asked["bad"]],
    "modules": [n for n in sys.modules if n.split(".")[0] == "parivision"],
    "library": parivision.__file__,
}, sys.stdout)
"""


@dataclass(frozen=True)
class Elsewhere:
    """A model's folder as MLflow gives it, and an environment with the packages it asks for."""

    model: Path
    python: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """Nothing of this process's, whose packages and paths must not help."""
        path = os.pathsep.join([str(self.python.parent), os.defpath])
        return {"PATH": path, "HOME": str(self.folder)}


@pytest.fixture(scope="module")
def bundle(synthetic_shots: pl.DataFrame) -> Bundle:
    """A blend of two families, which together need the packages of all."""
    facts = tables.facts_from_shots(synthetic_shots)
    history, split = (
        History.of(facts, tables.made_array(synthetic_shots)),
        time_split(facts.day),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(families, "THREADS", 1)
        newer, older = (
            train(history, split, Recipe(name)) for name in ("logistic_regression", "xgboost")
        )
    return blended(newer.refreshed(facts, history.made), older.refreshed(facts, history.made))


@pytest.fixture(scope="module")
def model(bundle: Bundle, mlflow_db: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The champion's model, as whoever has only MLflow's address downloads it."""
    folder = tmp_path_factory.mktemp("registry")
    (folder / "mlflow.db").write_bytes(mlflow_db)
    quiet()
    registry = Registry(f"sqlite:///{folder}/mlflow.db", folder / "artifacts")
    bundle.save(folder / "bundle")
    registry.record(Decision("blend", promoted=True, reason="better"), folder / "bundle", None)
    uri = f"models:/{MODEL_NAME}@{ALIAS}"
    mlflow.set_tracking_uri(registry.uri)
    return Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(folder / "downloaded")))


@pytest.fixture(scope="module")
def elsewhere(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    """A new environment with the model's requirements; skips where no package index is reached."""
    if importlib.util.find_spec("uv") is None:
        pytest.skip("uv is not installed here: `make .venv/.done` installs it")
    folder = tmp_path_factory.mktemp("elsewhere")
    _uv("venv", "--quiet", "--python", sys.executable, str(folder / "env")).check_returncode()
    python = folder / "env" / "bin" / "python"
    install = ("pip", "install", "--quiet", "--python", str(python))
    requirements = ("-r", str(model / "requirements.txt"))
    # What was fetched before is enough for most; only what is missing is asked for.
    if _uv(*install, "--offline", *requirements).returncode:
        done = _uv(*install, *requirements)
        if done.returncode:
            # A package that surely exists tells an index that is away from a bad requirement.
            probe = _uv(*install, "--no-cache", "--dry-run", "--reinstall", "pip")
            assert probe.returncode, f"the model's requirements cannot be installed: {done.stderr}"
            pytest.skip(f"no package index is reached: {done.stderr[-300:]}")
    return Elsewhere(model, python, folder)


def _uv(*words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "uv", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_S, check=False)


def _example(model: Path) -> list[dict[str, Any]]:
    """The logged example as records."""
    split = json.loads((model / "input_example.json").read_text(), parse_constant=pytest.fail)
    return [dict(zip(split["columns"], row, strict=True)) for row in split["data"]]


def _expected(bundle: Bundle, shots: list[dict[str, Any]]) -> list[float]:
    """What the bundle says of shots."""
    days = [shot.get("game_date") for shot in shots]
    dated = [
        {**shot, "game_date": date.fromisoformat(day) if day else None}
        for shot, day in zip(shots, days, strict=True)
    ]
    return list(bundle.predict(from_records(dated, datetime.now(tz=UTC).date())))


def _agree(answered: list[float], expected: list[float]) -> None:
    np.testing.assert_allclose(answered, expected, rtol=0, atol=1e-12)


BAD = [
    [{"player_id": 7, "period": 2}],
    [{**REQUIRED, "player_id": "James"}],
    [REQUIRED, {**REQUIRED, "period": 99}],
    [{**REQUIRED, "home_team": "BOSTON CELTICS OF OLD"}],
]
SAID = [
    "Model is missing inputs ['clock_s', 'x_ft', 'y_ft']",
    "player_id",
    "shots[1].period: expected a whole number from 1 to 14",
    "shots[0].home_team: expected a team's abbreviation",
]


def test_the_model_asks_for_packages_of_others_only(model: Path) -> None:
    """Each requirement is one exact version of a package that others publish; MLflow is among them.

    A name of ours, which the public index does not hold, would be whoever's takes it.
    """
    pins = (model / "requirements.txt").read_text().split()
    names = {pin.split("==")[0] for pin in pins}
    assert all(pin.count("==") == 1 for pin in pins)
    assert {"mlflow", "numpy", "lightgbm", "xgboost-cpu", "scikit-learn", "skops"} <= names
    assert "parivision" not in (model / "conda.yaml").read_text() + " ".join(names)
    assert not names & {"polars", "bentoml", "kfp", "evidently"}


def test_it_answers_the_same_in_a_fresh_environment(elsewhere: Elsewhere, bundle: Bundle) -> None:
    """Loaded there it has the library's files with it, exactly those, and the same answers."""
    asked = {
        "model": str(elsewhere.model),
        "shots": SHOTS,
        "required_only": [REQUIRED],
        "bad": BAD,
    }
    done = subprocess.run(
        [elsewhere.python, "-I", "-c", PROGRAM],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        cwd=elsewhere.folder,
        env=elsewhere.environment,
        timeout=mlflow_server.START_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    _agree(answer["example"], _expected(bundle, _example(elsewhere.model)))
    _agree(answer["all"], _expected(bundle, SHOTS))
    _agree(answer["required_only"], _expected(bundle, [REQUIRED]))
    for refusal, said in zip(answer["refusals"], SAID, strict=True):
        assert refusal.startswith("INVALID_PARAMETER_VALUE: ")
        assert said in refusal
    code = elsewhere.model / "code"
    assert Path(answer["library"]).is_relative_to(code)
    logged = {".".join(path.relative_to(code).with_suffix("").parts) for path in code.rglob("*.py")}
    assert {name.removesuffix(".__init__") for name in logged} == set(answer["modules"])


@pytest.fixture(scope="module")
def url(elsewhere: Elsewhere) -> Iterator[str]:
    """The address of `mlflow models serve` in the fresh environment."""
    port = free_port()
    command = [str(elsewhere.python), "-I", "-m", "mlflow", "models", "serve"]
    command += ["--model-uri", str(elsewhere.model), "--env-manager", "local"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    log = elsewhere.folder / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            cwd=elsewhere.folder,
            env=elsewhere.environment,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        mlflow_server.wait_until_ready(process, f"{address}/ping", log)
        yield f"{address}/invocations"
    finally:
        # MLflow starts the server as a child, and does not end it.
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def _post(url: str, content: str, kind: str = "application/json") -> httpx.Response:
    headers = {"content-type": kind}
    return httpx.post(url, content=content, headers=headers, timeout=30, trust_env=False)


def test_mlflow_serves_it_in_a_fresh_environment(
    url: str, elsewhere: Elsewhere, bundle: Bundle
) -> None:
    """`mlflow models serve` answers the logged example, shots with gaps, and a CSV file."""
    answer = _post(url, (elsewhere.model / "serving_input_example.json").read_text())
    _agree(answer.json()["predictions"], _expected(bundle, _example(elsewhere.model)))
    for shots in (SHOTS, [REQUIRED]):
        answer = _post(url, json.dumps({"dataframe_records": shots}))
        _agree(answer.json()["predictions"], _expected(bundle, shots))
    flags = {**REQUIRED, "last_shot_own": True, "last_shot_made": None}
    answer = _post(url, json.dumps({"inputs": [flags]}))
    _agree(answer.json()["predictions"], _expected(bundle, [flags]))
    answer = _post(url, pl.DataFrame(SHOTS).write_csv(), "text/csv")
    _agree(answer.json()["predictions"], _expected(bundle, SHOTS))


@pytest.mark.parametrize(("shots", "said"), list(zip(BAD, SAID, strict=True)))
def test_what_it_cannot_answer_is_told(url: str, shots: list[dict[str, Any]], said: str) -> None:
    """A client's error is a 400 that names the field, as the prediction service names it."""
    answer = _post(url, json.dumps({"dataframe_records": shots}))
    assert answer.status_code == 400
    assert said in answer.json()["message"]

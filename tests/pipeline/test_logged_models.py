"""The model that MLflow keeps with a version: what is logged, how it reads frames, older ones."""

import sys
import warnings
from datetime import date
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from parivision.promotion.decision import Decision
from parivision.registry import ALIAS, MODEL_NAME, Registry, quiet
from parivision.serving.shot import MAX_SHOTS
from parivision.shots.facts import from_records

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]

WON = Decision("lightgbm", promoted=True, reason="lightgbm is better")
CHAMPION = f"models:/{MODEL_NAME}@{ALIAS}"
SPOT = {"player_id": 3, "period": 1, "clock_s": 60.0, "y_ft": 3.0}
DAY = date(2023, 3, 1)


@pytest.fixture
def registry(mlflow_db, tmp_path):
    """An empty registry, which other tools find too."""
    (tmp_path / "mlflow.db").write_bytes(mlflow_db)
    quiet()
    registry = Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")
    mlflow.set_tracking_uri(registry.uri)
    return registry


def _files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_version_of_before_models_had_their_code_with_them(
    registry, small_bundle_dir, small_bundle, tmp_path
):
    """Without signature, example and code it is a champion like any other, and loads here."""
    old = tmp_path / "old.py"
    old.write_text(
        "from pathlib import Path\n"
        "from mlflow.models import set_model\n"
        "from mlflow.pyfunc.model import PythonModel\n"
        "from parivision.models.bundle import Bundle\n"
        "from parivision.shots.facts import from_records\n"
        "class Old(PythonModel):\n"
        "    def load_context(self, context):\n"
        "        self.bundle = Bundle.load(Path(context.artifacts['bundle']))\n"
        "    def predict(self, context, model_input, params=None):\n"
        "        return self.bundle.predict(from_records(model_input.to_dict('records'), None))\n"
        "set_model(Old())\n"
    )
    run_id = registry.log("promotion", artifacts={"bundle": small_bundle_dir})
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(old),
            artifacts={"bundle": str(small_bundle_dir)},
            pip_requirements=["parivision"],
        )
    registered = mlflow.register_model(logged.model_uri, MODEL_NAME, tags={"kind": "promotion"})
    number = str(registered.version)
    registry.point_alias(number)
    version, bundle = registry.champion_bundle(tmp_path / "cache")
    assert version.number == number
    shot = {**SPOT, "x_ft": 3.0, "game_date": DAY}
    expected = small_bundle.predict(from_records([shot], DAY)).tolist()
    assert bundle.predict(from_records([shot], DAY)).tolist() == expected
    assert mlflow.pyfunc.load_model(CHAMPION).predict(pd.DataFrame([shot])).tolist() == expected
    assert registry.record(WON, small_bundle_dir, None).number == str(int(number) + 1)


def test_a_logged_model_has_what_it_needs_and_nothing_of_where_it_was_logged(
    registry, small_bundle_dir, tmp_path, monkeypatch, capfd
):
    """Nothing of a project in the current folder; no compiled files; nothing said or left here."""
    project = tmp_path / "project"
    project.mkdir()
    for name in ("uv.lock", "pyproject.toml"):
        (project / name).write_text("")
    monkeypatch.chdir(project)
    path = list(sys.path)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*type hint")  # as who runs `python -W error`
        registry.record(WON, small_bundle_dir, None)
    assert sys.path == path
    assert "type hints" not in capfd.readouterr().err
    model = Path(mlflow.artifacts.download_artifacts(CHAMPION))
    assert {path.name for path in model.iterdir()} == {
        *("MLmodel", "artifacts", "code", "conda.yaml", "input_example.json", "pyfunc.py"),
        *("python_env.yaml", "registered_model_meta", "requirements.txt"),
        "serving_input_example.json",
    }
    assert {path.suffix for path in (model / "code").rglob("*") if path.is_file()} == {".py"}
    assert _files(model / "artifacts" / small_bundle_dir.name) == _files(small_bundle_dir)


def test_of_a_frame_that_is_longer_than_a_request_every_shot_is_answered(
    registry, small_bundle_dir, small_bundle
):
    """Frames have no limit, and a bad shot is told by its row."""
    registry.record(WON, small_bundle_dir, None)
    model = mlflow.pyfunc.load_model(CHAMPION)
    shots = [{**SPOT, "x_ft": i % 20 - 10.0, "game_date": DAY} for i in range(MAX_SHOTS + 3)]
    expected = small_bundle.predict(from_records(shots, DAY))
    np.testing.assert_allclose(model.predict(pd.DataFrame(shots)), expected, rtol=0, atol=1e-12)
    shots[-1]["x_ft"] = 99.0
    with pytest.raises(mlflow.MlflowException, match=rf"shots\[2\].x_ft.*row {MAX_SHOTS} of"):
        model.predict(pd.DataFrame(shots))

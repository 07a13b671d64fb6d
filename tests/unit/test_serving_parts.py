"""The parts around the application: its document, the champion's card, what goes into a Bento."""

import ast
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision import telemetry
from parivision.errors import ModelError, ServiceError
from parivision.features import tables
from parivision.features.form import Form
from parivision.models.bundle import Bundle, Part
from parivision.models.estimators import Constant
from parivision.packaging import bento
from parivision.serving import openapi
from parivision.serving.client import requests_of
from parivision.serving.metrics import Histogram
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.serving.predictor import BUNDLE_FOLDER, ChampionRecord, Predictor
from parivision.serving.requests import parse
from parivision.serving.shot import FIELDS, MAX_SHOTS, SHOT
from parivision.shots import facts
from parivision.shots.court import Zone

# What the serving image must not need.
TOO_HEAVY = {"polars", "pyarrow", "pandas", "mlflow", "evidently", "kfp", "matplotlib"}


def constant_bundle(p_made: float) -> Bundle:
    """A model that always says the same."""
    part = Part(("rate_zone",), Constant(p_made))
    return Bundle("league_mean", "full", {"without_action": part}, Form())


class TestDocument:
    """The OpenAPI document."""

    @staticmethod
    def references(node: Any) -> list[str]:
        """All $ref in a document."""
        if isinstance(node, dict):
            inner = [ref for value in node.values() for ref in TestDocument.references(value)]
            return [*inner, node["$ref"]] if "$ref" in node else inner
        if isinstance(node, list):
            return [ref for value in node for ref in TestDocument.references(value)]
        return []

    def test_everything_referred_to_is_there(self) -> None:
        """No reference is broken, and the document is JSON."""
        document = json.loads(json.dumps(openapi.document("3"), allow_nan=False))
        schemas = document["components"]["schemas"]
        for reference in self.references(document):
            assert reference.removeprefix("#/components/schemas/") in schemas

    def test_predict_is_described(self) -> None:
        """The facts of a shot, the limits and every status of /predict are there."""
        document = openapi.document("3")
        post = document["paths"]["/predict"]["post"]
        schema = post["requestBody"]["content"]["application/json"]["schema"]
        assert schema["oneOf"][1]["properties"]["shots"]["maxItems"] == MAX_SHOTS
        assert set(post["responses"]) == {"200", "400", "408", "413", "415", "422", "503"}
        shot = document["components"]["schemas"]["Shot"]
        assert set(shot["properties"]) == set(FIELDS)
        assert set(shot["required"]) == {"player_id", "period", "clock_s", "x_ft", "y_ft"}
        assert all(field["description"] for field in shot["properties"].values())

    def test_its_examples_are_right(self) -> None:
        """Every example of a request is one that gets a prediction."""
        content = openapi.document("3")["paths"]["/predict"]["post"]["requestBody"]["content"]
        for example in content["application/json"]["examples"].values():
            assert parse(json.dumps(example["value"]).encode()).shots


class TestPredictor:
    """The model that answers."""

    def test_expected_points_count_the_given_value(self) -> None:
        """Expected points use the shot's value if it is given, else what the place is worth."""
        predictor = Predictor(constant_bundle(0.4), ChampionRecord("shots", "1"))
        shots = [
            SHOT.validate_python(shot) for shot in (SMALL_SHOT, {**SMALL_SHOT, "shot_value": 2})
        ]
        np.testing.assert_allclose(predictor.answer(shots).expected_points, [1.2, 0.8])

    @pytest.mark.parametrize("p_made", [float("nan"), 1.5, -0.1])
    def test_numbers_that_are_no_probabilities(
        self, p_made: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A broken model is an error and never an answer."""
        bundle = constant_bundle(0.5)
        monkeypatch.setattr(bundle, "predict", lambda _: np.array([p_made]))
        with pytest.raises(ModelError, match="no probabilities"):
            Predictor(bundle, ChampionRecord("shots", "1")).answer(
                parse(json.dumps(SMALL_SHOT).encode()).shots
            )

    def test_load_gives_what_was_saved(self, tmp_path: Path) -> None:
        """A Bento's folder gives the model and its card."""
        constant_bundle(0.4).save(tmp_path / BUNDLE_FOLDER)
        champion = ChampionRecord("shots", "4", "abc", {"log_loss": 0.6, "ece": None})
        champion.write(tmp_path)
        predictor = Predictor.load(tmp_path)
        assert predictor.champion == champion
        assert predictor.model == {"name": "shots", "version": "4", "family": "league_mean"}

    @pytest.mark.parametrize("content", [None, "{", "[]", '{"name": "shots"}', '{"nam": "x"}'])
    def test_a_folder_without_a_champion(self, tmp_path: Path, content: str | None) -> None:
        """A folder that is no Bento's is an error that says what to do."""
        constant_bundle(0.4).save(tmp_path / BUNDLE_FOLDER)
        if content is not None:
            (tmp_path / "champion.json").write_text(content)
        with pytest.raises(ServiceError, match="build one"):
            Predictor.load(tmp_path)


class TestBuckets:
    """Histograms."""

    @given(values=st.lists(st.floats(0, 2), min_size=1, max_size=50))
    def test_counts_are_cumulative_and_bounds_inclusive(self, values: list[float]) -> None:
        """Each bucket counts what is at most its bound, as Prometheus defines it."""
        from prometheus_client.core import HistogramMetricFamily

        buckets, family = Histogram((0.5, 1.0)), HistogramMetricFamily("h", "", labels=["a"])
        buckets.observe(np.array(values))
        buckets.add_to(family, ["x"])
        found = {sample.labels.get("le", sample.name): sample.value for sample in family.samples}
        for bound in (0.5, 1.0, float("inf")):
            name = "+Inf" if bound == float("inf") else str(bound)
            assert found[name] == sum(value <= bound for value in values)
        assert found["h_sum"] == pytest.approx(sum(values))

    def test_bounds_ascend(self) -> None:
        """The declared bounds are sorted, fine for fast answers, and the last is a limit."""
        for bounds in (telemetry.REQUEST_BUCKETS_S, telemetry.P_MADE_BUCKETS):
            assert list(bounds) == sorted(set(bounds))
        assert telemetry.REQUEST_BUCKETS_S[0] == 0.00025
        assert telemetry.P_MADE_BUCKETS[-1] == 1.0


class TestRequestsOf:
    """Requests made of a table."""

    def test_a_request_says_what_the_table_knows(self, synthetic_shots: pl.DataFrame) -> None:
        """Facts that went through a request are those that training used."""
        body = json.dumps({"shots": requests_of(synthetic_shots)}).encode()
        sent = facts.from_records(parse(body).shots, synthetic_shots["game_date"][0])
        known = tables.facts_from_shots(synthetic_shots)
        for name in facts.ARRAYS:
            if name != "action":
                np.testing.assert_array_equal(getattr(sent, name), getattr(known, name), name)
        words = [[f.actions[code] for code in f.action] for f in (sent, known)]
        assert words[0] == words[1]

    def test_what_is_missing_is_left_out(self, synthetic_shots: pl.DataFrame) -> None:
        """A fact that the table does not know is not in the request."""
        table = synthetic_shots.head(1).with_columns(pl.lit(None, pl.String).alias("action_type"))
        request = requests_of(table)[0]
        assert "action_type" not in request
        assert "since_last_shot_s" not in request


class TestContentOfABento:
    """What is packed."""

    def test_the_library_is_followed_to_its_last_import(self) -> None:
        """Every module that a packed one imports is packed too, and its package."""
        files = {path.relative_to(bento.LIBRARY).as_posix() for path in bento.library_files()}
        assert {"__init__.py", "serving/app.py", "models/bundle.py", "features/form.py"} <= files
        assert all(
            f"{Path(name).parent.as_posix()}/__init__.py".removeprefix("./") in files
            for name in files
        )

    def test_the_library_needs_nothing_heavy(self) -> None:
        """Nothing that is packed imports a table, a trainer or a registry."""
        for path in bento.library_files():
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [str(node.module)]
                assert not {name.split(".")[0] for name in names} & TOO_HEAVY, path

    @pytest.mark.parametrize(
        ("kind", "needed", "not_needed"),
        [
            ("lightgbm", "lightgbm", "xgboost-cpu"),
            ("xgboost", "xgboost-cpu", "skops"),
            ("sklearn", "skops", "xgboost-cpu"),
            ("constant", "numpy", "scipy"),
        ],
    )
    def test_packages_are_those_of_the_kind(self, kind: str, needed: str, not_needed: str) -> None:
        """Only what a kind of model needs is pinned, with everything below it, exactly."""
        pins = bento.packages([kind])
        assert all(pin.count("==") == 1 for pin in pins)
        ordered = [pin.split("==")[0] for pin in pins]
        names = set(ordered)
        assert ordered == sorted(names)
        assert {needed, "bentoml", "uvicorn", "starlette", "uvloop", "httptools"} <= names
        assert not names & ({not_needed} | TOO_HEAVY)

    def test_a_package_that_is_not_here(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A package that cannot be pinned is an error that says what to install."""
        monkeypatch.setattr(bento, "BASE_PACKAGES", ("no-such-package",))
        with pytest.raises(ServiceError, match="no-such-package is not installed"):
            bento.packages([])

    @pytest.mark.parametrize("version", ["", "V1", "a b", "../1", "-1", "1.", "x" * 61, "1\n", "é"])
    def test_versions_that_cannot_be_tags(self, version: str, tmp_path: Path) -> None:
        """A version that BentoML or a path could misread is refused before anything is written."""
        with pytest.raises(ServiceError, match="version is"):
            bento.build(tmp_path, version=version, store=tmp_path / "store")
        assert not (tmp_path / "store").exists()

    def test_no_bundle(self, tmp_path: Path) -> None:
        """A folder without a bundle is an error, and leaves nothing behind."""
        with pytest.raises(ModelError, match="no usable bundle"):
            bento.build(tmp_path, version="1", store=tmp_path / "store")
        assert not (tmp_path / "store" / "bentos").exists()

    def test_no_service(self, tmp_path: Path) -> None:
        """A folder without the service is an error that says which folder is meant."""
        constant_bundle(0.4).save(tmp_path / "b")
        with pytest.raises(ServiceError, match="bentos/shots"):
            bento.build(tmp_path / "b", version="1", store=tmp_path / "store", service=tmp_path)

    def test_a_failing_build_says_why(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What BentoML said is in the error."""
        constant_bundle(0.4).save(tmp_path / "b")
        monkeypatch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(ServiceError, match="bentoml could not build"):
            bento.build(tmp_path / "b", version="1", store=tmp_path / "store")

    def test_metrics_that_are_no_numbers(self) -> None:
        """A metric that does not exist is kept as missing, so that the card stays JSON."""
        assert bento._finite({"a": float("nan"), "b": None, "c": 1}) == {
            "a": None,
            "b": None,
            "c": 1.0,
        }


def test_metric_labels_name_every_zone() -> None:
    """The zones' labels are distinct."""
    assert len({zone.label for zone in Zone}) == len(Zone)


def test_full_shot_uses_every_field() -> None:
    """The full example shows every field there is."""
    assert set(FULL_SHOT) == set(FIELDS)

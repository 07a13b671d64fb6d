"""The service logs what it answers and takes outcomes, and fails no answer for it."""

import time
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from asgi import Asker, body_of
from malformed import VALUES
from parivision import telemetry
from parivision.features.form import Form
from parivision.models.bundle import Bundle, Part
from parivision.models.estimators import Constant
from parivision.prediction_log import log
from parivision.prediction_log.folder import FolderStore
from parivision.prediction_log.join import Joiner, labelled_since, predictions_since
from parivision.prediction_log.spill import Spill
from parivision.serving.app import create_app
from parivision.serving.client import requests_of
from parivision.serving.logs import Logs
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.serving.outcomes import FIELDS
from parivision.serving.predictor import ChampionRecord, Predictor
from parivision.shots.facts import ARRAYS, from_records

CHAMPION = ChampionRecord("shots", "12", "d1")
ID = "0" * 32
OUTCOME = {"prediction_id": ID, "made": True}


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """A model that always says the same."""
    part = Part(("rate_zone",), Constant(0.4))
    bundle = Bundle("league_mean", "full", {"without_action": part}, Form())
    return Predictor(bundle, CHAMPION, lambda: date(2024, 1, 1))


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Logs]:
    """Logs into a folder."""
    monkeypatch.setattr(log, "FLUSH_S", 0.005)
    opened = Logs.open(str(tmp_path / "log"), Spill(tmp_path / "spill"), CHAMPION, "canary")
    yield opened
    opened.close()


@pytest.fixture
def ask(predictor: Predictor, logs: Logs) -> Iterator[Asker]:
    """Asks a service with these logs."""
    asker = Asker(create_app(predictor, logs))
    yield asker
    asker.close()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """What the logs write to."""
    return FolderStore(tmp_path / "log")


def test_every_answer_is_logged_as_it_was_given(
    ask: Asker, logs: Logs, store: FolderStore, synthetic_shots: pl.DataFrame
) -> None:
    """One shot or thousands: id, probability, model and the request's facts are in the log."""
    one = ask(body_of(FULL_SHOT)).json
    shots = requests_of(synthetic_shots)
    many = ask(body_of({"shots": shots})).json["predictions"]
    logs.close()
    found = {each.id: each for page in predictions_since(store) for each in page.records}
    assert found.keys() == {one["id"], *(each["id"] for each in many)}
    logged = found[one["id"]]
    assert dict(logged.facts) == FULL_SHOT
    assert (logged.p_made, logged.track, logged.version) == (one["p_made"], "canary", "12")
    assert abs(time.time() - _seconds(logged.at)) < 60
    for shot, answer in zip(shots, many, strict=True):
        assert dict(found[answer["id"]].facts) == shot
        assert found[answer["id"]].p_made == answer["p_made"]
    assert store.games() >= set(synthetic_shots["game_id"])


def test_game_and_event_are_no_facts_to_learn_from() -> None:
    """They say which shot it is: what a model gets is the same with and without them."""
    day = date(2024, 1, 1)
    named = from_records([{**SMALL_SHOT, "game_id": 7, "event_id": 9}], day)
    bare = from_records([SMALL_SHOT], day)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(named, name), getattr(bare, name))


def test_outcomes_reach_their_predictions(ask: Asker, logs: Logs, store: FolderStore) -> None:
    """By id or by game and event, one or several, 202 with their number, and they join."""
    by_id = ask(body_of(SMALL_SHOT)).json["id"]
    by_shot = ask(body_of({**SMALL_SHOT, "game_id": 7, "event_id": 0})).json["id"]
    single = ask(body_of({"prediction_id": by_id, "made": True}), path="/outcomes")
    assert (single.status, single.json) == (202, {"accepted": 1})
    named = {"game_id": 7, "event_id": 0, "made": False, "at": "2024-01-01T05:00:00+02:00"}
    unknown = {"game_id": 7, "event_id": 1, "made": True}
    several = ask(body_of({"outcomes": [named, unknown]}), path="/outcomes")
    assert (several.status, several.json) == (202, {"accepted": 2})
    logs.close()
    joiner = Joiner(store)
    assert joiner.join().labelled == 2
    joiner.close()
    found = {one.served.id: one for page in labelled_since(store) for one in page.records}
    assert {name: one.made for name, one in found.items()} == {by_id: True, by_shot: False}
    assert found[by_shot].outcome_at == "2024-01-01T03:00:00.000+00:00"


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"made": True}, "prediction_id"),
        ({"game_id": 7, "made": True}, "prediction_id"),
        ({**OUTCOME, "game_id": 7, "event_id": 1}, "prediction_id"),
        ({"prediction_id": "x", "made": True}, "prediction_id"),
        ({"prediction_id": ID}, "made"),
        ({**OUTCOME, "made": 1}, "made"),
        ({**OUTCOME, "at": "2024-01-01T05:00:00"}, "at"),
        ({**OUTCOME, "at": "yesterday"}, "at"),
        ({**OUTCOME, "at": 1704081600}, "at"),
        ({**OUTCOME, "at": "2150-01-01T00:00:00Z"}, "at"),
        ({"game_id": 2**63, "event_id": 1, "made": True}, "game_id"),
        ({"outcomes": [OUTCOME, {"made": True}]}, "outcomes[1].prediction_id"),
        ({"outcomes": [OUTCOME, {**OUTCOME, "at": "2150-01-01T00:00Z"}]}, "outcomes[1].at"),
        ({"outcomes": []}, "outcomes"),
        ({**OUTCOME, "prediction": 1}, "prediction"),
    ],
)
def test_a_wrong_outcome_is_refused_by_field(ask: Asker, content: object, field: str) -> None:
    """The answer names the field, what was expected and what came."""
    answer = ask(body_of(content), path="/outcomes")
    assert answer.status == 422
    assert [fault["field"] for fault in answer.json["fields"]] == [field]
    assert answer.json["fields"][0]["expected"]


@pytest.mark.parametrize("given", [None, b"Bearer wrong", b"a word", b"Bearer ", b"Bearer \xff"])
def test_only_who_bears_the_token_tells_outcomes(
    predictor: Predictor, logs: Logs, given: bytes | None
) -> None:
    """With a token, everybody else gets a 401 that says how, and predictions go on."""
    app = create_app()
    app.serve(predictor, logs, "a word")
    ask = Asker(app)
    headers = [(b"content-type", b"application/json")]
    bearing = headers if given is None else [*headers, (b"authorization", given)]
    refused = ask(body_of(OUTCOME), path="/outcomes", headers=bearing)
    assert refused.status == 401
    assert "Authorization: Bearer" in refused.json["error"]
    assert refused.headers["www-authenticate"] == "Bearer"
    right = [*headers, (b"authorization", b"Bearer a word")]
    assert ask(body_of(OUTCOME), path="/outcomes", headers=right).status == 202
    assert ask(body_of(SMALL_SHOT)).status == 200
    ask.close()


NAMES = st.one_of(st.sampled_from([*FIELDS, "outcomes"]), st.text(max_size=20))
OUTCOMES = st.dictionaries(NAMES, st.one_of(VALUES, st.just(ID), st.datetimes().map(str)))


@given(st.one_of(OUTCOMES, st.fixed_dictionaries({"outcomes": st.lists(OUTCOMES)}), VALUES))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_outcome_is_taken_or_refused(ask: Asker, content: object) -> None:
    """Nothing that a client may send is a 500."""
    answer = ask(body_of(content), path="/outcomes")
    assert answer.status in (202, 400, 422)
    assert answer.status == 202 or len(answer.json["error"]) > 10


def test_outcomes_without_a_log(predictor: Predictor) -> None:
    """Where nothing keeps them the client is told to come again, and predictions go on."""
    bare = Asker(create_app(predictor))
    refused = bare(body_of(OUTCOME), path="/outcomes")
    answer = bare(body_of(SMALL_SHOT))
    bare.close()
    assert (refused.status, refused.headers["retry-after"]) == (503, "600")
    assert "id" in answer.json


def test_outcomes_without_room(predictor: Predictor, tmp_path: Path) -> None:
    """What the store and the disk do not take stays in memory, up to a bound."""
    (tmp_path / "file").touch()
    logs = Logs.open("mongodb://[", Spill(tmp_path / "file" / "x"), CHAMPION, "primary")
    asker = Asker(create_app(predictor, logs))
    many = body_of({"outcomes": [OUTCOME] * 10_000})
    answers = [asker(many, path="/outcomes") for _ in range(5)]
    for each in (logs.predictions, logs.outcomes):
        each.close(0)
    asker.close()
    assert [answer.status for answer in answers] == [202] * 4 + [503]
    assert answers[-1].headers["retry-after"] == "10"


def test_a_broken_log_fails_no_answer(predictor: Predictor, tmp_path: Path) -> None:
    """A store that cannot be and a spill that cannot be written: answered, ready, counted."""
    (tmp_path / "file").touch()
    logs = Logs.open("mongodb://[", Spill(tmp_path / "file" / "x"), CHAMPION, "primary")
    app = create_app(predictor, logs)
    asker = Asker(app)
    assert app.is_ready
    assert asker(body_of(SMALL_SHOT)).status == 200
    samples = asker(method="GET", path="/metrics").body.decode()
    queued = f'{telemetry.LOG_QUEUED}{{kind="predictions",model_version="12"}} 1.0'
    assert queued in samples
    for each in (logs.predictions, logs.outcomes):
        each.close(0)
    asker.close()


def test_the_log_is_measured(ask: Asker, logs: Logs) -> None:
    """Every metric of the log is there for both kinds and carries the model's version."""
    ask(body_of(SMALL_SHOT))
    ask(body_of(OUTCOME), path="/outcomes")
    logs.close()
    text = ask(method="GET", path="/metrics").body.decode()
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    written = {s.labels["kind"]: s.value for s in samples if s.name == telemetry.LOG_WRITTEN}
    assert written == {"predictions": 1, "outcomes": 1}
    names = {value for name, value in vars(telemetry).items() if name.startswith("LOG_")}
    ours = [s for s in samples if s.name in names]
    assert {s.name for s in ours} == names
    assert {s.labels["model_version"] for s in ours} == {"12"}
    assert all(s.labels["reason"] for s in ours if s.name == telemetry.LOG_DROPPED)


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()

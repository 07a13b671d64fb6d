"""Many shots: columns by the Open Inference Protocol, and lines answered as they come."""

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asgi import Answer, Asker
from malformed import VALUES
from parivision.models.bundle import Bundle
from parivision.prediction_log.lines import blocks, records
from parivision.serving import columns, fast_path, lines
from parivision.serving.app import App, create_app
from parivision.serving.client import requests_of
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.serving.predictor import ChampionRecord, Predictor
from parivision.serving.requests import Refusal, parse, parse_rows
from parivision.serving.shot import FIELDS, MAX_SHOTS, Rows

INFER = "/v2/models/shots/infer"
NDJSON = ((b"content-type", b"application/x-ndjson"),)
Shots = list[dict[str, Any]]


@pytest.fixture(scope="module")
def app(small_bundle: Bundle) -> App:
    """The small model."""
    return create_app(
        Predictor(small_bundle, ChampionRecord("shots", "3"), lambda: date(2023, 1, 1))
    )


@pytest.fixture(scope="module")
def ask(app: App) -> Iterator[Asker]:
    """Asks it."""
    asker = Asker(app)
    yield asker
    asker.close()


@pytest.fixture(scope="module")
def shots(synthetic_shots: pl.DataFrame) -> Shots:
    """Some shots, of which some lack facts."""
    asked = requests_of(synthetic_shots[:300])
    return [*asked[:-2], {**SMALL_SHOT, "action_type": None}, SMALL_SHOT]


def tensors(shots: Shots, names: Any = FIELDS) -> dict[str, Any]:
    """An inference request."""
    inputs = []
    for name in names:
        data = [shot.get(name) for shot in shots]
        if any(value is not None for value in data):
            kind = "BYTES" if any(isinstance(value, str) for value in data) else "FP64"
            inputs.append({"name": name, "datatype": kind, "shape": [len(data)], "data": data})
    return {"id": "mine", "inputs": inputs}


def infer(ask: Asker, request: Any) -> Answer:
    """The answer to an inference request."""
    return ask(json.dumps(request).encode(), path=INFER)


def predicted(ask: Asker, shots: Shots) -> list[float]:
    """What /predict says."""
    answered = ask(json.dumps({"shots": shots}).encode())
    return [row["p_made"] for row in answered.json["predictions"]]


class TestColumns:
    """`/v2/models/shots/infer`."""

    def test_columns_get_what_records_get(self, ask: Asker, shots: Shots) -> None:
        """The same shots, the same numbers, and the client's id comes back."""
        content = infer(ask, tensors(shots)).json
        p_made, points, zone = (each["data"] for each in content["outputs"])
        assert p_made == predicted(ask, shots)
        assert len(points) == len(zone) == len(shots)
        assert (content["id"], content["model_name"], content["model_version"]) == (
            *("mine", "shots"),
            "3",
        )
        assert all(each["shape"] == [len(shots)] for each in content["outputs"])

    def test_a_column_may_be_a_column(self, ask: Asker) -> None:
        """Shape [n, 1], with values in lists of one, is what many clients send."""
        request = tensors([SMALL_SHOT, SMALL_SHOT])
        for tensor in request["inputs"]:
            tensor["shape"] = [2, 1]
            tensor["data"] = [[value] for value in tensor["data"]]
        content = infer(ask, request).json
        assert content["outputs"][0]["data"] == predicted(ask, [SMALL_SHOT, SMALL_SHOT])

    def test_the_log_gets_the_same(self, shots: Shots) -> None:
        """What readers find of columns, of a list and of lines is what was asked."""
        as_lines = [json.dumps(shot).encode() for shot in shots]
        found = [
            columns.parse(json.dumps(tensors(shots)).encode()).shots,
            parse_rows(json.dumps({"shots": shots}).encode()),
            fast_path.of_lines(as_lines),
        ]
        wanted = [{k: v for k, v in shot.items() if v is not None} for shot in shots]
        for rows in found:
            assert isinstance(rows, Rows)
            assert rows.size == len(shots)
            entries = blocks("id", "2024", rows.columns, [0.5] * rows.size)
            assert [record["facts"] for record in records(e.text for e in entries)] == wanted

    @example(value=0.0, name="last_shot_made")
    @example(value=2.0, name="shot_value")
    @example(value=2.5, name="shot_value")
    @example(value=True, name="shot_value")
    @given(value=VALUES, name=st.sampled_from(sorted(FIELDS)))
    def test_what_a_record_may_hold_a_column_may(self, value: Any, name: str) -> None:
        """A value that /predict refuses is refused here; a whole number may be said to be one."""
        shot = {**FULL_SHOT, "player_attempts": 200, "player_makes": 0, name: value}
        request = tensors([FULL_SHOT])
        request["inputs"] = [each for each in request["inputs"] if each["name"] != name]
        kind = columns._datatype(name)
        tensor = {"name": name, "datatype": kind, "shape": [2], "data": [FULL_SHOT[name], value]}
        attempts = {"player_attempts": 200, "player_makes": 0}
        for each in [*request["inputs"], tensor]:
            usual = attempts.get(each["name"], each["data"][0])
            each["data"] = [usual, usual] if each is not tensor else [usual, value]
            each["shape"] = [2]
        request["inputs"].append(tensor)

        def is_taken(read: Any, content: Any) -> bool:
            try:
                read(json.dumps(content).encode())
            except Refusal:
                return False
            return True

        assert is_taken(columns.parse, request) == is_taken(parse, shot)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            (lambda tensor: tensor.update(name="x_fd"), "x_ft instead"),
            (lambda tensor: tensor.update(datatype="BYTES"), "x_ft.datatype"),
            (lambda tensor: tensor.update(shape=[3]), "x_ft.shape"),
            (lambda tensor: tensor.update(data=[]), "x_ft.data"),
            (lambda tensor: tensor.update(data=[0.0], shape=[1]), "the same number of shots"),
            (lambda tensor: tensor.update(data=[0.0, 99.0]), r"x_ft[1]"),
            (lambda tensor: tensor.update(data=[0.0, None]), r"x_ft[1]"),
            (lambda tensor: tensor.update(data=[0.0, "1"]), r"x_ft[1]"),
            (lambda tensor: tensor.clear(), "inputs.name"),
        ],
    )
    def test_what_is_wrong_is_named(self, ask: Asker, change: Any, field: str) -> None:
        """A refusal names the input, and the place in it."""
        request = tensors([SMALL_SHOT, SMALL_SHOT])
        change(next(each for each in request["inputs"] if each["name"] == "x_ft"))
        refused = infer(ask, request)
        assert refused.status == 422
        assert field in refused.json["error"]

    def test_a_tensor_comes_once(self, ask: Asker) -> None:
        """A second one of a name is refused, equal or not: nobody said which counts."""
        request = tensors([SMALL_SHOT, SMALL_SHOT])
        (x,) = (each for each in request["inputs"] if each["name"] == "x_ft")
        for other in (x, {**x, "data": [1.0, 2.0]}):
            refused = infer(ask, {**request, "inputs": [*request["inputs"], other]})
            assert refused.status == 422
            expected = "x_ft: expected one input of this name; got a second one."
            assert refused.json["error"] == expected
        refused = infer(ask, {**request, "outputs": [{"name": "p_made"}] * 2})
        assert refused.status == 422
        assert refused.json["error"] == (
            "p_made: expected one output of this name; got a second one."
        )

    def test_of_a_key_that_stands_twice_the_last_value_counts(self) -> None:
        """However a shot is read: no parser in use tells that there were two."""
        twice = json.dumps(SMALL_SHOT).encode().replace(b'"x_ft"', b'"x_ft": 20.0, "x_ft"')
        assert twice.count(b"x_ft") == 2
        with_time = json.dumps({**SMALL_SHOT, "game_date": "2025-11-05 00:00:00"}).encode()
        slow = with_time.replace(b'"x_ft"', b'"x_ft": 20.0, "x_ft"')
        many = b'{"shots": [' + twice + b"]}"
        found = [parse(twice).shots[0], parse(slow).shots[0], parse(many).shots[0]]
        assert [shot["x_ft"] for shot in found] == [SMALL_SHOT["x_ft"]] * 3

    def test_outputs_are_those_that_are_asked_for(self, ask: Asker, shots: Shots) -> None:
        """In the request's order; all without a list."""
        request = tensors(shots)
        all_outputs = {each["name"]: each for each in infer(ask, request).json["outputs"]}
        assert list(all_outputs) == ["p_made", "expected_points", "zone_code"]
        assert len(infer(ask, {**request, "outputs": []}).json["outputs"]) == 3
        asked = [{"name": "zone_code"}, {"name": "p_made", "parameters": {"binary_data": False}}]
        content = infer(ask, {**request, "outputs": asked}).json
        assert content["outputs"] == [all_outputs["zone_code"], all_outputs["p_made"]]

    @pytest.mark.parametrize(
        ("outputs", "came"),
        [
            ("p_made", '"p_made"'),
            (["p_made"], '"p_made"'),
            ([{"name": "odds"}], '"odds"'),
            ([{}], "nothing"),
        ],
    )
    def test_an_output_that_is_none_is_refused(
        self, ask: Asker, outputs: object, came: str
    ) -> None:
        """The refusal says which there are."""
        refused = infer(ask, {**tensors([SMALL_SHOT]), "outputs": outputs})
        assert refused.status == 422
        assert refused.json["error"].startswith("outputs")
        assert f"got {came}." in refused.json["error"]

    @pytest.mark.parametrize("request_", [None, [], {}, {"inputs": 3}, {"inputs": [3]}])
    def test_other_bodies_are_refused(self, ask: Asker, request_: Any) -> None:
        """So are bodies that are no inference request."""
        assert infer(ask, request_).status == 422

    def test_it_has_the_protocols_other_paths(self, ask: Asker) -> None:
        """Health and metadata, which name every fact of a shot."""
        for path in ("/v2", "/v2/health/live", "/v2/health/ready", "/v2/models/shots/ready"):
            answered = ask(method="GET", path=path)
            assert answered.status == 200
        model = ask(method="GET", path="/v2/models/shots")
        assert model is not None
        assert [each["name"] for each in model.json["inputs"]] == list(FIELDS)


def stream(app: App, chunks: list[bytes]) -> tuple[int, list[dict[str, Any]]]:
    """Status and lines of the answer to a body that comes in pieces."""
    asker = Asker(app)
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": list(NDJSON)}
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    sent = asker.exchange(scope, [*messages, {"type": "http.request", "body": b""}])
    asker.close()
    body = b"".join(each["body"] for each in sent[1:])
    return sent[0]["status"], [json.loads(line) for line in body.splitlines()]


class TestLines:
    """`/predict` with lines of JSON."""

    @pytest.mark.parametrize("size", [7, 10_000, 10**9])
    def test_lines_get_what_a_list_gets(
        self, app: App, ask: Asker, shots: Shots, size: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """However the bytes are cut, in blocks or at once, with or without a last newline."""
        monkeypatch.setattr(lines, "BLOCK_BYTES", 20_000)
        body = b"\n".join(json.dumps(shot).encode() for shot in shots)
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        status, rows = stream(app, chunks)
        assert status == 200
        np.testing.assert_allclose(
            [row["p_made"] for row in rows], predicted(ask, shots), rtol=0, atol=1e-15
        )

    @given(value=VALUES, name=st.sampled_from(sorted(FIELDS)))
    def test_what_a_record_may_hold_a_line_may(
        self, small_bundle: Bundle, value: Any, name: str
    ) -> None:
        """A line is refused with the sentence of /predict, or gets the same answer."""
        predictor = Predictor(small_bundle, ChampionRecord("shots", "3"), lambda: date(2023, 1, 1))
        good, line = (json.dumps(shot).encode() for shot in (FULL_SHOT, {**FULL_SHOT, name: value}))
        try:
            (shot,) = parse(line).shots
        except Refusal as refusal:
            with pytest.raises(Refusal, match=re.escape(f"Line 2: {refusal.sentence}")):
                lines.answer(predictor, [good, line], 0)
        else:
            text, said = lines.answer(predictor, [good, line], 0)
            assert said.p_made[1] == predictor.answer([shot]).p_made[0]
            assert json.loads(text.splitlines()[1])["p_made"] == said.p_made[1]

    @given(value=VALUES, name=st.sampled_from(sorted(FIELDS)))
    def test_what_a_record_may_hold_a_list_may(self, value: Any, name: str) -> None:
        """A list that is turned into columns is refused as one of records, or means the same."""
        body = json.dumps({"shots": [FULL_SHOT, {**FULL_SHOT, name: value}]}).encode()
        try:
            known = parse(body).shots
        except Refusal as refusal:
            with pytest.raises(Refusal, match=re.escape(refusal.sentence)):
                parse_rows(body)
        else:
            rows = parse_rows(body)
            assert isinstance(rows, Rows)
            assert rows.columns == Rows.of(known).columns

    def test_a_bad_first_block_is_refused(self, app: App) -> None:
        """The status tells, and the line is named."""
        good = json.dumps(SMALL_SHOT).encode()
        for bad in (b'{"period": 99}', b"{", good + b"," + good, b"[]", b'{"shots": []}'):
            status, rows = stream(app, [good + b"\n\n" + bad + b"\n" + good])
            assert status in {400, 422}
            assert rows[0]["error"].startswith("Line 2: ")

    def test_a_bad_later_line_ends_the_answer(
        self, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was answered stays; the last line says which one could not be used."""
        monkeypatch.setattr(lines, "BLOCK_BYTES", 10)
        good = json.dumps(SMALL_SHOT).encode() + b"\n"
        status, rows = stream(app, [good, good, b'{"period": 1}\n', good])
        assert status == 200
        assert ["p_made" in row for row in rows] == [True, True, False]
        assert rows[2]["error"].startswith("Line 3: ")

    def test_nothing_and_endless_lines_are_refused(self, app: App) -> None:
        """An empty body has no answer, and a line must end some time."""
        assert stream(app, [b"\n \n"])[0] == 400
        assert stream(app, [b"{" * 3 * 10**6])[0] == 413

    def test_a_block_holds_no_more_than_a_list(self, app: App) -> None:
        """Short lines do not make larger blocks than /predict takes."""
        line = json.dumps({k: SMALL_SHOT[k] for k in SMALL_SHOT}).encode() + b"\n"
        status, rows = stream(app, [line * (MAX_SHOTS + 5)])
        assert (status, len(rows)) == (200, MAX_SHOTS + 5)

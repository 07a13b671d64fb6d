"""Requests: what is understood, and what is said about the rest."""

import json
from typing import Any

import polars as pl
import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from malformed import VALUES
from parivision.serving import fast_path
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.serving.requests import Refusal, parse, quote
from parivision.serving.shot import FIELDS, MAX_SHOTS, SHOT
from parivision.shots import schema
from parivision.shots.limits import RANGES

FLAGS = {"last_shot_own", "last_shot_made"}
DECIMALS = {"x_ft", "y_ft", "clock_s", "since_last_shot_s"}
# What can be written in more than one way, and what only looks like JSON.
SPELLINGS = [
    *("NaN", "-Infinity", "1e999", "1.0", "2e0", "-0", "01", ".5", "true", "1", "2", "3"),
    *('"2023-01-31"', '"20230131"', '"2023-W05-2"', '"2023-01-31T00:00:00"', '"1946-10-31"'),
    *('"\\ud800"', '"\\u0041"', '"\\u0000"', '"\ud800"', '"é"', '""', f'"{"é" * 100}"', "[[[[]]]]"),
]
WRONG: tuple[object, ...] = ([], {}, "", -1000, 1e99, "abc\x00" * 99, True, 2**70, 1.5)
REQUIRED = ("player_id", "period", "clock_s", "x_ft", "y_ft")


def refused(content: Any) -> Refusal:
    """The refusal of a body."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(Refusal) as caught:
        parse(body)
    return caught.value


class TestUnderstood:
    """Bodies that get a prediction."""

    @pytest.mark.parametrize("shot", [SMALL_SHOT, FULL_SHOT])
    def test_one_shot(self, shot: dict[str, Any]) -> None:
        """An object is one shot, and all its facts arrive."""
        request = parse(json.dumps(shot).encode())
        assert request.is_single
        assert request.shots == [SHOT.validate_python(shot)]

    @pytest.mark.parametrize("count", [1, 2, MAX_SHOTS])
    def test_many_shots(self, count: int) -> None:
        """A list of 1 to 10,000 shots keeps its order."""
        shots = [{**SMALL_SHOT, "player_id": index + 1} for index in range(count)]
        request = parse(json.dumps({"shots": shots}).encode())
        assert not request.is_single
        assert [shot["player_id"] for shot in request.shots] == list(range(1, count + 1))

    @pytest.mark.parametrize("name", sorted(set(FIELDS) - set(REQUIRED)))
    def test_null_means_not_known(self, name: str) -> None:
        """Every optional fact may be null."""
        shot: dict[str, Any] = {**parse(json.dumps({**SMALL_SHOT, name: None}).encode()).shots[0]}
        assert shot[name] is None

    @pytest.mark.parametrize("name", sorted(set(RANGES) & set(FIELDS)))
    def test_the_ends_of_a_range_are_inside(self, name: str) -> None:
        """The least and the greatest value of a range are taken."""
        for value in (RANGES[name].low, RANGES[name].high):
            if value is not None:
                number = int(value) if float(value).is_integer() else value
                parse(json.dumps({**SMALL_SHOT, name: number}).encode())

    @given(x_ft=st.floats(-26, 26), clock_s=st.floats(0, 720))
    def test_numbers_keep_all_their_digits(self, x_ft: float, clock_s: float) -> None:
        """A number arrives as the double that was sent."""
        shot = parse(json.dumps({**SMALL_SHOT, "x_ft": x_ft, "clock_s": clock_s}).encode()).shots[0]
        assert (shot["x_ft"], shot["clock_s"]) == (x_ft, clock_s)

    @given(
        shot=st.sampled_from([SMALL_SHOT, FULL_SHOT]),
        name=st.sampled_from([*FIELDS, "shots", "Period"]),
        text=VALUES.map(json.dumps) | st.sampled_from(SPELLINGS),
    )
    def test_the_quick_way_gives_what_the_closer_look_does(
        self, shot: dict[str, Any], name: str, text: str
    ) -> None:
        """What it takes is taken with the same values, types and all; a name may come twice."""
        body = f'{json.dumps(shot)[:-1]}, "{name}": {text}}}'.encode(errors="surrogatepass")
        found = fast_path.shot(body)
        if found is not None:
            looked_at = SHOT.validate_python(pydantic_core.from_json(body))
            assert sorted(map(repr, found.items())) == sorted(map(repr, looked_at.items()))

    @pytest.mark.parametrize("shot", [SMALL_SHOT, FULL_SHOT])
    def test_usual_shots_go_the_quick_way(self, shot: dict[str, Any]) -> None:
        """With and without what is optional."""
        assert fast_path.shot(json.dumps(shot).encode()) is not None


class TestRefused:
    """Bodies that get a sentence."""

    @pytest.mark.parametrize("name", REQUIRED)
    def test_a_missing_fact_is_named(self, name: str) -> None:
        """A required fact that is missing is a 422 that names it and what it must be."""
        refusal = refused({key: value for key, value in SMALL_SHOT.items() if key != name})
        assert refusal.status == 422
        assert [problem.field for problem in refusal.problems] == [name]
        assert FIELDS[name] in refusal.sentence

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            (name, value)
            for name in sorted(FIELDS)
            for value in WRONG
            if (name in FLAGS, value) != (True, True) and (name in DECIMALS, value) != (True, 1.5)
        ],
    )
    def test_a_wrong_fact_is_named(self, name: str, value: object) -> None:
        """A fact of a wrong type or outside its range is named, with what was expected and came."""
        refusal = refused({**SMALL_SHOT, name: value})
        assert refusal.status == 422
        assert [(problem.field, problem.expected) for problem in refusal.problems] == [
            (name, FIELDS[name])
        ]
        assert refusal.problems[0].got == quote(value)

    @pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
    def test_numbers_that_are_none(self, word: str) -> None:
        """Not a number and infinity are refused by the field's name."""
        text = json.dumps(SMALL_SHOT).replace("2.5", word)
        assert [problem.field for problem in refused(text.encode()).problems] == ["x_ft"]

    @pytest.mark.parametrize(
        "day", ["2023-02-30", "yesterday", 20230101, "1946-10-31", "2101-01-01"]
    )
    def test_days_that_are_none(self, day: object) -> None:
        """A day outside the calendar or the league's time is refused."""
        assert [p.field for p in refused({**SMALL_SHOT, "game_date": day}).problems] == [
            "game_date"
        ]

    def test_a_typo_gets_the_right_name(self) -> None:
        """An unknown field is not dropped: the nearest name is proposed."""
        refusal = refused({**SMALL_SHOT, "shot_valeu": 3})
        assert refusal.status == 422
        assert refusal.sentence == "shot_valeu: expected shot_value instead; got an unknown field."

    def test_all_problems_of_a_shot_are_named_at_once(self) -> None:
        """A client can repair everything after one answer."""
        refusal = refused({"player_id": 0, "period": 1, "clock_s": 1, "x_ft": "1", "y": 2})
        assert {p.field for p in refusal.problems} == {"player_id", "x_ft", "y_ft", "y"}

    def test_a_shot_in_a_list_is_named_by_its_place(self) -> None:
        """The first unusable shot of a list is named, also when there are thousands."""
        shots = [dict(SMALL_SHOT) for _ in range(1000)]
        shots[437]["x_ft"] = 99
        shots[438]["y_ft"] = 99
        refusal = refused({"shots": shots})
        assert [problem.field for problem in refusal.problems] == ["shots[437].x_ft"]

    def test_more_makes_than_attempts(self) -> None:
        """Facts that contradict each other are refused, in one shot and in a list."""
        shot = {**SMALL_SHOT, "player_attempts": 2, "player_makes": 3}
        assert refused(shot).problems[0].field == "player_makes"
        assert refused({"shots": [shot]}).problems[0].field == "shots[0].player_makes"

    @pytest.mark.parametrize(
        ("content", "field"),
        [
            ([], "body"),
            (None, "body"),
            ("shot", "body"),
            (7, "body"),
            ({"shots": []}, "shots"),
            ({"shots": None}, "shots"),
            ({"shots": {}}, "shots"),
            ({"shots": [1]}, "shots[0]"),
            ({"shots": [SMALL_SHOT, []]}, "shots[1]"),
            ({"shots": [SMALL_SHOT], "model": "best"}, "model"),
            ({**SMALL_SHOT, **{f"k{index}": 1 for index in range(99)}}, "player_id and others"),
        ],
    )
    def test_wrong_structure(self, content: object, field: str) -> None:
        """What is neither a shot nor a list of them says where it went wrong."""
        refusal = refused(content)
        assert refusal.status == 422
        assert [problem.field for problem in refusal.problems] == [field]

    def test_too_many_shots(self) -> None:
        """More than 10,000 shots are refused with the limit."""
        refusal = refused({"shots": [SMALL_SHOT] * (MAX_SHOTS + 1)})
        assert refusal.status == 422
        assert "a list of 1 to 10000 shots; got a list of 10001" in refusal.sentence

    @pytest.mark.parametrize(
        "body",
        [b"", b"  \n", b"{", b"\xff\xfe", b"[" * 100_000, b"1" * 5000, b'{"a": "\\ud800"}', b"nil"],
    )
    def test_not_json(self, body: bytes) -> None:
        """A body that is empty or not JSON is a 400 with a sentence."""
        refusal = refused(body)
        assert refusal.status == 400
        assert refusal.sentence.startswith("The body is ")

    @given(value=VALUES)
    def test_quotes_are_short(self, value: object) -> None:
        """Whatever came is repeated in a few words."""
        assert 0 < len(quote(value)) < 300


def test_requests_and_tables_have_the_same_ranges() -> None:
    """The ranges of requests are those of the canonical table."""
    properties = SHOT.json_schema()["properties"]
    for column in schema.SHOTS:
        if column.name in RANGES and column.name in properties:
            declared = properties[column.name]
            declared = next((c for c in declared.get("anyOf", []) if "type" in c), declared)
            assert declared["minimum"] == column.low
            if column.high is not None:
                assert declared["maximum"] == column.high


def test_canonical_shots_are_good_requests(synthetic_shots: pl.DataFrame) -> None:
    """Every shot of a valid table can be asked about."""
    from parivision.serving.client import requests_of

    records = requests_of(synthetic_shots)
    assert len(parse(json.dumps({"shots": records}).encode()).shots) == synthetic_shots.height

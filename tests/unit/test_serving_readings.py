"""One reading of whole numbers, days and texts in requests, however the shot comes."""

import asyncio
import codecs
import json
from datetime import date
from typing import Any

import pytest

from parivision.serving import columns, fast_path, lines, outcomes, what_if
from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.serving.requests import Refusal, parse, parse_rows
from parivision.serving.shot import Rows
from request_kinds import WAYS, as_tensors
from scalars import number

WHOLE = ("player_id", "period", "game_id", "event_id", "team_id", "player_attempts", "player_makes")
FLAGS = ("last_shot_own", "last_shot_made")


def taken(facts: dict[str, Any], name: str) -> list[Any]:
    """What each way of asking makes of a fact."""
    tensors = columns.parse(as_tensors(FULL_SHOT, facts)).shots
    assert isinstance(tensors, Rows)
    rows = parse_rows(json.dumps({"shots": [FULL_SHOT, facts]}).encode())
    single: dict[str, Any] = {**parse(json.dumps(facts).encode()).shots[0]}
    assert isinstance(rows, Rows)
    return [single[name], rows.columns[name][1], tensors.columns[name][1]]


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_number_may_have_a_point(name: str) -> None:
    """4.0 is 4, as tables with missing values write it; it is a whole number from then on."""
    for value in taken({**FULL_SHOT, name: float(number(FULL_SHOT[name]))}, name):
        assert value == FULL_SHOT[name]
        assert not isinstance(value, float)


@pytest.mark.parametrize("value", [1, 1.0, True])
@pytest.mark.parametrize("name", FLAGS)
def test_a_flag_may_be_a_number(name: str, value: Any) -> None:
    """1 and 1.0 are true."""
    assert all(each == 1 for each in taken({**FULL_SHOT, name: value}, name))


@pytest.mark.parametrize("value", [4.5, "4", "4.0", True, 1e300, 2.0**63, float("nan"), [4]])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_whole_number_is_refused(way: str, value: Any) -> None:
    """JSON has numbers: what stands in quotes is a text, as it is for decimals."""
    with pytest.raises(Refusal, match="period"):
        WAYS[way]({**FULL_SHOT, "period": value})


@pytest.mark.parametrize(
    "text",
    [
        "2023-01-31",
        "20230131",
        "2023-01-31T00:00:00",
        "2023-01-31 00:00:00",
        "2023-01-31T00:00:00Z",
        "2023-01-31T00:00:00.000Z",
        "2023-01-31 00:00:00+00:00",
        "2023-01-31T00:00:00.000000",
        "2023-01-31T19:30:00",
        "2023-01-31T19:30:00-05:00",
        "2023/01/31",
        "01/31/2023",
    ],
)
def test_a_day_may_have_a_time(text: str) -> None:
    """A day is the day as it is written, with the time that tools add to days."""
    assert taken({**FULL_SHOT, "game_date": text}, "game_date") == [date(2023, 1, 31)] * 3


@pytest.mark.parametrize(
    "text",
    [
        "2023-01-31T03:00:00Z",
        "2023-02-30T00:00:00",
        "31-01-2023",
        "05/11/2023",
        "2023-01-31 noon",
        "25/12/2023",
        "1946-10-31T00:00:00",
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_no_day_is_refused(way: str, text: str) -> None:
    """In UTC an evening's game is on the next day, so that only midnight is taken there."""
    with pytest.raises(Refusal, match="game_date"):
        WAYS[way]({**FULL_SHOT, "game_date": text})


@pytest.mark.parametrize(
    "text", ["Jump\x00Shot", "Jump\nShot", "\x1b[31m", "a\x7f", "a\x85", "a\u2028"]
)
@pytest.mark.parametrize("way", WAYS)
def test_control_characters_are_refused(way: str, text: str) -> None:
    """They are no words of a scorer, and would break the lines of logs."""
    with pytest.raises(Refusal, match=r"action_type.*none of them a control one"):
        WAYS[way]({**FULL_SHOT, "action_type": text})


@pytest.mark.parametrize("text", ["Jump Shot", "Tir en suspension à 3 pts", "ジャンプ", "a\u00a0b"])
def test_other_letters_are_words(text: str) -> None:
    """Scorers write in many languages, and some tools with blanks that do not break."""
    assert taken({**FULL_SHOT, "action_type": text}, "action_type") == [text] * 3


class TestByteOrderMark:
    """A mark before JSON, as editors and PowerShell write it, on every POST route."""

    def test_shots(self) -> None:
        """One shot, a list and columns are read as without it."""
        for shot in (SMALL_SHOT, FULL_SHOT):
            body = json.dumps(shot).encode()
            assert parse(codecs.BOM_UTF8 + body) == parse(body)
            assert parse_rows(codecs.BOM_UTF8 + body) == parse_rows(body)
        many = json.dumps({"shots": [SMALL_SHOT, FULL_SHOT]}).encode()
        assert parse(codecs.BOM_UTF8 + many) == parse(many)
        assert parse_rows(codecs.BOM_UTF8 + many) == parse_rows(many)
        tensors = as_tensors(SMALL_SHOT, SMALL_SHOT)
        assert repr(columns.parse(codecs.BOM_UTF8 + tensors)) == repr(columns.parse(tensors))

    def test_outcomes(self) -> None:
        """Outcomes are read as without it."""
        body = json.dumps({"game_id": 7, "event_id": 1, "made": True}).encode()
        assert outcomes.parse(codecs.BOM_UTF8 + body, 0.0) == outcomes.parse(body, 0.0)

    @pytest.mark.parametrize("size", [1, 2, 1000])
    def test_lines(self, size: int) -> None:
        """A stream may begin with it, however its bytes are cut."""
        line = json.dumps(SMALL_SHOT).encode()
        body = codecs.BOM_UTF8 + line + b"\n" + line
        chunks = [body[start : start + size] for start in range(0, len(body), size)]

        async def read() -> list[list[bytes]]:
            messages = iter([*({"body": chunk, "more_body": True} for chunk in chunks), {}])

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", **next(messages)}

            return [block async for block in lines.blocks(receive)]

        assert asyncio.run(read()) == [[line, line]]

    @pytest.mark.parametrize("body", [codecs.BOM_UTF8, codecs.BOM_UTF8 + b" \n"])
    def test_nothing_behind_it(self, body: bytes) -> None:
        """A mark alone is an empty body."""
        with pytest.raises(Refusal, match="The body is empty"):
            parse(body)

    def test_it_is_no_mark_elsewhere(self) -> None:
        """Two marks, or one within the JSON, are not JSON."""
        line = json.dumps(SMALL_SHOT).encode()
        for body in (codecs.BOM_UTF8 * 2 + line, line + codecs.BOM_UTF8, b"{" + codecs.BOM_UTF8):
            with pytest.raises(Refusal, match="not JSON") as caught:
                parse(body)
            assert caught.value.status == 400


def test_imagined_shots_are_read_alike() -> None:
    """`/explain` and `/what-if` read their bodies as `/predict` does."""
    assert vars(what_if)["parse"] is parse
    assert fast_path.shot(json.dumps({**SMALL_SHOT, "period": 4.0}).encode()) is None

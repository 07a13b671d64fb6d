"""How whole numbers, flags, days and missing values are written, and what each spelling means."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.shots import spellings

DAY = date(2025, 11, 5)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[(text, 12) for text in ("12", "12.0", "12.00", "12.", " 12 ", "+12", "012", "1.2e1")],
        *[(text, 22500003) for text in ("22500003.0", "0022500003", "2.2500003E7", "22,500,003")],
        *[(text, 22500003) for text in ('="0022500003"', "'0022500003", "2.2500003e+07")],
        *[(text, -3) for text in ("-3", "-3.0", "\N{MINUS SIGN}3")],
        *[(text, 0) for text in ("0", "-0", "0.0", "0e0")],
        ("9223372036854775807", 2**63 - 1),
        ("1 610 612 764", 1610612764),
    ],
)
def test_whole_numbers(text: str, number: int) -> None:
    """As databases, data frames and spreadsheets write them."""
    assert spellings.whole(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *("", "abc", "12.5", "1,234", "12,000", "1,2", "1_0", "0x10", "1e400", "NaN", "True"),
        *("2.25E+07", "1E9", "1.25e1", "1,23,456", "12 3", "9223372036854775808", "9" * 5000),
        *("\N{ARABIC-INDIC DIGIT THREE}", "--3", "+", ".", "1.0.0"),
    ],
)
def test_no_whole_numbers(text: str) -> None:
    """Lost digits and a comma of two meanings are not guessed."""
    assert spellings.whole(text) is None


@pytest.mark.parametrize(
    ("texts", "meaning"),
    [
        ("1|1.0|TRUE|True|true|t|T|yes|Y|Made Shot|made_shot|MADE|1e0", 1),
        ("0|0.0|FALSE|False|false|f|F|no|N|Missed Shot|missed|-0", 0),
        ("|2|-1|0.5|perhaps|on|NULL|NA|Shot", None),
    ],
)
def test_flags(texts: str, meaning: int | None) -> None:
    """Of a shot that went in and of one that did not."""
    assert {spellings.flag(text) for text in texts.split("|")} == {meaning}


@pytest.mark.parametrize(
    ("texts", "meaning"),
    [
        ("2|2.0|2PT|2pt|2PT Field Goal|2-Pointer|2 points", 2),
        ("3|3.0|3PT Field Goal|3pt fg|3-point shot", 3),
        ("|1|4|4PT Field Goal|Field Goal|three|NA", None),
    ],
)
def test_points(texts: str, meaning: int | None) -> None:
    """What a shot is worth."""
    assert {spellings.points(text) for text in texts.split("|")} == {meaning}


@pytest.mark.parametrize(
    "text",
    [
        *("2025-11-05", "2025/11/05", "20251105", "20251105.0", " 2025-11-05 "),
        *("2025-11-05 00:00:00", "2025-11-05T00:00:00", "2025-11-05 00:00:00.000000"),
        *("2025-11-05T00:00:00Z", "2025-11-05T00:00:00.000Z", "2025-11-05 00:00:00+00:00"),
        *("2025-11-05 00:00:00 UTC", "2025-11-05 19:30:00", "2025-11-05T19:30:00-05:00"),
        *("11-05-2025", "11/05/2025", "11/5/2025", "11/5/2025 12:00:00 AM"),
        *("NOV 05, 2025", "Nov 5, 2025", "05-Nov-2025", "5 November 2025", "Wed, 5 Nov 2025"),
    ],
)
def test_days(text: str) -> None:
    """Year first, the league's month first, and months by name; a time of day may follow."""
    assert spellings.day(text) == DAY


@pytest.mark.parametrize(
    "text",
    [
        *("", "NaT", "2025-02-30", "2025-13-01", "2025-11", "2025-1105", "251105", "45966"),
        *("05.11.2025", "25/12/2025", "11/05/25", "5 Nov", "Nova 5, 2025", "1762300800"),
        *("2025-11-06T00:30:00Z", "2025-11-06 03:00:00+01:00", "2025-11-05T", "0000-01-01"),
    ],
)
def test_no_days(text: str) -> None:
    """What is none, may be two, or is the next day's in UTC."""
    assert spellings.day(text) is None


def test_missing_values() -> None:
    """NA is missing among words; it is a position too, so no number is."""
    for text in ("", " ", "NULL", "null", "NaN", "-nan", r"\N", "None", "N/A", "#N/A", "<NA>"):
        assert spellings.is_missing(text)
        assert spellings.is_missing_word(text)
    for text in ("NaT", "(null)", "[NULL]", "nil", "undefined", "-", "--", "#REF!", "#DIV/0!"):
        assert spellings.is_missing(text)
    assert spellings.is_missing_word("NA")
    assert not spellings.is_missing("NA")
    for text in ("Nene", "Jump Shot", "0", "Nan Null", "none of these", "N"):
        assert not spellings.is_missing_word(text)


@given(st.text(max_size=30) | st.from_regex(r"[0-9eE+., /:-]{1,20}", fullmatch=True))
def test_any_text_has_a_meaning_or_none(text: str) -> None:
    """Nothing is raised, and what is read is of its kind."""
    number = spellings.whole(text)
    assert number is None or -(2**63) <= number < 2**63
    assert spellings.flag(text) in (None, 0, 1)
    assert spellings.points(text) in (None, 2, 3)
    assert spellings.day(text) is None or isinstance(spellings.day(text), date)


@given(st.integers(-(2**63), 2**63 - 1))
def test_every_number_is_read_as_it_is_written(number: int) -> None:
    """As it is, and as a decimal."""
    assert spellings.whole(str(number)) == spellings.whole(f"{number}.0") == number

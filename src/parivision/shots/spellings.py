"""How tools write whole numbers, flags, days and missing values, and what each spelling means.

One reading of each kind, for cells of files and for values of requests: plain Python, so that the
service can use it without Polars. A caller with a JSON value passes `str(value)` of a number or a
truth value. Every function returns None for a text that is none of its kind.

Spellings are taken where they mean one thing only. `2.25E+07` has lost digits, `1,234` may be one
and a bit, `05.11.2025` may be in May: such texts are refused, so that no fact is made up.
"""

import re
from datetime import date
from types import MappingProxyType
from typing import Final

LARGEST_WHOLE: Final = 2**63 - 1

_MISSING: Final = frozenset(
    {
        *("null", "(null)", "[null]", "<null>", "nil", "none", "undefined", "missing"),
        *("nan", "-nan", "+nan", "nat", "<na>", "n/a", "#n/a", "#na", "n.a.", "\\n"),
        *("#null!", "#value!", "#ref!", "#name?", "#num!", "#div/0!"),
        *("-", "--", "---", "\N{EN DASH}", "\N{EM DASH}"),
    }
)
NOT_AVAILABLE: Final = "na"
"""R's missing value, and a position of the season files: missing in words, refused as a number."""
LONGEST_MISSING: Final = max(map(len, _MISSING))

_SIGNS: Final = str.maketrans({"\N{MINUS SIGN}": "-", "\N{NO-BREAK SPACE}": " "})
_AS_TEXT: Final = re.compile(r"""=\s*"(.*)"|'(.*)""", re.DOTALL)
_WHOLE: Final = re.compile(r"([+-]?\d+)(?:\.0*)?", re.ASCII)
# Two separators at least, and the same: one alone could be a decimal comma.
_GROUPED: Final = re.compile(r"[+-]?\d{1,3}(?:([,' ])\d{3})(?:\1\d{3})+(?:\.0*)?", re.ASCII)
_POWER: Final = re.compile(r"([+-]?)(\d)(?:\.(\d+))?[eE]\+?(\d{1,2})", re.ASCII)

FLAGS: Final = MappingProxyType(
    {
        **dict.fromkeys(("true", "t", "yes", "y", "made", "made shot", "make"), 1),
        **dict.fromkeys(("false", "f", "no", "n", "missed", "missed shot", "miss"), 0),
    }
)
"""Words for a shot that went in and for one that did not, in lower case."""

_POINTS: Final = re.compile(
    r"([23])[ -]?(?:(?:pt|pts|point|points|pointer)\.?)?(?: (?:field goal|fg|shot))?"
)

_ANY_CASE: Final = re.ASCII | re.IGNORECASE
_TIME: Final = (
    r"(?:[T ]+(\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AP]M)?)"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?(?:\d{2})?)?)?"
)
_YEAR_FIRST: Final = re.compile(rf"(\d{{4}})([-/.]?)(\d{{2}})\2(\d{{2}}){_TIME}", _ANY_CASE)
_YEAR_LAST: Final = re.compile(rf"(\d{{1,2}})([-/])(\d{{1,2}})\2(\d{{4}}){_TIME}", _ANY_CASE)
_MONTH_NAMED: Final = re.compile(
    r"(?:[a-z]{3,9}\.?,? )?(?:([a-z]{3,9})\.? (\d{1,2}),?|(\d{1,2})[ -]([a-z]{3,9})\.?,?)"
    rf"[ -](\d{{4}}){_TIME}",
    _ANY_CASE,
)
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_MIDNIGHT: Final = re.compile(r"0?0:00(?::00(?:[.,]0+)?)?")


def is_missing(text: str) -> bool:
    r"""Whether a text stands for a value that is not there: nothing, NULL, NaN, None, \N, N/A, -.

    `NA` does not count: see `is_missing_word`.
    """
    stripped = text.strip()
    return not stripped or (len(stripped) <= LONGEST_MISSING and stripped.lower() in _MISSING)


def is_missing_word(text: str) -> bool:
    """The same for a cell of words (names, actions, zones), where R's `NA` is missing too."""
    return is_missing(text) or text.strip().lower() == NOT_AVAILABLE


def whole(text: str) -> int | None:
    """A whole number of 64 bits: 12, +12, 12.0, 12., 1.2e1, 1,234,567, ="0022500003".

    A power of ten counts only when it shows all digits (2.2500003E7), thousands only when there
    are two separators, since `12,000` is twelve where the comma is decimal.
    """
    text = text.strip().translate(_SIGNS)
    if quoted := _AS_TEXT.fullmatch(text):
        text = (quoted[1] or quoted[2] or "").strip()
    if plain := _WHOLE.fullmatch(text):
        return _of_64_bits(plain[1])
    if grouped := _GROUPED.fullmatch(text):
        return _of_64_bits(text.partition(".")[0].replace(grouped[1], ""))
    if power := _POWER.fullmatch(text):
        sign, first, rest, exponent = power[1], power[2], power[3] or "", int(power[4])
        # All digits must be shown, since 2.25E+07 may have been 22500003; a rest must be zeros.
        digits, beyond = first + rest[:exponent], rest[exponent:]
        if len(digits) == exponent + 1 and not beyond.strip("0"):
            return _of_64_bits(sign + digits)
    return None


def flag(text: str) -> int | None:
    """1 or 0: true and false, t and f, yes and no, y and n, made and missed (shot), 1.0 and 0.0."""
    word = FLAGS.get(" ".join(text.lower().replace("_", " ").split()))
    if word is not None:
        return word
    number = whole(text)
    return number if number in (0, 1) else None


def points(text: str) -> int | None:
    """2 or 3, as in `3PT Field Goal`, `3pt`, `3-Pointer`, `3.0`."""
    parts = _POINTS.fullmatch(" ".join(text.lower().split()))
    if parts:
        return int(parts[1])
    number = whole(text)
    return number if number in (2, 3) else None


def day(text: str) -> date | None:
    """A day of the calendar.

    Year first (2025-11-05, 2025/11/05, 20251105, 20251105.0), month first with the year last as
    the league writes it (11-05-2025, 11/05/2025), or the month by its name (NOV 05, 2025). A time
    of day may follow. One in UTC must be midnight: a game of the evening is on the next day there.
    """
    text = text.strip()
    if text.endswith(".0") and text[:-2].isdigit():
        text = text[:-2]
    if parts := _YEAR_FIRST.fullmatch(text):
        year, _, month, number, clock, zone = parts.groups()
    elif parts := _YEAR_LAST.fullmatch(text):
        month, _, number, year, clock, zone = parts.groups()
    elif parts := _MONTH_NAMED.fullmatch(text):
        before, day_after, day_before, after, year, clock, zone = parts.groups()
        month, number = _month(before or after), day_after or day_before
    else:
        return None
    # An evening in America is after midnight in UTC, so such a moment names the next day.
    if zone and not zone.startswith("-") and not _MIDNIGHT.fullmatch(clock):
        return None
    try:
        return date(int(year), int(month), int(number))
    except ValueError:
        return None


def is_day_first(text: str) -> bool:
    """Whether a text is a date with the day first, as in 25/12/2022: it shows its file's order."""
    parts = _YEAR_LAST.fullmatch(text.strip())
    return parts is not None and int(parts[1]) > len(_MONTHS) >= int(parts[3])


def is_either_first(text: str) -> bool:
    """Whether day and month of a date with the year last could be exchanged, as in 05/11/2022."""
    parts = _YEAR_LAST.fullmatch(text.strip())
    return parts is not None and max(int(parts[1]), int(parts[3])) <= len(_MONTHS)


def _month(word: str) -> str:
    """The number of a month, named by at least three letters; 0 for another word."""
    numbers = [
        number for number, name in enumerate(_MONTHS, 1) if name.startswith(word.lower()[:3])
    ]
    return str(numbers[0]) if numbers and (_is_name(word, _MONTHS[numbers[0] - 1])) else "0"


def _is_name(word: str, month: str) -> bool:
    return word.lower() in (month, month[:3], "sept" if month == "september" else month)


def _of_64_bits(digits: str) -> int | None:
    # A longer text is no number of a game, and Python refuses to convert thousands of digits.
    if len(digits.lstrip("+-0")) > len(str(LARGEST_WHOLE)):
        return None
    number = int(digits)
    return number if -LARGEST_WHOLE - 1 <= number <= LARGEST_WHOLE else None

"""A file of labelled shots as rows of checked values: JSON lines, a JSON list, or CSV.

In JSON a text is no number: `"0.52"` was written by something that took it for a name, and is
refused. In CSV every cell is text, so a number in text is a number there.
"""

import csv
import gzip
import io
import json
import math
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from parivision.errors import DataError
from parivision.shots.court import Zone
from parivision.shots.segments import PERIOD, SEGMENTS, volume_codes
from parivision.verdict.evidence import UNKNOWN

REQUIRED: Final = ("p_champion", "p_challenger", "made")
_WANTED: Final = (
    "expected JSON lines, a JSON list or CSV with the numbers p_champion, p_challenger and made, "
    "and perhaps zone, period and player_volume"
)
_BOM: Final = "\ufeff"
_GZIP: Final = b"\x1f\x8b"
_MARKS: Final = {b"\xef\xbb\xbf": "utf-8", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_DELIMITERS: Final = ",;\t|"
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MISSING: Final = frozenset({"", "null", "none", "na", "n/a", "nan", r"\n"})
_FLAGS: Final = {"true": True, "false": False}
_ZONES: Final = {zone.label: zone - 1 for zone in Zone}
_ZONE_NAMES: Final = ", ".join(_ZONES)


class ReplayedShot(NamedTuple):
    """What both models said, how it ended (0 or 1), and the codes of its segments."""

    p_champion: float
    p_challenger: float
    made: float
    zone: int
    period: int
    volume: int


def of_file(content: bytes) -> Iterator[ReplayedShot]:
    """The shots of a file's content, with or without a byte order mark, gzipped or not.

    Raises DataError, which names line and field, for what is no such shot.
    """
    text = _text(content)
    first = text.lstrip(f"{_BOM} \t\r\n")[:1]
    if first == "[":
        return _of_list(text)
    lines = io.StringIO(text, newline=None)
    return of_lines(lines) if first in {"", "{"} else _of_csv(lines)


def of_lines(lines: Iterable[str]) -> Iterator[ReplayedShot]:
    """The shots of JSON lines; blank ones are passed over."""
    for number, line in enumerate(lines, start=1):
        # Files that were put together have a mark in the middle too.
        if text := line.strip().lstrip(_BOM):
            yield _shot(f"line {number}", _parsed(f"line {number}", text))


def _text(content: bytes) -> str:
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"the gzip file is damaged or cut off ({error})") from error
    encoding = next((e for mark, e in _MARKS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding).removeprefix(_BOM)
    except UnicodeDecodeError as error:
        raise DataError(
            f"the file is no {encoding.upper()} text (byte {error.start}): write it as UTF-8"
        ) from error
    if "\0" in text:
        raise DataError(
            "the file holds zero bytes, as UTF-16 without a byte order mark and binary files do: "
            "write it as UTF-8"
        )
    return text


def _parsed(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where}: {_WANTED}; it is no JSON ({error}): {text[:60]!r}") from error


def _of_list(text: str) -> Iterator[ReplayedShot]:
    for number, row in enumerate(_parsed("the list", text), start=1):
        yield _shot(f"shot {number} of the list", row)


def _of_csv(lines: io.StringIO) -> Iterator[ReplayedShot]:
    header = lines.readline()
    # The names that are needed hold none of these characters, so the commonest one parts them.
    delimiter = max(_DELIMITERS, key=header.count)
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
    if not set(REQUIRED) <= set(names) or len(set(names)) < len(names):
        raise DataError(f"line 1: {_WANTED}; the first line is {header.strip()[:80]!r}")
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for cells in rows:
            # The header was read before the reader began to count.
            where = f"line {rows.line_num + 1}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) < len(names) or any(cell.strip() for cell in cells[len(names) :]):
                raise DataError(f"{where}: expected {len(names)} cells, got {len(cells)}")
            values = zip(names, cells, strict=False)
            yield _shot(where, {name: _of_cell(name, cell.strip()) for name, cell in values})
    except csv.Error as error:
        raise DataError(f"line {rows.line_num + 1}: it is no CSV ({error})") from error


def _of_cell(name: str, cell: str) -> Any:
    """A cell as JSON has it: a number, true or false, null, or else the text."""
    if cell.lower() in _MISSING:
        return None
    if _NUMBER.fullmatch(cell):
        return float(cell)
    return _FLAGS.get(cell.lower(), cell) if name == "made" else cell


def _shot(where: str, row: Any) -> ReplayedShot:
    if not isinstance(row, Mapping):
        raise DataError(f"{where}: {_WANTED}; got {_words(row)}")
    for name in REQUIRED:
        if row.get(name) is None:
            had = "null" if name in row else f"only {', '.join(map(str, row)) or 'nothing'}"
            raise DataError(f"{where}: {name} is missing, got {had}; {_WANTED}")
    return ReplayedShot(*(read(where, name, row.get(name)) for name, read in _READERS.items()))


def _probability(where: str, name: str, value: Any) -> float:
    if not _is_number(value) or not 0 <= value <= 1:
        raise _refused(where, name, "a number from 0 to 1", value)
    return float(value)


def _made(where: str, name: str, value: Any) -> float:
    if not isinstance(value, bool | int | float) or value not in {0, 1}:
        raise _refused(where, name, "0 or 1, or true or false", value)
    return float(value)


def _zone(where: str, name: str, value: Any) -> int:
    if _is_unknown(value):
        return UNKNOWN
    if _is_number(value) and value in {int(zone) for zone in Zone}:
        return int(value) - 1
    if isinstance(value, str) and value.strip().lower() in _ZONES:
        return _ZONES[value.strip().lower()]
    raise _refused(where, name, f"a number from 1 to {len(_ZONES)} or one of {_ZONE_NAMES}", value)


def _period(where: str, name: str, value: Any) -> int:
    if _is_unknown(value):
        return UNKNOWN
    if not _is_number(value) or value < 1 or value % 1:
        raise _refused(where, name, "a whole number from 1 on", value)
    return int(min(value, len(SEGMENTS[PERIOD]))) - 1


def _volume(where: str, name: str, value: Any) -> int:
    if _is_unknown(value):
        return UNKNOWN
    if not _is_number(value) or value < 0:
        raise _refused(where, name, "a count of attempts, from 0 on", value)
    return int(volume_codes(float(value)))


def _is_number(value: Any) -> bool:
    """Whether it is a finite number; JSON's true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of hundreds of digits
        return False


def _is_unknown(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _refused(where: str, name: str, wanted: str, value: Any) -> DataError:
    hint = ""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        hint = f"; a text is no number: write {value.strip()} without quotes"
    elif isinstance(value, str) and value.strip().endswith("%"):
        hint = "; write 0.52 for 52%"
    return DataError(f"{where}, {name}: expected {wanted}, got {_words(value)}{hint}")


def _words(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    kinds = ((str, "the text "), (list, "the list "), (dict, "the object "))
    return next((word for kind, word in kinds if isinstance(value, kind)), "") + f"{value!r:.60}"


_READERS: Final[Mapping[str, Callable[[str, str, Any], Any]]] = {
    "p_champion": _probability,
    "p_challenger": _probability,
    "made": _made,
    "zone": _zone,
    "period": _period,
    "player_volume": _volume,
}
"""By field, in the order of `ReplayedShot`."""

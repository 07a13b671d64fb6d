"""A JSON file as a table of text: answers of the league as nba_api keeps them, and lists of rows.

nba_api's `get_json` writes the answer as it came (`resultSets`, each with headers and rows), its
`get_normalized_json` a list of objects for each set, its `get_dict` of one set headers and data;
pandas' `to_json` writes objects by row or by column. One file may hold several answers, each on a
line of its own or in a list. Of all tables in a file those are read that have a format's columns.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from parivision import strict_json
from parivision.errors import SourceError
from parivision.sources.csv_members import Member, opened
from parivision.sources.format import Format
from parivision.sources.headers import Match, nearest
from parivision.sources.text_table import MOST_TEXT, Block, FaultyLine

MOST_DEPTH: Final = 5
"""As deep a table may lie: a list of answers, their sets, a set, its rows."""
_ROWS: Final = ("rowSet", "data", "rows")
_HEADERS: Final = ("headers", "columns")
_SHORTER: Final = "the row has {came} values, the header has {expected} names"


@dataclass(frozen=True)
class _NamedRows:
    """A table of a document: names, rows of as many values, and rows of more or fewer."""

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]


class JsonTable:
    """A table (`text_table.TextTable`) in a JSON file."""

    has_decimal_commas: Final = False

    def __init__(self, match: Match, tables: Sequence[_NamedRows]) -> None:
        """`tables` are those that have the format of `match`."""
        self._match = match
        self._tables = tables

    @property
    def match(self) -> Match:
        """The format that its columns have."""
        return self._match

    def blocks(self) -> Iterator[Block]:
        """All records, table by table."""
        number = 0
        for table in self._tables:
            width, at = len(table.names), nearest(table.names, [self._match.layout]).at
            whole = [row for row in table.rows if len(row) == width]
            faulty = [
                _faulty(row, number + nth, width)
                for nth, row in enumerate(table.rows, 1)
                if len(row) != width
            ]
            number += len(table.rows)
            cells = {name: [_text(row[index]) for row in whole] for name, index in at.items()}
            yield Block(pl.DataFrame(cells, schema=dict.fromkeys(at, pl.String)), faulty)


def read_json(member: Member, layouts: Iterable[Format]) -> JsonTable:
    """The tables in a JSON file that have the format of the first such one; raises SourceError."""
    tables = list(_tables(_document(member), MOST_DEPTH))
    chosen = list(layouts)
    matches = [nearest(table.names, chosen) for table in tables]
    usable = next((match for match in matches if match.is_usable), None)
    if usable is None:
        raise SourceError(
            f"{member.label} {_problem(tables, matches)}. Check that it is the right file."
        )
    same = [
        table
        for table, match in zip(tables, matches, strict=True)
        if match.is_usable and match.layout is usable.layout
    ]
    return JsonTable(usable, same)


def _problem(tables: Sequence[_NamedRows], matches: Sequence[Match]) -> str:
    if not tables:
        return (
            "is JSON without a table: expected resultSets with headers and rows, or a list of rows"
        )
    least = min(range(len(tables)), key=lambda index: len(matches[index].lacking))
    return matches[least].problem(tables[least].names)


def _document(member: Member) -> Any:
    """What the JSON says; documents one a line are a list of them."""
    with opened(member) as stream:
        content = stream.read()
        text = content.decode(json.detect_encoding(content))
    try:
        return json.loads(text)
    except RecursionError:
        raise SourceError(f"{member.label} is JSON in too many layers to be a table.") from None
    except json.JSONDecodeError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [json.loads(line) for line in lines or [text]]
        except (json.JSONDecodeError, RecursionError):
            raise SourceError(
                f"{member.label} is not JSON ({error}); it may be cut off: fetch it anew."
            ) from error


def _tables(value: Any, depth: int) -> Iterator[_NamedRows]:
    """All tables within a JSON value, from the outside in."""
    if depth < 0:
        return
    if isinstance(value, dict):
        table = _of_headers(value) or _of_columns(value)
        if table is not None:
            yield table
        else:
            for each in value.values():
                yield from _tables(each, depth - 1)
    elif isinstance(value, list) and value:
        rows = [each for each in value if isinstance(each, dict)]
        if len(rows) == len(value) and not any(_is_nested(row) for row in rows):
            yield _of_objects(rows)
        else:
            for each in value:
                yield from _tables(each, depth - 1)


def _of_headers(value: Mapping[str, Any]) -> _NamedRows | None:
    """A table of names and lists of values: a set of the league's, or pandas' `split`."""
    names = next((value[name] for name in _HEADERS if isinstance(value.get(name), list)), None)
    rows = next((value[name] for name in _ROWS if isinstance(value.get(name), list)), None)
    if names is None or rows is None or not all(isinstance(row, list) for row in rows):
        return None
    return _NamedRows([str(name) for name in names], rows)


def _of_columns(value: Mapping[str, Any]) -> _NamedRows | None:
    """A table of objects by row's label, as pandas writes them for each column, or for each row."""
    columns = list(value.values())
    if not columns or not all(isinstance(column, dict) and column for column in columns):
        return None
    if any(_is_nested(column) for column in columns):
        return None
    labels = list(columns[0])
    # Numbers are the labels of rows, each of which holds a shot; else the keys are columns' names.
    if all(label.isdecimal() for label in value):
        return _of_objects(columns)
    rows = [[column.get(label) for column in columns] for label in labels]
    return _NamedRows(list(value), rows)


def _of_objects(rows: Sequence[Mapping[str, Any]]) -> _NamedRows:
    """A table of objects; what one does not name it does not know."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _NamedRows(names, [[row.get(name) for name in names] for row in rows])


def _is_nested(value: Mapping[str, Any]) -> bool:
    return any(isinstance(each, dict | list) for each in value.values())


def _faulty(row: Sequence[Any], number: int, width: int) -> FaultyLine:
    text = strict_json.text(row)[:MOST_TEXT]
    return FaultyLine(number, text, _SHORTER.format(came=len(row), expected=width))


def _text(value: Any) -> str | None:
    """A value as text; null and what is no number are missing."""
    is_missing = value is None or (isinstance(value, float) and math.isnan(value))
    return None if is_missing else str(value)

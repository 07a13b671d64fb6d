"""Telling the records of a CSV text from its faulty lines, one line at a time.

A parser gives up at a row with too few or too many cells, and a quotation mark that is never closed
makes one cell of all the lines behind it. Here a faulty line costs itself only: a line that is a
whole record by itself is one, also behind an open quotation mark.
"""

import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from parivision.errors import SourceError
from parivision.sources.headers import is_header, plain
from parivision.sources.text_table import MOST_TEXT, FaultyLine

MOST_LINES: Final = 100
"""Lines that a cell with line breaks may have."""

CUT_OFF: Final = "the line has {cells} cells, the header has {expected}"
UNCLOSED: Final = "the line has a quotation mark that is not closed"
HEADER_AGAIN: Final = "the header comes again"
NUL: Final = "the line holds a NUL character"
UNDECODABLE: Final = "the line holds bytes that are not {encoding}"
BEFORE_HEADER: Final = "the line comes before the header"

_CHUNK_RECORDS: Final = 5_000


class CsvLines:
    """The lines of a table with these column names; `faulty` collects those that are no records."""

    def __init__(
        self,
        lines: Iterable[str],
        names: Sequence[str],
        *,
        label: str,
        separator: str,
        encoding: str,
        header_line: int = 0,
    ) -> None:
        """`lines` are all of the file's; its header is the one at `header_line`, from 0."""
        self.faulty: list[FaultyLine] = []
        self._lines = enumerate(lines, start=1)
        self._ahead: deque[tuple[int, str]] = deque()
        self._names = names
        self._words = frozenset(plain(name) for name in names) - {""}
        # A header that ends in separators has columns without a name, which rows may leave out.
        self._nameless = len(names) - len(_without_nameless(names))
        self._label = label
        self._separator = separator
        self._encoding = encoding
        self._header_line = header_line

    def chunks(self) -> Iterator[bytes]:
        """The records as CSV in UTF-8, with the same separator, some thousand at a time."""
        self._skip_header()
        held: list[str] = []
        while numbered := self._next():
            record = self._record(*numbered)
            if record is None:
                continue
            held.append(record)
            if len(held) >= _CHUNK_RECORDS:
                yield "".join(held).encode()
                held = []
        yield "".join(held).encode()

    def _next(self) -> tuple[int, str] | None:
        """The next line that is not blank, without its line end."""
        while True:
            numbered = self._ahead.popleft() if self._ahead else next(self._lines, None)
            if numbered is None:
                return None
            number, line = numbered
            if not line.isspace() and line:
                return number, line.removesuffix("\n")

    def _skip_header(self) -> None:
        for _ in range(self._header_line):
            number, line = next(self._lines)
            if line.strip() and "sep=" not in line.lower():
                self._refuse(number, line.removesuffix("\n"), BEFORE_HEADER)
        next(self._lines)

    def _record(self, number: int, line: str) -> str | None:
        """A line's record as CSV; None for a line that is none, which is noted."""
        if problem := self._unusable(line):
            return self._refuse(number, line, problem)
        if '"' in line:
            return self._quoted(number, line)
        cells = line.count(self._separator) + 1
        extra = cells - len(self._names)
        # Empty cells behind the last column are no error: spreadsheets write them.
        if extra > 0 and line.endswith(self._separator * extra):
            line, extra = line[:-extra], 0
        elif 0 < -extra <= self._nameless:
            line, extra = line + self._separator * -extra, 0
        if extra:
            return self._refuse(number, line, self._cut_off(cells))
        # The name of a column begins with no digit, as most records do.
        if not line[0].isdigit() and self._is_header(number, line.split(self._separator)):
            return self._refuse(number, line, HEADER_AGAIN)
        return f"{line}\n"

    def _unusable(self, line: str) -> str:
        if "\0" in line:
            return NUL
        if line.isascii():
            return ""
        is_utf8 = self._encoding.startswith("utf-8")
        if not is_utf8 and "\ufffd" in line:
            return UNDECODABLE.format(encoding=self._encoding.upper())
        if is_utf8 and any("\ud800" <= letter <= "\udfff" for letter in line):
            return UNDECODABLE.format(encoding="UTF-8")
        return ""

    def _quoted(self, number: int, line: str) -> str | None:
        """A record with quotation marks, which may go over several lines."""
        cells, is_open = self._cells(line)
        taken: list[tuple[int, str]] = []
        joined = line
        while is_open and len(taken) < MOST_LINES:
            behind = self._next()
            if behind is None:
                break
            taken.append(behind)
            if self._is_whole(behind[1]):
                break
            joined = f"{joined}\n{behind[1]}"
            cells, is_open = self._cells(joined)
        is_too_long = len(cells) > len(self._names) and any(cells[len(self._names) :])
        # Lines that were taken in vain go back: the open mark costs its own line only.
        if is_open or (taken and len(cells) != len(self._names)):
            self._ahead.extendleft(reversed(taken))
            return self._refuse(number, line, UNCLOSED)
        if is_too_long or len(cells) < len(self._names) - self._nameless:
            return self._refuse(number, line, self._cut_off(len(cells)))
        if self._is_header(number, cells):
            return self._refuse(number, line, HEADER_AGAIN)
        padding = [""] * (len(self._names) - len(cells))
        return _written([*cells[: len(self._names)], *padding], self._separator)

    def _cells(self, text: str) -> tuple[list[str], bool]:
        """The cells of a text, and whether the last one is still open at its end."""
        # The reader asks for a second line only where a quotation mark is open at the first's end.
        was_asked_for_more = False

        def lines() -> Iterator[str]:
            nonlocal was_asked_for_more
            yield text
            was_asked_for_more = True

        try:
            cells = next(csv.reader(lines(), delimiter=self._separator), [])
        except csv.Error:  # a cell longer than the module takes
            return [], True
        return cells, was_asked_for_more

    def _is_whole(self, line: str) -> bool:
        """Whether a line is a record by itself, behind an open quotation mark too."""
        # An odd number leaves one open, whatever stands between them.
        if line.count('"') % 2:
            return False
        cells, is_open = self._cells(line)
        return not is_open and len(cells) == len(self._names)

    def _is_header(self, number: int, cells: Sequence[str]) -> bool:
        if plain(cells[0]) not in self._words or not is_header(cells, self._names):
            return False
        if [plain(cell) for cell in cells] != [plain(name) for name in self._names]:
            raise SourceError(
                f"{self._label} has a second header with other columns in line {number}: "
                "make two files of it."
            )
        return True

    def _cut_off(self, cells: int) -> str:
        return CUT_OFF.format(cells=cells, expected=len(self._names))

    def _refuse(self, number: int, line: str, reason: str) -> str | None:
        """Note a line that is no record, and give none."""
        # Lone surrogates stand for bytes that are no text; neither JSON nor a store takes them.
        shown = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        self.faulty.append(FaultyLine(number, shown[:MOST_TEXT], reason))
        return None


def _without_nameless(names: Sequence[str]) -> Sequence[str]:
    named = [count for count, name in enumerate(names, start=1) if name]
    return names[: max(named, default=0)]


def _written(cells: Sequence[str], separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerow(cells)
    return text.getvalue()

"""How a CSV file is written: its encoding, its separator, and where its header is.

What is sure is taken: UTF-8, UTF-16 with or without a byte order mark, and Windows-1252 where the
letters make sense in it; a comma, semicolon, tab or bar, whichever makes a known header, and what
a first line `sep=;` says. Anything else is a SourceError that names it.

The separator is not guessed from how often a character occurs, as `csv.Sniffer` does: names may
hold commas. Each of the first lines is split by each separator, and the reading that has the
columns of a known format is taken. Where none has, the nearest one makes the message.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from parivision.errors import SourceError
from parivision.sources.csv_members import CHUNK_BYTES, Member, opened
from parivision.sources.format import Format
from parivision.sources.headers import Match, nearest

SEPARATORS: Final = (",", ";", "\t", "|")
HEADER_LINES: Final = 20
"""How far down a header is looked for, below titles and comments."""

_HEADER_CHARACTERS: Final = 1 << 16
_START_BYTES: Final = 1 << 12
_DECLARED: Final = re.compile(r'"?sep=(.)"?,*', re.IGNORECASE)
# UTF-32 before UTF-16, whose mark is the beginning of the other's.
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTAINERS: Final = MappingProxyType(
    {
        b"PK\x03\x04": "a zip or an Excel workbook",
        b"\xd0\xcf\x11\xe0": "an old Excel workbook",
        b"\x1f\x8b": "a gzip file",
        b"PAR1": "a Parquet file",
    }
)
_MULTIBYTE: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}")
# What other code pages look like when read as Windows-1252: c with acute at the end of a name of
# Windows-1250, the Turkish s, signs within words.
_OF_ANOTHER_PAGE: Final = re.compile(
    r"\w*(?:i\u00e6\b|[\u00de\u00fe]|\u00f2\u00ec|[a-z][\u0160\u017d\u0152\u0178]"
    r"|[A-Za-z][\u00aa\u00ba\u00b9\u00b2\u00b3\u00a3\u00a5\u00bc-\u00bf\u00af\u20ac\u201a\u0192"
    r"\u201e\u2020\u2021\u02c6\u2030\u2039\u2022\u02dc\u2122\u203a]|[A-Za-z][\u201c\u201d][a-z])\w*"
)


@dataclass(frozen=True)
class Survey:
    """What one pass over a file shows, in which a compressed one also shows its checksum.

    `is_plain`: UTF-8 without NUL characters and carriage returns of their own, so that a parser of
    bytes sees the lines that everybody sees.
    """

    encoding: str
    has_quotes: bool
    is_plain: bool


@dataclass(frozen=True)
class Dialect:
    """How a file's text is to be read; `header_line` counts from 0."""

    survey: Survey
    separator: str
    header_line: int
    names: Sequence[str]
    match: Match

    @property
    def has_decimal_commas(self) -> bool:
        """Whether a comma can be a decimal one, since it separates no cells."""
        return self.separator != ","


def dialect_of(member: Member, layouts: Iterable[Format]) -> Dialect:
    """How a file is written; raises SourceError when it is no table of shots or cannot be read."""
    survey = _survey(member)
    return _dialect(member, survey, first_lines(member, survey.encoding), tuple(layouts))


def likely_format(member: Member, layouts: Iterable[Format]) -> Format:
    """The format that a file's top tells, without reading on; raises SourceError when it is none.

    For what must be known at once; whether the file can be read is not.
    """
    with opened(member) as stream:
        encoding = _marked(stream.read(_START_BYTES)) or "utf-8-sig"
    survey = Survey(encoding, has_quotes=False, is_plain=False)
    return _dialect(member, survey, first_lines(member, encoding), tuple(layouts)).match.layout


def _dialect(
    member: Member, survey: Survey, lines: Sequence[str], layouts: Sequence[Format]
) -> Dialect:
    if not any(line.strip() for line in lines):
        raise SourceError(
            f"{member.label} is empty: it lacks the columns {list(layouts[0].columns)}. "
            "Fetch it anew."
        )
    best = max(_candidates(survey, lines, layouts), key=_fitness)
    if _has_row_names(best, lines):
        names = ["", *best.names]
        best = replace(best, names=names, match=nearest(names, layouts))
    if not best.match.is_usable:
        raise SourceError(
            f"{member.label} {best.match.problem(best.names)}. {_hint(best)}"
            "Check that it is the right file."
        )
    return best


@contextmanager
def text_of(member: Member, encoding: str) -> Iterator[io.TextIOWrapper]:
    """A file's text with every kind of line end as a line feed.

    Bytes that are no UTF-8 come as lone surrogates, what is no text of another encoding as U+FFFD.
    """
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    with (
        opened(member) as stream,
        io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline=None) as text,
    ):
        yield text


def first_lines(member: Member, encoding: str) -> list[str]:
    """The lines at a file's top, among which its header is."""
    with text_of(member, encoding) as text:
        return text.read(_HEADER_CHARACTERS).split("\n")[:HEADER_LINES]


def split(line: str, separator: str) -> list[str]:
    """The cells of a line; of a text that is none, what is there, as one cell."""
    try:
        return [cell.strip() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return [line]


def _candidates(
    survey: Survey, lines: Sequence[str], layouts: Sequence[Format]
) -> Iterator[Dialect]:
    """The ways of reading the first lines as a header, up to the first that makes a table."""
    separators: Sequence[str] = SEPARATORS
    for number, line in enumerate(lines):
        if declared := _DECLARED.fullmatch(line.strip("\ufeff \r\n")):
            separators = declared[1]
            continue
        for separator in separators if line.strip() else ():
            names = split(line, separator)
            match = nearest(names, layouts)
            yield Dialect(survey, separator, number, names, match)
            if match.is_usable:
                return


def _fitness(candidate: Dialect) -> tuple[bool, int, int, int]:
    # Most known columns win; of equals the reading with more cells, then the line further up.
    match = candidate.match
    return match.is_usable, len(match.at), len(candidate.names), -candidate.header_line


def _has_row_names(candidate: Dialect, lines: Sequence[str]) -> bool:
    """Whether rows begin with a number that the header does not name, as R writes them."""
    # Without the last one, which the end of what was read may have cut.
    rows = [
        split(line, candidate.separator)
        for line in lines[candidate.header_line + 1 :]
        if line.strip()
    ][:-1]
    width = len(candidate.names) + 1
    return bool(rows) and all(
        len(row) == width and row[0] == str(number) and row[-1]
        # R counts from 1, pandas from 0.
        for number, row in enumerate(rows, start=int(rows[0][0] == "1"))
    )


def _hint(candidate: Dialect) -> str:
    """Why a header may not have been understood."""
    names = candidate.names
    if len(names) == 1 and not candidate.match.at:
        return "Its lines have no separator that is known (comma, semicolon, tab or bar). "
    if not candidate.match.at and any(name.replace(".", "").isdigit() for name in names):
        return "Its first line seems to be a record: give it the line of column names. "
    return ""


def _survey(member: Member) -> Survey:
    """Read a file to its end once."""
    quotes = nul = lone_return = multibyte = False
    is_utf8, last = True, b""
    decoder = codecs.getincrementaldecoder("utf-8")()
    start = b""
    _refuse_containers(member)
    with opened(member) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            start = start or chunk[:_START_BYTES]
            quotes = quotes or b'"' in chunk
            nul = nul or b"\0" in chunk
            lone_return = lone_return or _has_lone_return(last, chunk)
            # A character of several bytes may be cut by the chunk's end: then the decoder holds its
            # beginning, and the next chunk must be decoded even if all of it is ASCII.
            if not chunk.isascii() or decoder.getstate()[0]:
                multibyte = multibyte or _MULTIBYTE.search(chunk) is not None
                is_utf8 = is_utf8 and _decodes(decoder, chunk)
            last = chunk[-1:]
    lone_return = lone_return or last == b"\r"
    is_utf8 = is_utf8 and not decoder.getstate()[0]
    # A file with some characters of UTF-8 is meant as UTF-8: its faulty lines are told one by one.
    encoding = _marked(start) or ("utf-8-sig" if is_utf8 or multibyte else _eight_bit(member))
    is_plain = is_utf8 and encoding == "utf-8-sig" and not nul and not lone_return
    return Survey(encoding, quotes, is_plain)


def _refuse_containers(member: Member) -> None:
    """Raise SourceError for a file that only has the name of a text."""
    with opened(member) as stream:
        start = stream.read(len(max(_CONTAINERS, key=len)))
    kind = next((kind for mark, kind in _CONTAINERS.items() if start.startswith(mark)), None)
    if kind:
        raise SourceError(
            f"{member.label} is {kind}, not text: give it the ending of its kind, or save it as a "
            "CSV file."
        )


def _has_lone_return(before: bytes, chunk: bytes) -> bool:
    if before == b"\r" and not chunk.startswith(b"\n"):
        return True
    return b"\r" in chunk and chunk.count(b"\r") - chunk.endswith(b"\r") != chunk.count(b"\r\n")


def _decodes(decoder: codecs.IncrementalDecoder, chunk: bytes) -> bool:
    try:
        decoder.decode(chunk)
    except UnicodeDecodeError:
        return False
    return True


def _marked(start: bytes) -> str | None:
    """The encoding that a byte order mark tells, or the zeros of UTF-16 without one."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    # Of the two bytes of a Latin letter in UTF-16, the higher one is zero.
    pairs = len(start) // 2
    if pairs and start[1::2].count(0) > 0.8 * pairs and not start[::2].count(0):
        return "utf-16-le"
    if pairs and start[::2].count(0) > 0.8 * pairs and not start[1::2].count(0):
        return "utf-16-be"
    return None


def _eight_bit(member: Member) -> str:
    """Windows-1252, where a text that is no UTF-8 makes sense in it; raises SourceError."""
    with text_of(member, "cp1252") as text:
        for line in text:
            if line.isascii():
                continue
            strange = _OF_ANOTHER_PAGE.search(line)
            if "\ufffd" in line or strange:
                shown = strange[0] if strange else line.strip()[:60]
                raise SourceError(
                    f"{member.label} is not UTF-8 or UTF-16, and not Windows-1252 either, in which "
                    f"it has {shown!r}: save it as UTF-8."
                )
    return "cp1252"

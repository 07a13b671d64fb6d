"""What a file's table is to the source that reads it: named columns of text, block by block.

A container other than CSV (`parivision.sources.csv_files.CONTAINERS`) is a function that makes one
of these of a member.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import polars as pl

from parivision.sources.headers import Match

MOST_TEXT: Final = 2_000
"""Characters of a faulty line that are kept."""


@dataclass(frozen=True)
class FaultyLine:
    """A line of a file that is no record: its number (the file's first is 1), text and problem."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class Block:
    """Records, all text, and the faulty lines met since the block before."""

    cells: pl.DataFrame
    faulty: Sequence[FaultyLine] = ()


class TextTable(Protocol):
    """A table whose cells are text."""

    @property
    def match(self) -> Match:
        """The format that its columns have; it is usable."""
        ...

    @property
    def has_decimal_commas(self) -> bool:
        """Whether a comma in a number is a decimal one."""
        ...

    def blocks(self) -> Iterator[Block]:
        """All records in their order, with the columns of `match.at` under the format's names."""
        ...

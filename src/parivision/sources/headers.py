"""Which format a table has, seen from the names of its columns.

Names are compared without case, blanks, dots, hyphens and underscores, so that `game_id` and
`GAME.ID` are Game ID. A table is of the format of whose needed columns it lacks the least.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from parivision.sources.format import Format, lacking

MOST_NAMES_SHOWN: Final = 40


@dataclass(frozen=True)
class Match:
    """The nearest format: where its columns are in the table, and what is wrong with it.

    `at` has the places of the format's columns that are there; `lacking` names what is needed and
    not there, `doubled` what is there more than once.
    """

    layout: Format
    at: Mapping[str, int]
    lacking: Sequence[str]
    doubled: Sequence[str]

    @property
    def is_usable(self) -> bool:
        """Whether shots can be made of the table."""
        return not self.lacking and not self.doubled

    def problem(self, names: Sequence[str]) -> str:
        """What is wrong with a table that has these columns, in a part of a sentence."""
        shown = list(names)[:MOST_NAMES_SHOWN]
        if not self.at:
            return f"lacks the columns of every known format; it has {shown}"
        if self.lacking:
            return (
                f"lacks the columns {list(self.lacking)} of {self.layout.name}, the nearest "
                f"format; it has {shown}"
            )
        return f"has {list(self.doubled)} more than once; it has {shown}"


def nearest(names: Sequence[str], layouts: Iterable[Format]) -> Match:
    """The format that a table with these column names has, or is nearest to."""
    matches = [_match(names, layout) for layout in layouts]
    return max(matches, key=_nearness)


def plain(name: str) -> str:
    """A column's name as it is compared: letters and digits in lower case."""
    return "".join(letter for letter in name.casefold() if letter.isalnum())


def _match(names: Sequence[str], layout: Format) -> Match:
    indexes = {name: _indexes(name, names) for name in layout.columns}
    at = {name: matching[0] for name, matching in indexes.items() if matching}
    doubled = [name for name, matching in indexes.items() if len(matching) > 1]
    return Match(layout, at, lacking(at.keys(), layout.needs), doubled)


def _indexes(name: str, names: Sequence[str]) -> Sequence[int]:
    """Where a column is: by its very name, else by one that is spelled otherwise."""
    exact = [index for index, other in enumerate(names) if other.strip() == name]
    # A table may have both `Game ID` and `game_id`: the very name then wins, and nothing is
    # doubled.
    return exact or [index for index, other in enumerate(names) if plain(other) == plain(name)]


def _nearness(match: Match) -> tuple[bool, float, int]:
    # By share, not by number: formats need different numbers of columns.
    share = 1 - len(match.lacking) / max(1, len(match.layout.needs))
    return match.is_usable, share, len(match.at)


def is_header(cells: Sequence[str], header: Collection[str]) -> bool:
    """Whether most cells of a line are names of the header."""
    words = {plain(name) for name in header} - {""}
    known = sum(plain(cell) in words for cell in cells)
    return known > len(cells) / 2

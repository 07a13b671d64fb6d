"""Lines of a log: a record each, or a block of the predictions of one request with many shots.

A block has a column for each fact: a record for each shot would cost its writer more than answering
it does. Readers get the same records from both.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import pydantic_core

Record = dict[str, Any]
"""Plain JSON values."""
Columns = Mapping[str, Sequence[Any]]

BLOCK_RECORDS: Final = 4_000
"""At most so many predictions a block: some 500 KB."""
_BLOCK: Final = "block"
TRACE: Final = ("request_id", "traceparent")
"""What a record may say of what others call its request."""


class Entry(NamedTuple):
    """What is logged together: its lines, how many records they are, and the games they name."""

    text: bytes
    size: int = 1
    games: Collection[int] = ()


def line(record: Record) -> bytes:
    """A record as a line of JSON."""
    return pydantic_core.to_json(record, inf_nan_mode="null") + b"\n"


def blocks(
    id_: str,
    at: str,
    facts: Columns,
    p_made: Sequence[float],
    trace: Mapping[str, str] = MappingProxyType({}),
) -> list[Entry]:
    """The predictions of a request with many shots.

    A column may be an array; in others None stands for what is not known. `trace` is what others
    call the request, and holds for each of its records.
    """
    entries = []
    for first in range(0, len(p_made), BLOCK_RECORDS):
        rows = slice(first, first + BLOCK_RECORDS)
        answers = p_made[rows]
        known = {name: _plain(column[rows]) for name, column in facts.items()}
        block = {_BLOCK: id_, "first": first, "at": at, "p_made": answers, "facts": known, **trace}
        games = {*known.get("game_id", ())} - {None}
        entries.append(Entry(msgspec.json.encode(block) + b"\n", len(answers), games))
    return entries


def records(lines: Iterable[bytes]) -> Iterator[Record]:
    """The records of lines; raises ValueError, LookupError or TypeError for anything else."""
    for each in map(pydantic_core.from_json, lines):
        if _BLOCK in each:
            yield from _of_block(each)
        else:
            yield each


def shot_ids(request_id: str, first: int, size: int) -> list[str]:
    """Ids of shots of a request with many: its own, and their places in it behind."""
    return [f"{request_id}-{row}" for row in range(first, first + size)]


def _plain(column: Sequence[Any]) -> Sequence[Any]:
    return column.tolist() if isinstance(column, np.ndarray) else column


def _of_block(block: Record) -> Iterator[Record]:
    p_made, facts = block["p_made"], block["facts"]
    ids = shot_ids(block[_BLOCK], block["first"], len(p_made))
    trace: Record = {name: block[name] for name in TRACE if name in block}
    for id_, p, values in zip(ids, p_made, zip(*facts.values(), strict=True), strict=True):
        known = {
            name: value for name, value in zip(facts, values, strict=True) if value is not None
        }
        yield {"id": id_, "at": block["at"], "p_made": p, "facts": known, **trace}

"""The synthetic league as a source of feed records, so that it comes in by the common door."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from parivision.errors import SourceError
from parivision.sources import feed22
from parivision.sources.base import Batch
from parivision.sources.scope import season_scope
from parivision.sources.synthetic.config import SyntheticConfig
from parivision.sources.synthetic.shots import generate_seasons, season_size

BATCH_ROWS: Final = 50_000
_CURSOR: Final = re.compile(r"(\d{4}):(\d{1,9})")


class SyntheticSource:
    """Feed records of a synthetic league, in the order of play.

    A cursor is `season:row`, so it stays right when the league plays on for further seasons, and
    when a drift is switched on: the records behind it are then the drifted ones.
    """

    format: Final = feed22.FORMAT.name

    def __init__(self, config: SyntheticConfig, batch_rows: int = BATCH_ROWS) -> None:
        """`batch_rows` bounds the records of a batch."""
        self.config = config
        self.name = f"synthetic:{league_id(config)}:{season_scope(config.seasons)}"
        self._batch_rows = batch_rows

    def batches(self, after: str | None = None) -> Iterator[Batch]:
        """Batches from the cursor on; raises SourceError for a cursor of another kind."""
        season, row = self._position(after)
        for later in self.config.seasons:
            if later >= season:
                yield from self._season(later, row if later == season else 0)

    def _season(self, season: int, row: int) -> Iterator[Batch]:
        # One season at a time: each depends on its seed and year alone, and one fits the memory.
        only = replace(self.config, seasons=(season,))
        if row >= season_size(only, season):
            return
        records = feed22.records_from_shots(next(generate_seasons(only)))
        for start in range(row, records.height, self._batch_rows):
            batch = records.slice(start, self._batch_rows)
            yield Batch(records=batch, cursor=f"{season}:{start + batch.height}")

    def _position(self, after: str | None) -> tuple[int, int]:
        if after is None:
            return self.config.seasons[0], 0
        parts = _CURSOR.fullmatch(after)
        if not parts:
            raise SourceError(
                f"{self.name}: the cursor is {after!r}; expected one like '2023:1500' from an "
                "earlier batch. Start without a cursor to read everything again."
            )
        return int(parts[1]), int(parts[2])


def league_id(config: SyntheticConfig) -> str:
    """Short name of a league: equal for configs that differ in nothing but seasons and drift."""
    facts = (config.seed, config.games_a_season, config.shots_scale, config.facts_of)
    return hashlib.blake2b(repr(facts).encode(), digest_size=4).hexdigest()

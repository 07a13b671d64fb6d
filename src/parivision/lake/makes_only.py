"""Games of which only the makes are there: they teach a model that shots go in.

nba_api's shot chart asks for makes unless it is told otherwise, so files of makes only are common.
A whole game has some 90 misses (55 at least in 21,533 games of 2004 to 2023): a game without one is
never whole. But a file of one player's shots has games in which he missed nothing, rightly. So a
game without a miss is left out, unless it is short and the other games of its players show that
their misses are there too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

CERTAIN_SHOTS: Final = 13
"""So many shots without a miss are makes only. In 92,884 games in which one player of 2004 to 2023
took 13 or more, none of them missed nothing; of 111,582 with 12 or more, five did."""
P_MADE_AT_MOST: Final = 0.65
"""What a shot goes in with, at most, on the average of a player's season. With it n shots without a
miss are expected once in 1 / 0.65**n games."""
DEVIATIONS: Final = 3.0
"""A player's season may have so many standard deviations more games without a miss than expected.

With these numbers, each of the 8,616 seasons of a player of 2004 to 2023 taken as a file of its
own: 31 have games that are left out wrongly, 206 of 3,576,222 shots. If half of a player's games
come as makes only, 93 of 100 of their shots are left out.
"""
ASK_AGAIN: Final = (
    "nba_api asks for makes only unless it is told context_measure_simple='FGA': fetch them so."
)

_PLAYER: Final = ("season", "player_id")


@dataclass(frozen=True)
class Doubted:
    """Games without a single miss: all of them, and those that are kept out of training.

    `left_out` holds the game ids of the latter; `shots_left_out` counts their shots.
    """

    games: int
    left_out: pl.Series
    shots_left_out: int

    @property
    def sentence(self) -> str:
        """A sentence for people, empty where no game is doubted."""
        if not self.games:
            return ""
        return (
            f"{self.games:,} games have no miss; {len(self.left_out):,} of them "
            f"({self.shots_left_out:,} shots) are kept out of training until their misses are "
            f"there: {ASK_AGAIN}"
        )


def misses(game_id: pl.Series, made: pl.Series) -> pl.DataFrame:
    """How many misses a part of a source has, by game; what tells neither is left out."""
    shots = pl.DataFrame({"game_id": game_id, "misses": made == 0}).drop_nulls()
    return shots.group_by("game_id").agg(pl.col("misses").sum())


def without_miss(parts: Sequence[pl.DataFrame]) -> int:
    """How many games have no miss in any of the parts, which `misses` gave."""
    if not parts:
        return 0
    games = pl.concat(parts).group_by("game_id").agg(pl.col("misses").sum())
    return games.filter(misses=0).height


def sentence_on_source(games: int) -> str:
    """A sentence on so many games without a miss in a source."""
    return (
        f"{games:,} games came without a single miss: such games are kept out of training until "
        f"their misses are there. {ASK_AGAIN}"
    )


def doubted(shots: pl.DataFrame) -> Doubted:
    """The games of canonical shots that have no miss, and which of them are makes only.

    A game is left out if it has CERTAIN_SHOTS or more, or if one of its players has, in that
    season, no miss at all or more games without one than chance gives.
    """
    missed = (pl.col("made") == 0).sum()
    games = shots.group_by("game_id").agg(shots=pl.len(), misses=missed).filter(misses=0)
    short = games.filter(pl.col("shots") < CERTAIN_SHOTS)
    credible = _credible(shots, short["game_id"]) if short.height else short["game_id"]
    left_out = games.filter(~pl.col("game_id").is_in(credible.implode())).sort("game_id")
    return Doubted(games.height, left_out["game_id"], int(left_out["shots"].sum()))


def _credible(shots: pl.DataFrame, short: pl.Series) -> pl.Series:
    """Those of the short games without a miss that chance gives to each of their players."""
    of_short = shots.filter(pl.col("game_id").is_in(short.implode()))
    players = of_short.select(_PLAYER).unique()
    played = (
        shots.join(players, on=_PLAYER, how="semi")
        .group_by(*_PLAYER, "game_id")
        .agg(p_none=P_MADE_AT_MOST ** pl.len(), misses=(pl.col("made") == 0).sum())
    )
    p, has_none = pl.col("p_none"), pl.col("misses") == 0
    # If misses are there, a player's games without one are a sum of independent events of the
    # chances p: its mean is their sum, its variance the sum of p (1 - p).
    most = p.sum() + DEVIATIONS * (p * (1 - p)).sum().sqrt()
    usual = played.group_by(_PLAYER).agg(
        is_usual=(pl.col("misses").sum() > 0) & (has_none.sum() <= most)
    )
    judged = of_short.join(usual, on=_PLAYER).group_by("game_id").agg(pl.col("is_usual").all())
    return judged.filter("is_usual")["game_id"]

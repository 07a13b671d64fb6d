"""From the table of shots to facts: vectorised, with the state of the game before each shot."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from parivision.features.kernel import GAME
from parivision.shots import league
from parivision.shots.facts import NO_ACTION, Facts, Floats, Ints, normal_action
from parivision.shots.game_clock import elapsed_s

_ROWS: Final = 100_000
"""Rows that are looked at together: what that needs is little, and stays in the cache."""
ORDER = ("game_date", "game_id", "period", "clock_s", "event_id")
# The clock runs down.
_FALLING: Final = frozenset(("clock_s",))
_ABOVE: Final = " of the row above"


def in_time_order(shots: pl.DataFrame) -> pl.DataFrame:
    """Shots sorted by day, game and game clock; ties by event id, so the order is total."""
    # Most tables are in order already, and to sort one needs three times its memory.
    starts = range(0, len(shots), _ROWS)
    # Each block with the first row of the next one.
    if all(_is_in_time_order(shots[start : start + _ROWS + 1]) for start in starts):
        return shots
    return shots.sort(ORDER, descending=[name in _FALLING for name in ORDER])


def _is_in_time_order(shots: pl.DataFrame) -> bool:
    """Whether no row belongs before the one above it."""
    above = shots[:-1].select(pl.col(ORDER).name.suffix(_ABOVE))
    is_in_order = pl.lit(value=True)
    for name in reversed(ORDER):
        first, second = pl.col(name + _ABOVE), pl.col(name)
        if name in _FALLING:
            first, second = second, first
        is_in_order = (first < second) | ((first == second) & is_in_order)
    pairs = pl.concat([above, shots[1:].select(ORDER)], how="horizontal")
    return bool(pairs.select(is_in_order.all()).item())


def shooters(shots: pl.DataFrame, most: int = 600) -> list[dict[str, Any]]:
    """The `most` players with the most shots in the newest season: id, name, team and attempts.

    Name and team are those of the newest shot; a player without a name is "player ID".
    """
    newest = shots.filter(pl.col("season") == pl.col("season").max()).sort(ORDER)
    table = newest.group_by("player_id").agg(
        pl.col("player_name").last(), pl.col("team_id").last(), attempts=pl.len()
    )
    most_active = table.sort(["attempts", "player_id"], descending=[True, False]).head(most)
    return [
        {
            "player_id": row["player_id"],
            "name": row["player_name"] or f"player {row['player_id']}",
            "team_id": row["team_id"],
            "attempts": row["attempts"],
        }
        for row in most_active.iter_rows(named=True)
    ]


def made_array(shots: pl.DataFrame) -> Floats:
    """The label, shape (n,): 1.0 for a shot that went in."""
    return shots["made"].cast(pl.Float64).to_numpy()


def facts_from_shots(shots: pl.DataFrame) -> Facts:
    """Facts of canonical shots, in the table's order; see `in_time_order`.

    The state of the game comes from the shots of the same game in the same table that were taken
    at an earlier second: whole games should be passed.
    """
    actions, action = _action_codes(shots["action_type"])
    home, away = (_franchise(shots[name]) for name in ("home_team", "away_team"))
    team = shots["team_id"].to_numpy()
    at_home, visiting = team == home, team == away
    known = at_home | visiting
    # A shot's team may be neither of the game's two where a lake is older than the common spelling.
    opponent = np.where(at_home, away, home)
    before = _before(shots)
    return Facts(
        day=shots["game_date"].cast(pl.Int32).cast(pl.Int64).to_numpy(),
        player_id=shots["player_id"].to_numpy(),
        team_id=team,
        opponent_id=np.where(known, opponent, league.UNKNOWN_TEAM).astype(np.int64),
        is_home=np.where(known & (opponent != league.UNKNOWN_TEAM), at_home.astype(float), np.nan),
        period=_ints(shots["period"]),
        clock_s=_floats(shots["clock_s"]),
        x_ft=_floats(shots["x_ft"]),
        y_ft=_floats(shots["y_ft"]),
        shot_value=_ints(shots["shot_value"]),
        action=action,
        actions=actions,
        **before,
    )


def _action_codes(words: pl.Series) -> tuple[tuple[str, ...], Ints]:
    """Distinct normalised actions, sorted, and each row's index into them or NO_ACTION."""
    spellings = words.drop_nulls().unique().to_list()
    normal = [normal_action(text) for text in spellings]
    actions = tuple(sorted({text for text in normal if text}))
    code = {text: index for index, text in enumerate(actions)}
    codes = [code.get(text, NO_ACTION) for text in normal]
    return actions, _coded(words, dict(zip(spellings, codes, strict=True)), NO_ACTION)


def _franchise(abbreviations: pl.Series) -> Ints:
    """Franchise ids; UNKNOWN_TEAM for abbreviations of a lake older than the common spelling."""
    known = {name: league.franchise(name) for name in abbreviations.drop_nulls().unique()}
    return _coded(abbreviations, known, league.UNKNOWN_TEAM)


def _coded(texts: pl.Series, known: Mapping[str, int], default: int) -> Ints:
    """The number of each text, `default` for others and where there is none."""
    out = np.empty(len(texts), np.int64)
    for start in range(0, len(texts), _ROWS):
        some = texts[start : start + _ROWS]
        codes = some.replace_strict(known, default=default, return_dtype=pl.Int64)
        out[start : start + _ROWS] = codes.fill_null(default).to_numpy()
    return out


def _floats(column: pl.Series) -> NDArray[np.float64]:
    numbers = column.cast(pl.Float64)
    # A column without gaps is passed on as it is, without a copy.
    return (numbers.fill_null(float("nan")) if numbers.null_count() else numbers).to_numpy()


def _ints(column: pl.Series) -> NDArray[np.int64]:
    return column.cast(pl.Int64).to_numpy()


def _before(shots: pl.DataFrame) -> dict[str, Floats]:
    """What had happened in the game before each shot, in the table's order: `GAME`, each (n,)."""
    at_s = _elapsed(shots)
    game, player, team, made = (
        shots[name].to_numpy() for name in ("game_id", "player_id", "team_id", "made")
    )
    # Stable: shots of one second stay as the table has them.
    order = np.lexsort((at_s, game))
    out = {name: np.empty(len(order)) for name in GAME}
    for rows in _some_games(order, game):
        found = _within_games(game[rows], at_s[rows], player[rows], team[rows], made[rows])
        for name, values in zip(GAME, found, strict=True):
            out[name][rows] = values
    return out


def _elapsed(shots: pl.DataFrame) -> Floats:
    """Seconds played when each shot was taken."""
    out = np.empty(len(shots))
    for start in range(0, len(shots), _ROWS):
        some = shots[start : start + _ROWS]
        out[start : start + _ROWS] = elapsed_s(_ints(some["period"]), _floats(some["clock_s"]))
    return out


def _some_games(order: Ints, game: Ints) -> Iterator[Ints]:
    """Rows in their order, some at a time, and never a part of a game."""
    ends = np.append(np.flatnonzero(np.diff(game[order])) + 1, len(order))
    start = 0
    while start < len(order):
        stop = int(ends[min(int(np.searchsorted(ends, start + _ROWS)), len(ends) - 1)])
        yield order[start:stop]
        start = stop


def _within_games(
    game: Ints, at_s: Floats, player: Ints, team: Ints, made: Ints
) -> tuple[Floats, ...]:
    """`GAME` of whole games' shots, which are sorted by game and second.

    Shots of the same second do not see each other: their order is not recorded. So the game is
    summed up by second, and a shot is given the sum of the seconds before its own. Of several shots
    in the second before, the last one is the one that the table has last.
    """
    last = _run_starts(game, at_s) - 1
    is_known = (last >= 0) & (game[last] == game)
    by_player = np.lexsort((player, game))
    of_player = game[by_player], player[by_player]
    first = _run_starts(*of_player)
    first_of_second = _run_starts(*of_player, at_s[by_player])
    makes = np.append(0, np.cumsum(made[by_player], dtype=np.int64))
    attempts_before, makes_before = np.empty(len(game)), np.empty(len(game))
    attempts_before[by_player] = first_of_second - first
    makes_before[by_player] = makes[first_of_second] - makes[first]
    return (
        np.where(is_known, at_s - at_s[last], np.nan),
        np.where(is_known, team == team[last], np.nan),
        np.where(is_known, made[last], np.nan),
        attempts_before,
        makes_before,
    )


def _run_starts(*columns: NDArray[Any]) -> Ints:
    """For each row the first row of its run: rows one after the other that agree in all columns."""
    is_first = np.ones(len(columns[0]), np.bool_)
    is_first[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return np.maximum.accumulate(np.where(is_first, np.arange(len(is_first)), 0))

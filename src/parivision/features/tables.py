"""From the table of shots to facts: vectorised, with the state of the game before each shot."""

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from parivision.features.matrix import elapsed_s
from parivision.shots import league
from parivision.shots.facts import NO_ACTION, Facts, Floats, Ints, normal_action

ORDER = ("game_date", "game_id", "period", "clock_s", "event_id")


def in_time_order(shots: pl.DataFrame) -> pl.DataFrame:
    """Shots sorted by day, game and game clock; ties by event id, so the order is total."""
    # The clock runs down.
    descending = [name == "clock_s" for name in ORDER]
    return shots.sort(ORDER, descending=descending)


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
        **{name: _floats(before[name]) for name in before.columns},
    )


def _action_codes(words: pl.Series) -> tuple[tuple[str, ...], Ints]:
    """Distinct normalised actions, sorted, and each row's index into them or NO_ACTION."""
    spellings = words.drop_nulls().unique().to_list()
    normal = [normal_action(text) for text in spellings]
    actions = tuple(sorted({text for text in normal if text}))
    code = {text: index for index, text in enumerate(actions)}
    codes = words.replace_strict(
        spellings,
        [code.get(text, NO_ACTION) for text in normal],
        default=NO_ACTION,
        return_dtype=pl.Int64,
    )
    return actions, codes.fill_null(NO_ACTION).to_numpy()


def _franchise(abbreviations: pl.Series) -> Ints:
    """Franchise ids; UNKNOWN_TEAM for abbreviations of a lake older than the common spelling."""
    known = {name: league.franchise(name) for name in abbreviations.drop_nulls().unique()}
    return abbreviations.replace_strict(
        known, default=league.UNKNOWN_TEAM, return_dtype=pl.Int64
    ).to_numpy()


def _floats(column: pl.Series) -> NDArray[np.float64]:
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _ints(column: pl.Series) -> NDArray[np.int64]:
    return column.cast(pl.Int64).to_numpy()


def _before(shots: pl.DataFrame) -> pl.DataFrame:
    """What had happened in the game before each shot, row by row in the table's order.

    Shots of the same second do not see each other: their order is not recorded. So the game is
    summed up by second, and a shot is given the sum of the seconds before its own.
    """
    rows = shots.select(
        pl.int_range(pl.len()).alias("row"),
        "game_id",
        "player_id",
        "team_id",
        "made",
        pl.Series("at_s", elapsed_s(_ints(shots["period"]), _floats(shots["clock_s"]))),
    )
    joined = (
        rows.join(_last_shots(rows), on=["game_id", "at_s"], how="left")
        .join(_own_counts(rows), on=["game_id", "player_id", "at_s"], how="left")
        .sort("row")  # a join promises no order
    )
    return joined.select(
        (pl.col("at_s") - pl.col("last_at_s")).alias("since_last_shot_s"),
        (pl.col("team_id") == pl.col("last_team")).cast(pl.Float64).alias("last_shot_own"),
        pl.col("last_made").alias("last_shot_made"),
        "player_attempts",
        "player_makes",
    )


def _last_shots(rows: pl.DataFrame) -> pl.DataFrame:
    """For each second of a game in which somebody shot: the last shot of an earlier second.

    Of several shots in that earlier second it is the one that the table has last.
    """
    in_second = {"last_team": "team_id", "last_made": "made"}
    return (
        rows.group_by("game_id", "at_s")
        .agg(pl.col(of).sort_by("row").last().alias(name) for name, of in in_second.items())
        .sort("game_id", "at_s")
        .with_columns(last_at_s="at_s")
        .with_columns(pl.col("last_at_s", *in_second).shift(1).over("game_id"))
    )


def _own_counts(rows: pl.DataFrame) -> pl.DataFrame:
    """For each second in which a player shot: attempts and makes of that game's earlier seconds."""
    of_player = ("game_id", "player_id")
    counts = {
        "player_attempts": pl.len().cast(pl.Int64),
        "player_makes": pl.col("made").cast(pl.Int64).sum(),
    }
    return (
        rows.group_by(*of_player, "at_s")
        .agg(**counts)
        .sort(*of_player, "at_s")
        .select(
            *of_player,
            "at_s",
            *(pl.col(name).cum_sum().over(of_player) - pl.col(name) for name in counts),
        )
    )

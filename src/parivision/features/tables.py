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
    descending = [name == "clock_s" for name in ORDER]
    return shots.sort(ORDER, descending=descending)


def shooters(shots: pl.DataFrame, most: int = 600) -> list[dict[str, Any]]:
    """The `most` players with the most shots in the newest season: id, name, team and attempts.

    Name and team are those of the newest shot; a player whose name nobody told is "player ID".
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
    actions, action = _vocabulary(shots["action_type"])
    home, away = (_franchise(shots[name]) for name in ("home_team", "away_team"))
    team = shots["team_id"].to_numpy()
    at_home, visiting = team == home, team == away
    known = at_home | visiting
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


def _vocabulary(words: pl.Series) -> tuple[tuple[str, ...], Ints]:
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
    """Franchise ids; a lake of before spellings were made one may hold others."""
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

    Shots of the same second do not see each other: their order is not recorded.
    """
    rows = shots.select(
        pl.int_range(pl.len()).alias("row"),
        "game_id",
        "player_id",
        "team_id",
        "made",
        pl.Series("at_s", elapsed_s(_ints(shots["period"]), _floats(shots["clock_s"]))),
    )
    seconds = (
        rows.group_by("game_id", "at_s")
        .agg(
            pl.col("team_id").sort_by("row").last().alias("last_team"),
            pl.col("made").sort_by("row").last().alias("last_made"),
        )
        .sort("game_id", "at_s")
        .with_columns(
            pl.col("at_s", "last_team", "last_made").shift(1).over("game_id").name.suffix("_")
        )
        .select("game_id", "at_s", "at_s_", "last_team_", "last_made_")
    )
    own = (
        rows.group_by("game_id", "player_id", "at_s")
        .agg(pl.len().cast(pl.Int64).alias("n"), pl.col("made").cast(pl.Int64).sum().alias("m"))
        .sort("game_id", "player_id", "at_s")
        .select(
            "game_id",
            "player_id",
            "at_s",
            (pl.col("n").cum_sum().over("game_id", "player_id") - pl.col("n")).alias(
                "player_attempts"
            ),
            (pl.col("m").cum_sum().over("game_id", "player_id") - pl.col("m")).alias(
                "player_makes"
            ),
        )
    )
    joined = (
        rows.join(seconds, on=["game_id", "at_s"], how="left")
        .join(own, on=["game_id", "player_id", "at_s"], how="left")
        .sort("row")
    )
    return joined.select(
        (pl.col("at_s") - pl.col("at_s_")).alias("since_last_shot_s"),
        (pl.col("team_id") == pl.col("last_team_")).cast(pl.Float64).alias("last_shot_own"),
        pl.col("last_made_").alias("last_shot_made"),
        "player_attempts",
        "player_makes",
    )

"""The canonical table of shots: names, types, ranges, and the one validation everything passes.

One row a field-goal attempt. Places are in feet in the frame of `parivision.shots.court`. The table
is validated when it enters a stage and before it leaves; a row that breaks a rule goes to
quarantine with the rule's name, a table that lacks a column is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from parivision.errors import SchemaError
from parivision.shots import court, leagues
from parivision.shots.contradictions import (
    OF_GAMES,
    OVERTIME,
    TEAMS,
    Contradiction,
    team_number,
    three_from_near,
)
from parivision.shots.leagues import League
from parivision.shots.limits import MIN_DATE, RANGES, SHOT_VALUES, Range

KEY: Final = ("game_id", "event_id")
REASON: Final = "reason"


@dataclass(frozen=True)
class Column:
    """A column: its type, whether it may be missing, and its values where they are a list.

    The range of a column's values is kept in `parivision.shots.limits`, by its name.
    """

    name: str
    dtype: pl.DataType
    help: str
    nullable: bool = False
    allowed: tuple[str | int, ...] | None = None

    @property
    def low(self) -> float | None:
        """The least value, or None."""
        return RANGES.get(self.name, Range()).low

    @property
    def high(self) -> float | None:
        """The greatest value, or None."""
        return RANGES.get(self.name, Range()).high


SEASON_TYPES: Final = (
    "Regular Season",
    "Playoffs",
    "PlayIn",
    "Pre Season",
    "All Star",
    "NBA Cup",
)
"""The parts of a season. Of the NBA Cup only the final is one; its other games are the season's."""

SHOTS: Final = (
    Column("game_id", pl.Int64(), "the league's game number"),
    Column("event_id", pl.Int64(), "number of the event, unique within the game"),
    Column("season", pl.Int16(), "year in which the season ends"),
    Column("season_type", pl.String(), "part of the season", allowed=SEASON_TYPES),
    Column("game_date", pl.Date(), "day of the game, local"),
    Column("home_team", pl.String(), "abbreviation of the home team, as of that day"),
    Column("away_team", pl.String(), "abbreviation of the visiting team, as of that day"),
    Column("team_id", pl.Int64(), "the shooter's team"),
    Column("team_name", pl.String(), "the shooter's team, in words"),
    Column("player_id", pl.Int64(), "the shooter"),
    Column("player_name", pl.String(), "the shooter, in words"),
    Column("period", pl.Int8(), "1 to 4, overtimes from 5 on"),
    Column("clock_s", pl.Int16(), "seconds left in the period"),
    Column("action_type", pl.String(), "the scorer's words for the shot", nullable=True),
    Column("shot_value", pl.Int8(), "points if it goes in", allowed=SHOT_VALUES),
    Column("x_ft", pl.Float64(), "across the court, left is positive"),
    Column("y_ft", pl.Float64(), "along the court, from the hoop"),
    Column("distance_ft", pl.Int16(), "distance as reported, whole feet"),
    Column("zone_basic", pl.String(), "the league's zone", nullable=True),
    Column("zone_area", pl.String(), "the league's side of the court", nullable=True),
    Column("zone_range", pl.String(), "the league's distance class", nullable=True),
    Column("made", pl.Int8(), "1 if it went in", allowed=(0, 1)),
)
NAMES: Final = tuple(column.name for column in SHOTS)
POLARS_SCHEMA: Final = {column.name: column.dtype for column in SHOTS}

# Half a foot of play: reported distances are cut to whole feet and places rounded to a tenth.
GEOMETRY_TOLERANCE_FT: Final = 0.5
_MAX_QUOTE: Final = 40


@dataclass(frozen=True)
class Checked:
    """A table split by its rules: `good` holds canonical rows, `bad` the others with `reason`."""

    good: pl.DataFrame
    bad: pl.DataFrame


def require_columns(table: pl.DataFrame, where: str) -> None:
    """Raise SchemaError unless the table has exactly the canonical columns and types.

    `where` names the stage for the message.
    """
    missing = [name for name in NAMES if name not in table.columns]
    wrong = [
        f"{name} is {table.schema[name]}, expected {dtype}"
        for name, dtype in POLARS_SCHEMA.items()
        if name in table.columns and table.schema[name] != dtype
    ]
    if missing or wrong:
        problems = ([f"missing columns {missing}"] if missing else []) + wrong
        raise SchemaError(
            f"{where}: not a table of shots: {'; '.join(problems)}. "
            "Pass what `refine` wrote, or convert it with a source of parivision.sources."
        )


def split_valid(
    table: pl.DataFrame,
    where: str,
    *,
    check_geometry: bool = True,
    keep: tuple[str, ...] = (),
    league: League = leagues.NBA,
) -> Checked:
    """Split typed rows into good and bad ones; the first broken rule becomes the row's `reason`.

    `check_geometry=False` lets places in a wrong frame through, so that a drift monitor can be
    shown what it must catch. `keep` names further columns that good rows keep. `league` is the one
    by whose clock, three-point line and teams the rows are judged.
    """
    require_columns(table, where)
    reason = pl.coalesce(
        *[_column_rule(column) for column in SHOTS],
        _broken(pl.col("game_date") < MIN_DATE, f"game_date is before {MIN_DATE}"),
        _broken(pl.col("clock_s") > league.period_s, f"clock_s is above {league.period_s}"),
        _contradicted(OVERTIME),
        *(_game_rules(table) if league.has_known_teams else []),
        *(_geometry_rules(league) if check_geometry else []),
    )
    marked = table.with_columns(reason.alias(REASON))
    return Checked(
        good=marked.filter(pl.col(REASON).is_null()).select(*NAMES, *keep),
        bad=_with_words(marked.filter(pl.col(REASON).is_not_null())),
    )


def _broken(condition: pl.Expr, reason: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(reason))


def _contradicted(rule: Contradiction) -> pl.Expr:
    return _broken(rule.holds(*map(pl.col, rule.names)), rule.reason)


def _game_rules(table: pl.DataFrame) -> list[pl.Expr]:
    """The rules on who plays; none where no game breaks one, which few rows tell."""
    number = {text: team_number(text) for name in TEAMS for text in table[name].unique()}
    numbered = {"team_id": pl.col("team_id"), **dict(zip(TEAMS, _numbers(number), strict=True))}
    rules = {rule.reason: rule.holds(*map(numbered.get, rule.names)) for rule in OF_GAMES}
    games = table.select("team_id", *TEAMS).unique()
    is_any = games.select(pl.any_horizontal(*rules.values()).any()).item()
    return [_broken(holds, reason) for reason, holds in rules.items()] if is_any else []


def _numbers(number: Mapping[str | None, int]) -> list[pl.Expr]:
    return [
        pl.col(name).replace_strict(number, default=None, return_dtype=pl.Int64) for name in TEAMS
    ]


def _with_words(bad: pl.DataFrame) -> pl.DataFrame:
    """Refused rows; a season type that is not known is quoted, since it may be a new one."""
    is_quoted = pl.col(REASON).str.starts_with("season_type is not one of")
    words = pl.col("season_type").str.head(_MAX_QUOTE)
    reason = pl.when(is_quoted).then(pl.format("{}: {}", REASON, words)).otherwise(REASON)
    return bad.with_columns(reason.alias(REASON))


def _column_rule(column: Column) -> pl.Expr:
    value = pl.col(column.name)
    rules = [] if column.nullable else [_broken(value.is_null(), f"{column.name} is missing")]
    if column.dtype.is_float():
        rules.append(_broken(value.is_nan(), f"{column.name} is not a number"))
    if column.low is not None:
        rules.append(_broken(value < column.low, f"{column.name} is below {column.low:g}"))
    if column.high is not None:
        rules.append(_broken(value > column.high, f"{column.name} is above {column.high:g}"))
    if column.allowed is not None:
        choices = list(column.allowed)
        rules.append(_broken(~value.is_in(choices), f"{column.name} is not one of {choices}"))
    return pl.coalesce(*rules) if rules else pl.lit(None, pl.String)


def _geometry_rules(league: League) -> list[pl.Expr]:
    x, y = pl.col("x_ft"), pl.col("y_ft")
    radius = (x * x + y * y).sqrt()
    # The league cuts its own distance to whole feet, so two that agree may differ by one foot.
    gap = (radius.floor() - pl.col("distance_ft")).abs()
    return [
        _broken(
            gap > 1 + GEOMETRY_TOLERANCE_FT,
            "place and reported distance disagree: is it in feet from the hoop?",
        ),
        _broken((y > court.FAR_BASELINE_Y_FT + 1), "y_ft is beyond the far baseline"),
        _contradicted(three_from_near(league.shortest_three_ft)),
    ]

"""The 22-column records of the feed: what the stats API, the live source and feed files carry.

All cells are text. Places are in tenths of feet as the league's statistics write them, with the
hoop at (0, 0) and left negative; this project's frame has left positive.
"""

from types import MappingProxyType
from typing import Final

import polars as pl

from parivision.shots import league, leagues
from parivision.shots.contradictions import TEAMS
from parivision.shots.leagues import League
from parivision.shots.row_digest import row_digests
from parivision.sources import game_number
from parivision.sources.format import (
    DIGEST,
    Converted,
    Needs,
    as_records,
    clock,
    clock_s,
    convert,
    day,
    decimal,
    first_known,
    flag,
    key_columns,
    points,
    spelled,
    text,
    tidy_ft,
    whole,
)

COLUMNS: Final = (
    "Game ID",
    "Game Event ID",
    "Player ID",
    "Player Name",
    "Team ID",
    "Team Name",
    "Period",
    "Minutes Remaining",
    "Seconds Remaining",
    "Action Type",
    "Shot Type",
    "Shot Zone Basic",
    "Shot Zone Area",
    "Shot Zone Range",
    "Shot Distance",
    "X Location",
    "Y Location",
    "Shot Made Flag",
    "Game Date",
    "Home Team",
    "Away Team",
    "Season Type",
)
MAY_LACK: Final = frozenset(
    {"Action Type", "Shot Zone Basic", "Shot Zone Area", "Shot Zone Range", "Season Type"}
)
"""What a shot may do without, or its game's number tells."""
NEEDS: Final = tuple((name,) for name in COLUMNS if name not in MAY_LACK)
SHOT_VALUES: Final = MappingProxyType({"2PT Field Goal": 2, "3PT Field Goal": 3})
UNITS_PER_FOOT: Final = 10

_CELLS: Final = MappingProxyType(
    {
        "game_id": whole("Game ID", pl.Int64),
        "event_id": whole("Game Event ID", pl.Int64),
        "game_date": day("Game Date", "%Y%m%d"),
        "home_team": spelled("Home Team", league.abbreviation),
        "away_team": spelled("Away Team", league.abbreviation),
        "team_id": whole("Team ID", pl.Int64),
        "team_name": text("Team Name"),
        "player_id": whole("Player ID", pl.Int64),
        "player_name": text("Player Name"),
        "period": whole("Period", pl.Int8),
        "minutes": clock("Minutes Remaining", "Seconds Remaining")[0],
        "seconds": clock("Minutes Remaining", "Seconds Remaining")[1],
        "action_type": text("Action Type"),
        "shot_value": points("Shot Type", *SHOT_VALUES),
        "x_units": decimal("X Location"),
        "y_units": decimal("Y Location"),
        "distance_ft": whole("Shot Distance", pl.Int16),
        "zone_basic": text("Shot Zone Basic"),
        "zone_area": text("Shot Zone Area"),
        "zone_range": text("Shot Zone Range"),
        "made": flag("Shot Made Flag", "0", "1"),
        "stated_season_type": spelled("Season Type", game_number.part_of_season),
    }
)
_IN_WORDS: Final = frozenset(
    {
        *("home_team", "away_team", "team_name", "player_name", "action_type", "game_date"),
        *("zone_basic", "zone_area", "zone_range", "shot_value", "stated_season_type"),
    }
)


class Feed22:
    """The format `feed22`, or one of the same columns for the records of another league.

    A league's records are of a format of their own, so that bronze tells them apart and each is
    refined by the rules of its league only.
    """

    columns: Final = COLUMNS
    needs: Final[Needs] = NEEDS
    partial_events: Final = 0
    numbers: Final = frozenset(
        cell.source for name, cell in _CELLS.items() if name not in _IN_WORDS
    )

    def __init__(self, league: League = leagues.NBA) -> None:
        """`league` is the one whose games the records are of."""
        self.name = "feed22" if league is leagues.NBA else f"feed22_{league.key}"
        self._league = league
        self._cells = dict(_CELLS)
        if not league.has_known_teams:  # ATL is the Hawks in one league and the Dream in another
            self._cells |= {name: spelled(_CELLS[name].source, _capitals) for name in TEAMS}

    def keys(self, records: pl.DataFrame) -> pl.DataFrame:
        """Game and event number as the record states them, and the record's digest."""
        records = as_records(records, COLUMNS, self.name, NEEDS)
        numbers = key_columns(records, self._cells, "game_id", "event_id")
        return numbers.with_columns(row_digests(records, COLUMNS).alias(DIGEST))

    def made(self, records: pl.DataFrame) -> pl.Series:
        """Whether each record's shot went in, as far as it is told."""
        return first_known(as_records(records, COLUMNS, self.name, NEEDS), self._cells["made"])

    def to_shots(
        self,
        records: pl.DataFrame,
        *,
        keys: pl.DataFrame | None = None,  # noqa: ARG002 (records state their key)
        check_geometry: bool = True,
    ) -> Converted:
        """Canonical shots of feed records, and the records that cannot be one."""
        records = as_records(records, COLUMNS, self.name, NEEDS)
        derived = {
            "season": game_number.season("game_id", "game_date", self._league),
            "season_type": pl.coalesce("stated_season_type", game_number.season_type("game_id")),
            "clock_s": clock_s(pl.col("minutes"), pl.col("seconds")),
            "x_ft": tidy_ft(-pl.col("x_units") / UNITS_PER_FOOT),
            "y_ft": tidy_ft(pl.col("y_units") / UNITS_PER_FOOT),
        }
        return convert(
            records,
            self._cells,
            derived,
            {},
            check_geometry=check_geometry,
            where=self.name,
            league=self._league,
        )


def records_from_shots(shots: pl.DataFrame) -> pl.DataFrame:
    """Feed records of canonical shots; `Feed22.to_shots` gives the shots back to 0.1 ft.

    The feed has no season: it comes back from the game's number and date.
    """
    return shots.select(
        _text("game_id", "Game ID"),
        _text("event_id", "Game Event ID"),
        _text("player_id", "Player ID"),
        _text("player_name", "Player Name"),
        _text("team_id", "Team ID"),
        _text("team_name", "Team Name"),
        _text("period", "Period"),
        _text(pl.col("clock_s") // 60, "Minutes Remaining"),
        _text(pl.col("clock_s") % 60, "Seconds Remaining"),
        _text("action_type", "Action Type"),
        pl.col("shot_value")
        .replace_strict({value: words for words, value in SHOT_VALUES.items()})
        .alias("Shot Type"),
        _text("zone_basic", "Shot Zone Basic"),
        _text("zone_area", "Shot Zone Area"),
        _text("zone_range", "Shot Zone Range"),
        _text("distance_ft", "Shot Distance"),
        # Left is negative in the feed, and positive here.
        _text(_units(-pl.col("x_ft")), "X Location"),
        _text(_units(pl.col("y_ft")), "Y Location"),
        _text("made", "Shot Made Flag"),
        pl.col("game_date").dt.strftime("%Y%m%d").alias("Game Date"),
        _text("home_team", "Home Team"),
        _text("away_team", "Away Team"),
        _text("season_type", "Season Type"),
    )


def _units(feet: pl.Expr) -> pl.Expr:
    return (feet * UNITS_PER_FOOT).round().cast(pl.Int64)


def _text(column: str | pl.Expr, name: str) -> pl.Expr:
    expression = pl.col(column) if isinstance(column, str) else column
    return expression.cast(pl.String).fill_null("").alias(name)


def _capitals(text: str) -> str:
    return text.strip().upper()


FORMAT: Final = Feed22()
OF_LEAGUE: Final = MappingProxyType(
    {league: FORMAT if league is leagues.NBA else Feed22(league) for league in leagues.LEAGUES}
)
"""The format of each league's records."""

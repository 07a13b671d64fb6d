"""The league's season files: 26 columns, places in feet from the baseline, in one of two frames.

Most seasons put the hoop at (0, 5.25); some have both axes scaled and one turned. Which frame a
season uses is seen from its own reported distances, never from its year. The files have no event
number, so a record is numbered by its content: equal rows are one shot. Columns that nothing
reads, or whose facts others tell or a shot can do without, may be absent; see `MAY_LACK`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import polars as pl

from parivision.shots import court, league, schema
from parivision.shots.row_digest import row_digests
from parivision.sources import game_number
from parivision.sources.format import (
    DIGEST,
    PLACE_DECIMALS,
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
    "SEASON_1",
    "SEASON_2",
    "TEAM_ID",
    "TEAM_NAME",
    "PLAYER_ID",
    "PLAYER_NAME",
    "POSITION_GROUP",
    "POSITION",
    "GAME_DATE",
    "GAME_ID",
    "HOME_TEAM",
    "AWAY_TEAM",
    "EVENT_TYPE",
    "SHOT_MADE",
    "ACTION_TYPE",
    "SHOT_TYPE",
    "BASIC_ZONE",
    "ZONE_NAME",
    "ZONE_ABB",
    "ZONE_RANGE",
    "LOC_X",
    "LOC_Y",
    "SHOT_DISTANCE",
    "QUARTER",
    "MINS_LEFT",
    "SECS_LEFT",
)

MAY_LACK: Final = frozenset(
    {
        *("SEASON_1", "SEASON_2", "POSITION_GROUP", "POSITION", "ACTION_TYPE"),
        *("BASIC_ZONE", "ZONE_NAME", "ZONE_ABB", "ZONE_RANGE"),
    }
)
"""What nothing reads, what a shot may do without, and what other columns tell."""
_LABELS: Final = ("EVENT_TYPE", "SHOT_MADE")
NEEDS: Final = (
    *((name,) for name in COLUMNS if name not in MAY_LACK and name not in _LABELS),
    _LABELS,
)

_CELLS: Final = MappingProxyType(
    {
        "game_id": whole("GAME_ID", pl.Int64),
        "stated_season": whole("SEASON_1", pl.Int16),
        "game_date": day("GAME_DATE", "%m-%d-%Y"),
        "home_team": spelled("HOME_TEAM", league.abbreviation),
        "away_team": spelled("AWAY_TEAM", league.abbreviation),
        "team_id": whole("TEAM_ID", pl.Int64),
        "team_name": text("TEAM_NAME"),
        "player_id": whole("PLAYER_ID", pl.Int64),
        "player_name": text("PLAYER_NAME"),
        "period": whole("QUARTER", pl.Int8),
        "minutes": clock("MINS_LEFT", "SECS_LEFT")[0],
        "seconds": clock("MINS_LEFT", "SECS_LEFT")[1],
        "action_type": text("ACTION_TYPE"),
        "shot_value": points("SHOT_TYPE", "2PT Field Goal", "3PT Field Goal"),
        "loc_x": decimal("LOC_X"),
        "loc_y": decimal("LOC_Y"),
        "distance_ft": whole("SHOT_DISTANCE", pl.Int16),
        "zone_basic": text("BASIC_ZONE"),
        "zone_area": text("ZONE_NAME"),
        "zone_range": text("ZONE_RANGE"),
        "stated_made": flag("SHOT_MADE", "TRUE", "FALSE"),
        "made_in_words": flag("EVENT_TYPE", "Made Shot", "Missed Shot"),
    }
)
_FROM_BASELINE: Final = pl.col("loc_y") + court.BASELINE_Y_FT


@dataclass(frozen=True)
class Frame:
    """How a season's LOC_X and LOC_Y become feet from the hoop."""

    name: str
    x_ft: pl.Expr
    y_ft: pl.Expr

    def agreement(self) -> pl.Expr:
        """1 where the place gives the reported distance, else 0."""
        radius_ft = (self.x_ft**2 + self.y_ft**2).sqrt()
        # A place is known to a tenth of a foot, so whole feet may tip over by a hair.
        near = pl.col("distance_ft").is_between(
            (radius_ft - 0.01).floor(), (radius_ft + 0.01).floor()
        )
        return near.fill_null(value=False).cast(pl.Float64)


FRAMES: Final[Mapping[str, Frame]] = MappingProxyType(
    {
        frame.name: frame
        for frame in (
            Frame("normal", pl.col("loc_x"), _FROM_BASELINE),
            Frame("scaled", pl.col("loc_x") * -10, _FROM_BASELINE * 10 + court.BASELINE_Y_FT),
        )
    }
)
"""The frames seen so far, by name."""

LEAST_AGREEMENT: Final = 0.5
"""A season uses a frame if that gives the reported distance of at least this share of its shots."""

NO_FRAME: Final = (
    "the places of this season's records fit the reported distances in no known frame "
    f"({', '.join(FRAMES)}): a new frame must be added to parivision.sources.season_csv"
)
PARTIAL_EVENTS: Final = 2**43
"""Event numbers below this are of records that lack columns; a whole record gets such a number by
chance once in a million."""
CONTRADICTION: Final = "EVENT_TYPE and SHOT_MADE contradict each other"


class SeasonCsv:
    """The format `season_csv`.

    `assume_frame` names the frame to use for every season instead of detecting it; it exists to
    feed a season unconverted and see whether the monitors catch it.
    """

    name: Final = "season_csv"
    columns: Final = COLUMNS
    needs: Final[Needs] = NEEDS
    partial_events: Final = PARTIAL_EVENTS
    numbers: Final = frozenset(
        {
            *("SEASON_1", "TEAM_ID", "PLAYER_ID", "GAME_ID", "LOC_X", "LOC_Y"),
            *("SHOT_DISTANCE", "QUARTER", "MINS_LEFT", "SECS_LEFT"),
        }
    )

    def __init__(self, assume_frame: str | None = None) -> None:
        self._assumed = None if assume_frame is None else FRAMES[assume_frame]

    def keys(self, records: pl.DataFrame) -> pl.DataFrame:
        """Game number as the record states it, and an event number made of the record's content."""
        records = as_records(records, COLUMNS, self.name, NEEDS)
        digests, events = _numbered(records)
        return key_columns(records, _CELLS, "game_id").with_columns(
            pl.when(pl.col("game_id").is_not_null()).then(events).alias("event_id"),
            digests.alias(DIGEST),
        )

    def made(self, records: pl.DataFrame) -> pl.Series:
        """Whether each record's shot went in, as far as it is told."""
        return first_known(
            as_records(records, COLUMNS, self.name, NEEDS),
            _CELLS["stated_made"],
            _CELLS["made_in_words"],
        )

    def to_shots(
        self,
        records: pl.DataFrame,
        *,
        keys: pl.DataFrame | None = None,
        check_geometry: bool = True,
    ) -> Converted:
        """Canonical shots of a season's records, and the records that cannot be one.

        The frame of each season is detected on the records at hand.
        """
        records = as_records(records, COLUMNS, self.name, NEEDS)
        events = _numbered(records)[1] if keys is None else keys["event_id"]
        early = {
            "season": pl.coalesce(
                "stated_season",
                _season_in_words("SEASON_2"),
                game_number.season("game_id", "game_date"),
            ),
            "made": pl.coalesce("stated_made", "made_in_words"),
        }
        derived = {
            "event_id": pl.lit(events),
            "season_type": game_number.season_type("game_id"),
            "clock_s": clock_s(pl.col("minutes"), pl.col("seconds")),
            **self._places(),
        }
        rules = {CONTRADICTION: pl.col("stated_made") != pl.col("made_in_words")}
        if check_geometry and self._assumed is None:
            # A season that fits no frame is refused whole: a place in wrong units would look right.
            best = pl.max_horizontal(*[_share(frame) for frame in FRAMES.values()])
            rules[NO_FRAME] = best < LEAST_AGREEMENT
        return convert(
            records,
            _CELLS,
            derived,
            rules,
            early=early,
            check_geometry=check_geometry,
            where=self.name,
        )

    def _places(self) -> dict[str, pl.Expr]:
        if self._assumed is not None:
            x, y = self._assumed.x_ft, self._assumed.y_ft
        else:
            normal, scaled = FRAMES["normal"], FRAMES["scaled"]
            # The frame that gives back more of the reported distances is the season's. The frames
            # differ tenfold, so a shot's distance fits one of them only, but for places near 0.
            is_scaled = _share(scaled) > _share(normal)
            x = pl.when(is_scaled).then(scaled.x_ft).otherwise(normal.x_ft)
            y = pl.when(is_scaled).then(scaled.y_ft).otherwise(normal.y_ft)
        return {"x_ft": tidy_ft(x), "y_ft": tidy_ft(y)}


def records_from_shots(shots: pl.DataFrame, frame: str = "normal") -> pl.DataFrame:
    """Season records of canonical shots, with places in the named frame.

    `SeasonCsv.to_shots` gives the shots back to 0.1 ft, but for their event numbers. What a shot
    does not know, the player's position for one, is written as NA.
    """
    x_ft, y_ft = pl.col("x_ft"), pl.col("y_ft")
    if frame == "scaled":
        x_ft, y_ft = x_ft / -10, (y_ft - court.BASELINE_Y_FT) / 10
    in_words = pl.when(pl.col("made") == 1)
    start = pl.col("season").cast(pl.Int64) - 1
    season_2 = pl.format("{}-{}", start, (pl.col("season") % 100).cast(pl.String).str.zfill(2))
    cells = {
        **{cell.source: pl.col(name) for name, cell in _CELLS.items() if name in schema.NAMES},
        "SEASON_1": pl.col("season"),
        "SEASON_2": season_2,
        "POSITION_GROUP": pl.lit("NA"),
        "POSITION": pl.lit("NA"),
        "ZONE_ABB": pl.lit("NA"),
        "GAME_DATE": pl.col("game_date").dt.strftime("%m-%d-%Y"),
        "EVENT_TYPE": in_words.then(pl.lit("Made Shot")).otherwise(pl.lit("Missed Shot")),
        "SHOT_MADE": in_words.then(pl.lit("TRUE")).otherwise(pl.lit("FALSE")),
        "SHOT_TYPE": pl.format("{}PT Field Goal", "shot_value"),
        "LOC_X": x_ft.round(PLACE_DECIMALS),
        "LOC_Y": (y_ft - court.BASELINE_Y_FT).round(PLACE_DECIMALS),
        "MINS_LEFT": pl.col("clock_s") // 60,
        "SECS_LEFT": pl.col("clock_s") % 60,
    }
    return shots.select(cells[name].cast(pl.String).fill_null("").alias(name) for name in COLUMNS)


def _numbered(records: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """Digests of records, and the event numbers made of them; an absent column is all null."""
    digests = row_digests(records, COLUMNS)
    if not any(cells.null_count() for cells in records):
        return digests, digests
    partial = records.select(partial=pl.any_horizontal(pl.all().is_null())).to_series()
    return digests, (digests % PARTIAL_EVENTS).zip_with(partial, digests)


def _season_in_words(words: str) -> pl.Expr:
    """The year in which a season like 2003-04 ends."""
    return pl.col(words).str.extract(r"^(\d{4})-\d{2}$").cast(pl.Int16) + 1


def _share(frame: Frame) -> pl.Expr:
    """Share of the readable records of a row's season whose distance the frame gives."""
    readable = pl.all_horizontal(pl.col("loc_x", "loc_y", "distance_ft").is_not_null())
    agreement = pl.when(readable).then(frame.agreement())
    return agreement.mean().over(pl.col("season"))


FORMAT: Final = SeasonCsv()

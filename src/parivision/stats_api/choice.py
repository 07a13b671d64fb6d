"""Which records of a page a reader asked for: those of a league, of a part of the season."""

import polars as pl

from parivision.shots import leagues
from parivision.shots.league_games import is_of
from parivision.sources import game_number
from parivision.sources.format import spelled, whole


def chosen_records(records: pl.DataFrame, league: str, season_type: str) -> pl.DataFrame:
    """The feed's records of a league and a part of the season; an empty word chooses all.

    A record is of the league of its game's number, and of the part that it states, or else of the
    number's. Raises SettingsError for a league or part that does not exist.
    """
    number = whole("Game ID", pl.Int64).value
    if league:
        records = records.filter(is_of(leagues.named(league), number))
    if season_type:
        stated = spelled("Season Type", game_number.part_of_season).value
        known = pl.coalesce(stated, game_number.stated_type(number))
        records = records.filter(known.is_in(list(game_number.season_parts(season_type))))
    return records

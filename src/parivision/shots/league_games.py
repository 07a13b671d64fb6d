"""Which league the games of a table are of, told by their numbers."""

import polars as pl

from parivision.errors import DataError, SettingsError
from parivision.shots.leagues import GAMES_PER_LEAGUE, LEAGUES, NBA, League


def is_of(league: League, game_id: pl.Expr) -> pl.Expr:
    """Whether games of these numbers are the league's."""
    return game_id // GAMES_PER_LEAGUE == int(league.code)


def league_of(game_id: pl.Series) -> League:
    """The one league of games, of whose shots models and reports can be made.

    Raises DataError where games of several are mixed, and SettingsError for a league of whose shots
    nothing can be computed.
    """
    codes = {f"{code:02d}" for code in (game_id // GAMES_PER_LEAGUE).unique().drop_nulls()}
    found = [league for league in LEAGUES if league.code in codes]
    if len(found) > 1:
        raise DataError(
            f"shots of {' and '.join(league.title for league in found)} are mixed: models and "
            "reports are made of one league; `parivision refine --league` chooses it"
        )
    league = found[0] if found else NBA
    if league.no_model:
        raise SettingsError(league.no_model)
    return league

"""Games without a miss: which are kept out of training, and which are rightly so."""

from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from parivision.errors import DataError
from parivision.lake.files import FilesLake
from parivision.lake.makes_only import CERTAIN_SHOTS, doubted
from parivision.lake.snapshot import read_snapshot, write_snapshot
from tiny_league import shot, table

FIRST = date(2022, 11, 1)


def game(
    number: int, makes: int, misses: int, player: int = 1, first_event: int = 1
) -> pl.DataFrame:
    """So many shots of a player in a game."""
    rows = [
        shot(
            game_id=22200000 + number,
            event_id=first_event + event,
            game_date=FIRST + timedelta(days=number),
            player_id=player,
            made=int(event < makes),
        )
        for event in range(makes + misses)
    ]
    return table(*rows)


def left_out(*games: pl.DataFrame) -> list[int]:
    """The last digits of the games that are kept out of training."""
    return [number - 22200000 for number in doubted(pl.concat(games)).left_out.to_list()]


def test_whole_games_are_kept() -> None:
    """Where every game has misses nothing is doubted and nothing is told."""
    found = doubted(pl.concat([game(1, 40, 45), game(2, 1, 1)]))
    assert (found.games, found.left_out.to_list(), found.sentence) == (0, [], "")
    assert doubted(table()).games == 0


def test_makes_of_whole_games_are_left_out() -> None:
    """Ten games of 80 makes teach nothing; whole games beside them are kept."""
    makes = [game(number, 80, 0) for number in range(1, 11)]
    assert left_out(*makes, game(11, 40, 45)) == list(range(1, 11))


def test_a_players_season_of_makes_only_is_left_out() -> None:
    """3 to 12 makes a game and no miss in any: each game is short, but all together tell."""
    makes = [game(number, 3 + number % 10, 0) for number in range(1, 31)]
    assert left_out(*makes) == list(range(1, 31))


@pytest.mark.parametrize("makes", [1, 2, CERTAIN_SHOTS - 1, CERTAIN_SHOTS])
def test_a_game_that_nothing_vouches_for_is_left_out(makes: int) -> None:
    """A game without a miss, of players of whom no miss is known, is told and not learnt from."""
    found = doubted(game(1, makes, 0))
    assert found.left_out.to_list() == [22200001]
    assert f"1 games have no miss; 1 of them ({makes} shots)" in found.sentence
    assert "context_measure_simple='FGA'" in found.sentence


def test_a_players_perfect_nights_are_kept() -> None:
    """In a file of one player's attempts, a few short games without a miss are what happens."""
    usual = [game(number, 5, 6) for number in range(1, 41)]
    assert left_out(*usual, game(50, 2, 0), game(51, 4, 0)) == []
    assert left_out(*usual, game(50, CERTAIN_SHOTS, 0)) == [50]


def test_too_many_perfect_nights_are_makes_only() -> None:
    """A player's attempts of some games and makes of others: chance does not give so many."""
    whole = [game(number, 5, 6) for number in range(1, 31)]
    makes = [game(number, 6, 0) for number in range(31, 61)]
    assert left_out(*whole, *makes) == list(range(31, 61))


def test_every_player_of_a_game_is_looked_at() -> None:
    """One player's misses elsewhere do not vouch for another's makes."""
    usual = [game(number, 5, 6, player=1) for number in range(1, 41)]
    both = pl.concat([game(50, 2, 0, player=1), game(50, 3, 0, player=2, first_event=9)])
    assert left_out(*usual, both) == [50]


def filled(lake: FilesLake, shots: pl.DataFrame) -> None:
    """Bring shots to silver the way they come, as records of the feed."""
    from parivision.lake.refine import refine
    from parivision.sources import FORMATS, feed22

    records = feed22.records_from_shots(shots)
    layout = FORMATS["feed22"]
    lake.append_bronze(records, layout.keys(records), source="test", layout=layout.name)
    assert refine(lake).quarantined == 0


def test_games_come_in_with_their_misses(tmp_path: Path) -> None:
    """The snapshot leaves makes only out; when the misses arrive the whole game is in it."""
    lake, path = FilesLake(tmp_path / "lake"), tmp_path / "shots.parquet"
    filled(lake, game(1, 40, 45))
    filled(lake, game(2, 40, 0))
    assert write_snapshot(lake, path).rows == 85
    assert read_snapshot(path)["game_id"].unique().to_list() == [22200001]
    filled(lake, game(2, 40, 45))
    written = write_snapshot(lake, path)
    assert (written.rows, written.doubted.games) == (170, 0)


def test_a_lake_of_makes_only_is_told(tmp_path: Path) -> None:
    """Where nothing is left to train on, the error says why and what to fetch."""
    lake = FilesLake(tmp_path / "lake")
    filled(lake, game(1, 40, 0))
    with pytest.raises(DataError, match=r"no whole game .*40 shots.*context_measure_simple='FGA'"):
        write_snapshot(lake, tmp_path / "shots.parquet")

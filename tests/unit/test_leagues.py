"""Shots of three leagues in one lake: each by its own rules, none in another's snapshot."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from parivision.errors import DataError, ModelError, SettingsError
from parivision.features.form import Form
from parivision.lake.files import FilesLake
from parivision.lake.ingest import ingest
from parivision.lake.refine import RefineReport, refine
from parivision.lake.snapshot import read_snapshot, write_snapshot
from parivision.models.bundle import Bundle
from parivision.shots import leagues
from parivision.shots.league_games import league_of
from parivision.shots.leagues import G_LEAGUE, LEAGUES, NBA, WNBA, League
from parivision.sources import feed22
from parivision.sources.base import Batch
from parivision.sources.read import read_shots
from parivision.sources.synthetic import SyntheticConfig, generate
from parivision.stages.one_league import refuse_other_league
from parivision.stats_api.choice import chosen_records

SHOTS = generate(SyntheticConfig(seasons=(2023,), games_a_season=4)).filter(pl.col("clock_s") < 600)
PLAYOFF_DIGIT = 20_000_000
"""What lifts a number of the regular season into the playoffs."""


class Kept:
    """A source of one batch, of a league's records."""

    def __init__(self, records: pl.DataFrame, league: League, name: str = "") -> None:
        self.name = name or league.title
        self.format = feed22.OF_LEAGUE[league].name
        self._records = records

    def batches(self, after: str | None = None) -> Iterator[Batch]:
        """All of it, once."""
        if after is None:
            yield Batch(self._records, "read")


def of_league(league: League, shots: pl.DataFrame = SHOTS, part: str = "") -> pl.DataFrame:
    """Feed records of these shots as games of a league; a number tells the part of the season."""
    number = pl.col("game_id") + league.first_game + (PLAYOFF_DIGIT if part == "Playoffs" else 0)
    records = feed22.records_from_shots(shots.with_columns(number))
    return records.with_columns(pl.lit(part or "Regular Season").alias("Season Type"))


@pytest.fixture
def lake(tmp_path: Path) -> FilesLake:
    """A lake with the same games in each league, and playoffs of the NBA."""
    opened = FilesLake(tmp_path / "lake")
    for league in LEAGUES:
        ingest(Kept(of_league(league), league), opened)
    ingest(Kept(of_league(NBA, part="Playoffs"), NBA, "playoffs"), opened)
    assert refine(opened).quarantined == 0
    return opened


def games(shots: pl.DataFrame) -> set[int]:
    """The leagues of a table's games, by the first digits of their numbers."""
    return set(shots["game_id"] // leagues.GAMES_PER_LEAGUE)


def test_a_league_is_read_alone(lake: FilesLake) -> None:
    """Silver gives the shots of the league that is asked for, the NBA's without a word, or all."""
    for league in LEAGUES:
        assert games(lake.silver(league=league)) == {int(league.code)}
    assert games(lake.silver()) == {0}
    assert games(lake.silver(["made", "game_id"], league=None)) == {0, 10, 20}
    assert lake.counts().silver == 4 * SHOTS.height


def test_a_snapshot_is_of_one_league_and_of_the_parts_that_count(
    lake: FilesLake, tmp_path: Path
) -> None:
    """The regular season by default; other parts by choice, and what is left out is told."""
    path = tmp_path / "shots.parquet"
    written = write_snapshot(lake, path)
    assert written.rows == SHOTS.height
    assert written.other_parts == {"Playoffs": SHOTS.height}
    assert f"Playoffs ({SHOTS.height:,} shots)" in written.other_parts_sentence
    assert league_of(read_snapshot(path)["game_id"]) is NBA
    both = write_snapshot(lake, path, season_types=("Regular Season", "Playoffs"))
    assert (both.rows, both.other_parts_sentence) == (2 * SHOTS.height, "")
    assert write_snapshot(lake, path, league=G_LEAGUE).rows == SHOTS.height
    assert league_of(read_snapshot(path)["game_id"]) is G_LEAGUE
    with pytest.raises(DataError, match=r"no shots of the G League \(Playoffs\)"):
        write_snapshot(lake, path, league=G_LEAGUE, season_types=("Playoffs",))


def test_no_model_of_the_wnba_is_made_with_the_nbas_court(lake: FilesLake, tmp_path: Path) -> None:
    """The refusal says what differs, and what can be done with its shots."""
    path = tmp_path / "shots.parquet"
    with pytest.raises(SettingsError, match=r"22 ft 1.75 in .* 10 minutes.*parivision export"):
        write_snapshot(lake, path, league=WNBA)
    assert not path.exists()
    with pytest.raises(SettingsError, match="no model and no report is made of the WNBA's shots"):
        read_shots(Kept(of_league(WNBA), WNBA))


def test_mixed_shots_are_refused(lake: FilesLake) -> None:
    """A table of two leagues is no snapshot, whoever wrote it."""
    with pytest.raises(DataError, match="shots of NBA and WNBA and G League are mixed"):
        league_of(lake.silver(league=None)["game_id"])


def test_a_model_meets_its_own_league_only() -> None:
    """Bundles tell their league; those of before there were several are of the NBA."""
    shots = SHOTS.with_columns(pl.col("game_id") + G_LEAGUE.first_game)
    own = Bundle("lightgbm", "full", {}, Form(), {"league": "gleague"})
    old = Bundle("lightgbm", "full", {}, Form(), {})
    refuse_other_league(shots, {"champion": None, "lightgbm": own})
    refuse_other_league(SHOTS, {"champion": old})
    for models, table in (({"champion": old}, shots), ({"champion": own}, SHOTS)):
        with pytest.raises(ModelError, match=r"champion is of the league .*MLFLOW_TRACKING_URI"):
            refuse_other_league(table, models)


def refined(records: pl.DataFrame, league: League, folder: Path) -> RefineReport:
    """What becomes of a league's records in a new lake."""
    lake = FilesLake(folder)
    ingest(Kept(records, league), lake)
    return refine(lake)


@pytest.mark.parametrize(("league", "other"), [(NBA, WNBA), (WNBA, NBA), (G_LEAGUE, WNBA)])
def test_a_number_of_another_league_is_refused(
    league: League, other: League, tmp_path: Path
) -> None:
    """A stray game does not slip into a league's shots: it goes to quarantine with the reason."""
    report = refined(of_league(other), league, tmp_path)
    reason = (
        f"game_id is of another league: {other.code} ({other.title}), "
        f"not {league.code} ({league.title})"
    )
    assert report.reasons == {reason: SHOTS.height}


def test_each_league_is_judged_by_its_own_clock_line_and_teams(tmp_path: Path) -> None:
    """A three of the WNBA may be nearer, its periods are shorter, and ATL is not the Hawks."""
    far, near = {"x_ft": 19.8, "distance_ft": 19}, {"x_ft": 19.0, "distance_ft": 19}
    rows = [
        {"clock_s": 599, "shot_value": 3, **far},
        {"clock_s": 599, "shot_value": 3, **near},
        {"clock_s": 601, "shot_value": 2, **near},
    ]
    played = {"y_ft": 0.0, "home_team": "ATL", "away_team": "CHI", "period": 1}
    shot = SHOTS.head(1).with_columns(
        pl.lit(value, SHOTS.schema[name]).alias(name)
        for name, value in {**played, "team_id": 1611661330}.items()
    )
    shots = pl.concat(
        shot.with_columns(
            event_id=pl.lit(number, pl.Int64),
            **{name: pl.lit(value, shot.schema[name]) for name, value in facts.items()},
        )
        for number, facts in enumerate(rows)
    )
    reasons = {
        league: refined(of_league(league, shots), league, tmp_path / league.key).reasons
        for league in LEAGUES
    }
    within, neither = "shot_value is 3 within the three-point line", "team_id is neither"
    assert reasons[WNBA] == {within: 1, "clock_s is above 600": 1}
    assert reasons[G_LEAGUE] == {within: 2}
    assert sum(count for why, count in reasons[NBA].items() if why.startswith(neither)) == 3


@pytest.mark.parametrize("text", ["gleague", "G League", "g-league", "20"])
def test_leagues_by_their_names(text: str) -> None:
    """Neither case nor what stands between the letters matters."""
    assert leagues.named(text) is G_LEAGUE


def test_a_feed_is_asked_for_a_league_and_a_part() -> None:
    """What the stats API gives of a page with both choices, with either and with none."""
    page = pl.concat(
        [of_league(NBA), of_league(NBA, part="Playoffs"), of_league(WNBA, part="Playoffs")]
    )
    n = SHOTS.height
    assert chosen_records(page, "", "").height == 3 * n
    assert chosen_records(page, "nba", "").height == 2 * n
    assert chosen_records(page, "", "play-offs").height == 2 * n
    assert chosen_records(page, "wnba", "Playoffs")["Game ID"][0].startswith("10")
    assert chosen_records(page, "gleague", "").is_empty()
    untold = page.with_columns(pl.lit(None, pl.String).alias("Season Type"))
    assert chosen_records(untold, "nba", "Playoffs").height == n
    for league, part in (("ncaa", ""), ("", "Finals")):
        with pytest.raises(SettingsError, match="expected"):
            chosen_records(page, league, part)

"""Game numbers, parts of a season and teams: what is not known is never taken for what is usual."""

import json

import polars as pl
import pytest

from parivision.lake.files import FilesLake
from parivision.lake.refine import refine
from parivision.shots.league import FRANCHISE
from parivision.shots.schema import SEASON_TYPES
from parivision.sources import FORMATS, feed22, nba_api, season_csv
from parivision.sources.game_number import SEASON_TYPE_OF_DIGIT, SPELLINGS, part_of_season
from tiny_league import shot, table

FORMATS_TRIED = ("feed22", "season_csv", "nba_api")


def records(name: str, **cells: str | None) -> pl.DataFrame:
    """A record of a format, good but for some cells, which are named as in the feed."""
    feed = feed22.records_from_shots(table(shot())).with_columns(
        pl.lit(cell, pl.String).alias(column.replace("_", " ")) for column, cell in cells.items()
    )
    if name == "feed22":
        return feed
    if name == "nba_api":
        return feed.select(pl.col(feed).alias(own) for own, feed in nba_api.COLUMNS.items())
    season = season_csv.records_from_shots(table(shot()))
    own = {"Game_ID": "GAME_ID", "Home_Team": "HOME_TEAM", "Away_Team": "AWAY_TEAM"}
    return season.with_columns(
        pl.lit(cell, pl.String).alias(own[column]) for column, cell in cells.items()
    )


def reasons(name: str, **cells: str | None) -> list[str]:
    """Why a record is refused."""
    return FORMATS[name].to_shots(records(name, **cells)).bad["reason"].to_list()


@pytest.mark.parametrize("name", FORMATS_TRIED)
@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("1022500001", "game_id is of another league: 10 (WNBA), not 00 (NBA)"),
        ("1042500001", "10 (WNBA)"),
        ("2022500001", "20 (G League)"),
        ("1522500001", "15 (Summer League, Las Vegas)"),
        ("1322500001", "13 (Summer League, Sacramento)"),
        ("1622500001", "16 (Summer League, Utah)"),
        ("0122500001", "01 (ABA)"),
        ("122500001", "01 (ABA)"),
        ("3722500001", "no known league's"),
        ("401468016", "no known league's"),
        ("10225000012", "no known league's"),
        ("0072500001", "game_id has the type digit 7"),
        ("82500001", "game_id has the type digit 8"),
        ("0092500001.0", "game_id has the type digit 9: known are 1 Pre Season"),
    ],
)
def test_other_leagues_and_unknown_types_are_said(name: str, number: str, reason: str) -> None:
    """A number that is none of this league's goes to quarantine, whatever else the record says."""
    (told,) = reasons(name, Game_ID=number)
    assert reason in told


@pytest.mark.parametrize("part", ["Regular Season", "Playoffs", "", None, "WNBA"])
def test_a_stated_part_does_not_overrule_the_number(part: str | None) -> None:
    """A record of another league stays one when it says which part of a season it is of."""
    (told,) = reasons("feed22", Game_ID="1022500001", Season_Type=part)
    assert "WNBA" in told


@pytest.mark.parametrize("name", FORMATS_TRIED)
@pytest.mark.parametrize(("digit", "part"), SEASON_TYPE_OF_DIGIT.items())
def test_every_known_digit_is_its_part(name: str, digit: int, part: str) -> None:
    """With and without the two zeros before it."""
    for number in (f"00{digit}2200001", f"{digit}2200001"):
        converted = FORMATS[name].to_shots(
            records(name, Game_ID=number, **({"Season_Type": ""} if name == "feed22" else {}))
        )
        assert converted.shots["season_type"].to_list() == [part]


@pytest.mark.parametrize(
    ("words", "part"),
    [
        *((words, part) for part, others in SPELLINGS.items() for words in (part, *others)),
        ("Play-In", "PlayIn"),
        ("play in", "PlayIn"),
        ("Play-In Tournament", "PlayIn"),
        ("Preseason", "Pre Season"),
        ("pre-season", "Pre Season"),
        ("regular season", "Regular Season"),
        ("REGULAR_SEASON", "Regular Season"),
        ("RegularSeason", "Regular Season"),
        (" Regular  Season ", "Regular Season"),
        ("All-Star", "All Star"),
        ("ALLSTAR", "All Star"),
        ("playoff", "Playoffs"),
        ("Post Season", "Playoffs"),
        ("In-Season Tournament", "NBA Cup"),
        ("ist", "NBA Cup"),
    ],
)
def test_parts_of_a_season_are_known_in_other_spellings(words: str, part: str) -> None:
    """As vendors, code and people write them."""
    converted = FORMATS["feed22"].to_shots(records("feed22", Season_Type=words))
    assert converted.shots["season_type"].to_list() == [part]


@pytest.mark.parametrize("words", ["Summer League", "Finals?", "2", "Regular", "Season"])
def test_other_words_are_quoted(words: str) -> None:
    """A part that is not known is refused with the words, since it may be a new one."""
    if part_of_season(words) in SEASON_TYPES:
        return
    (told,) = reasons("feed22", Season_Type=words)
    assert told.startswith("season_type is not one of")
    assert told.endswith(f": {words}")


@pytest.mark.parametrize("name", FORMATS_TRIED)
@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("gsw", "GSW"),
        (" Gsw ", "GSW"),
        ("BRK", "BKN"),
        ("CHO", "CHA"),
        ("PHO", "PHO"),
        ("NOK", "NOK"),
        ("NJN", "NJN"),
        ("sea", "SEA"),
        ("GS", "GSW"),
        ("NO", "NOP"),
        ("NY", "NYK"),
        ("SA", "SAS"),
        ("UTAH", "UTA"),
        ("wsh", "WAS"),
        ("EST", "EST"),
        ("XYZ", "XYZ"),
    ],
)
def test_teams_are_kept_in_one_spelling(name: str, given: str, kept: str) -> None:
    """Others' abbreviations become the league's; who plays is known to have been that team."""
    converted = FORMATS[name].to_shots(records(name, Away_Team=given))
    assert converted.shots["away_team"].to_list() == [kept]
    from parivision.features.tables import facts_from_shots

    opponent = facts_from_shots(converted.shots).opponent_id[0]
    assert opponent == FRANCHISE.get(kept, 0)


def test_teams_that_are_not_known_are_counted(tmp_path) -> None:
    """Their games are kept and told; All Star teams, which change every year, are not."""
    lake, layout = FilesLake(tmp_path / "lake"), FORMATS["feed22"]
    parts = [
        records("feed22", Away_Team="XYZ", Game_Event_ID="1"),
        records("feed22", Away_Team="XYZ", Game_Event_ID="2"),
        records("feed22", Away_Team="sea", Game_Event_ID="3"),
        records("feed22", Home_Team="ABC", Away_Team="DEF", Game_Event_ID="4"),
        records(
            "feed22", Home_Team="NEW", Away_Team="OLD", Game_Event_ID="5", Season_Type="All-Star"
        ),
    ]
    batch = pl.concat(parts)
    lake.append_bronze(batch, layout.keys(batch), source="test", layout=layout.name)
    report = refine(lake)
    assert report.silver == 5
    assert report.strangers == {"XYZ": 2, "ABC": 1, "DEF": 1}
    assert "ABC (1 shots), DEF (1 shots), XYZ (2 shots)" in report.strangers_sentence


def test_the_commands_tell_makes_only_and_strangers(run, tmp_path) -> None:
    """Whoever fetches makes only reads so at ingest and at refine, with what to do."""
    rows = [
        shot(game_id=22200000 + game, event_id=event, made=int(event % 2 == 0 or game == 2))
        for game in (1, 2)
        for event in range(20)
    ]
    shots = table(*rows).with_columns(
        pl.when(pl.col("event_id") == 3)
        .then(pl.lit("XYZ"))
        .otherwise("away_team")
        .alias("away_team")
    )
    feed22.records_from_shots(shots).write_csv(tmp_path / "shots.csv")
    code, out, _ = run("ingest", str(tmp_path / "shots.csv"))
    assert code == 0
    assert "1 games came without a single miss" in out
    assert "context_measure_simple='FGA'" in out
    code, out, _ = run("refine")
    assert code == 0
    assert "XYZ (2 shots)" in out
    assert "1 of them (20 shots) are kept out of training" in out
    assert "20 shots in " in out
    _, out, _ = run("refine", "--json")
    report = json.loads(out)
    assert (report["snapshot"], report["games_left_out"]) == (20, 1)

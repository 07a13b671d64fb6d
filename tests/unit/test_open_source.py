"""Sources by URI, and a whole source as one table."""

from contextlib import suppress
from datetime import date

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parivision.errors import DataError, PariVisionError, SettingsError, SourceError
from parivision.shots.schema import KEY, NAMES, require_columns
from parivision.sources import feed22
from parivision.sources.base import Batch
from parivision.sources.csv_files import FeedCsv, SeasonZips
from parivision.sources.feed import FeedSource
from parivision.sources.live import LiveSource
from parivision.sources.open import open_source, synthetic_config
from parivision.sources.read import read_shots
from parivision.sources.synthetic import SyntheticSource
from tiny_league import shot, table


def test_a_uri_names_its_source(tmp_path):
    """Scheme or content decide which adapter reads."""
    feed, seasons = tmp_path / "feed", tmp_path / "seasons"
    for folder in (feed, seasons):
        folder.mkdir()
    header = ",".join(feed22.COLUMNS)
    (feed / "shots.csv").write_text(header + "\n")
    (seasons / "2023.csv").write_text("SEASON_1,SEASON_2\n")
    found = {
        "synthetic:?seed=3": SyntheticSource,
        "http://stats:8000": FeedSource,
        "live:?seasons=2024&until=2024-04-14&since=2024-01-01": LiveSource,
        "live:?seasons=current&until=yesterday&since=30-days-ago": LiveSource,
        "http://stats:8000?league=gleague&season_type=Playoffs": FeedSource,
        str(feed): FeedCsv,
        str(seasons): SeasonZips,
    }
    for uri, kind in found.items():
        assert isinstance(open_source(uri), kind), uri


def test_a_folder_may_be_called_like_a_scheme(tmp_path, monkeypatch):
    """Only a scheme with its colon is one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "synthetic").mkdir()
    (tmp_path / "synthetic" / "2023.csv").write_text("SEASON_1,SEASON_2\n")
    assert isinstance(open_source("synthetic"), SeasonZips)


def test_a_synthetic_league_is_described_by_options():
    """Seed, seasons as a range or a list, size, and the start of each drift."""
    found = synthetic_config(
        "synthetic:?seed=4&seasons=2021-2023&games=40&scale=0.5"
        "&more_threes=2023&skill_change=2022-12-01"
    )
    assert (found.seed, found.seasons, found.games_a_season) == (4, (2021, 2022, 2023), 40)
    assert found.shots_scale == 0.5
    assert (found.drift.more_threes, found.drift.skill_change) == (2023, date(2022, 12, 1))
    assert found.drift.relabel_actions is None
    assert synthetic_config("synthetic:?seasons=2021,2023").seasons == (2021, 2023)
    assert synthetic_config("synthetic:") == synthetic_config("synthetic:?")


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("synthetic:?sede=1", r"unknown options \['sede'\].*'seed'"),
        ("synthetic:?seed=one", "cannot read 'one'"),
        ("synthetic:?seed=-1", "seed is -1"),
        ("synthetic:?seasons=2023-2021", "seasons are"),
        ("synthetic:?seasons=2021-", "cannot read '2021-'"),
        ("synthetic:?seasons=1-99999999999", "99999999999 seasons are more than 200"),
        ("synthetic:seasons=2021", r"expected synthetic:\?"),
        ("synthetic:?games=0", "games_a_season is 0"),
        ("synthetic:?scale=nan", "shots_scale is nan"),
        ("synthetic:?more_threes=soon", "cannot read 'soon'"),
        ("live:", "expected live:"),
        ("live:?seasons=2024", "expected live:"),
        ("live:?seasons=2024&until=tomorrow", "cannot read 'tomorrow'.*yesterday or 7-days-ago"),
        (
            "live:?seasons=2024&until=2024-04-14&league=ncaa",
            "'ncaa': expected one of nba",
        ),
        (
            "live:?seasons=2024&until=2024-04-14&season_type=Finals",
            "'Finals' is no part",
        ),
        ("live:?seasons=2024&until=2024-04-14&season_type=Playoffs,PlayIn", "a source has one"),
        ("live:?seasons=2005&until=2005-09-14&league=wnba", "at least one, from 2006 on"),
        ("http://me:secret@stats:8000?leage=nba", r"^'\?leage=nba' has unknown options"),
        ("live:?seasons=2024&until=2024-04-14&limit=3", r"unknown options \['limit'\]"),
    ],
)
def test_a_wrong_option_is_refused_with_what_was_expected(uri, message):
    """The error names the option, and says what there is or what cannot be read."""
    with pytest.raises(SettingsError, match=message):
        open_source(uri)


@given(
    st.tuples(
        st.sampled_from(["", "synthetic:?", "live:?", "http://", "https://", "synthetic:", "~"]),
        st.text(st.characters(codec="utf-8"), max_size=20),
    ).map("".join)
)
@example("http://[bad")
@example("a\0b")
@example("~\0")
@example("~nobody-of-that-name/x")
@example("synthetic:?seed=" + "9" * 5000)
@example("synthetic:?seasons=2021&seasons=2022")
@example("synthetic:?seasons=1-" + "9" * 30)
@example("HTTP://Host:1")
@example("x" * 5000)
def test_any_uri_is_a_source_or_a_clear_error(uri):
    """Whatever is typed, the answer is a source or an error that the command line can print."""
    with suppress(PariVisionError):
        assert open_source(uri).name


class _Rows:
    """A source of prepared records in the feed's layout."""

    name, format = "prepared", feed22.FORMAT.name

    def __init__(self, *batches: pl.DataFrame) -> None:
        self._batches = batches

    def batches(self, after: str | None = None):
        for number, records in enumerate(self._batches):
            yield Batch(records, str(number))


@pytest.fixture
def records():
    """Three records of the feed's layout, one of a player that is none."""
    source = SyntheticSource(synthetic_config("synthetic:?seasons=2022&games=1&scale=0.05"))
    first = next(iter(source.batches())).records.head(3)
    wrong = pl.when(pl.int_range(pl.len()) == 1).then(pl.lit("nobody")).otherwise("Player ID")
    return first.with_columns(wrong.alias("Player ID"))


def test_a_source_becomes_one_table(records):
    """Valid shots come out once, the others with their reason."""
    shots, bad = read_shots(_Rows(records, records))
    require_columns(shots, "test")
    assert shots.columns == list(NAMES)
    assert len(shots) == 2
    assert not shots.select(KEY).is_duplicated().any()
    assert len(bad) == 2
    assert "player_id" in bad["reason"][0].lower() or "Player ID" in bad["reason"][0]


def test_a_source_without_a_valid_shot_is_an_error(records):
    """It says why the first one is none; a source without any record says just that."""
    with pytest.raises(DataError, match=r"prepared holds no valid shot: .*[Pp]layer"):
        read_shots(_Rows(records[1:2]))
    for empty in (_Rows(), _Rows(records.clear())):
        with pytest.raises(DataError, match=r"prepared holds no valid shot$"):
            read_shots(empty)


def test_a_missing_folder_is_a_clear_error(tmp_path):
    """A path that is not there is named, at the latest when it is read."""
    with pytest.raises(SourceError, match="nowhere"):
        read_shots(open_source(str(tmp_path / "nowhere")))
    assert table(shot()).height == 1

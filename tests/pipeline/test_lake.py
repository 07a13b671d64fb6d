"""The lake's contract, kept by both stores."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from parivision.lake import Appended, Lake, LayerCounts, RefinedRows, open_lake
from parivision.lake.base import CONFLICT, Pending, quarantined
from parivision.lake.refine import refine
from parivision.shots import schema
from parivision.shots.leagues import G_LEAGUE, GAMES_PER_LEAGUE, NBA
from parivision.sources import feed22
from parivision.sources.synthetic import SyntheticConfig, generate

SHOTS = generate(SyntheticConfig(seasons=(2022, 2023), games_a_season=1)).select(schema.NAMES)
SHOTS = pl.concat([SHOTS.head(60), SHOTS.tail(60)])
RECORDS = feed22.records_from_shots(SHOTS)
IN_ORDER = SHOTS.sort(
    "game_date", "game_id", "period", "clock_s", "event_id", descending=[False] * 3 + [True, False]
)


def append(lake: Lake, records: pl.DataFrame, source: str = "test") -> Appended:
    """Append feed records to bronze."""
    return lake.append_bronze(records, feed22.FORMAT.keys(records), source=source, layout="feed22")


def refine_one(lake: Lake, pending: Pending) -> RefinedRows:
    """Write what becomes of pending feed records."""
    converted = feed22.FORMAT.to_shots(pending.records)
    bad = quarantined(
        converted.bad.drop("reason"),
        pending.keys[converted.bad_rows],
        converted.bad["reason"],
        layout="feed22",
    )
    return lake.write_refined(pending, converted.shots, bad)


def refine_all(lake: Lake) -> RefinedRows:
    """Refine all that is pending."""
    done = [refine_one(lake, pending) for pending in lake.pending()]
    return RefinedRows(
        sum(one.silver for one in done),
        sum(one.quarantined for one in done),
        sum(one.duplicates for one in done),
    )


def changed(records: pl.DataFrame, **cells: str) -> pl.DataFrame:
    """Records with cells changed; underscores in names stand for blanks."""
    return records.with_columns(
        pl.lit(cell).alias(name.replace("_", " ")) for name, cell in cells.items()
    )


def test_leagues_are_kept_apart(lake: Lake) -> None:
    """A game's number tells its league; who does not ask gets the NBA's, and a copy has all."""
    other = SHOTS.with_columns(pl.col("game_id") + G_LEAGUE.first_game)
    for shots, league in ((SHOTS, NBA), (other, G_LEAGUE)):
        layout = feed22.OF_LEAGUE[league]
        records = feed22.records_from_shots(shots)
        added = lake.append_bronze(
            records, layout.keys(records), source=league.title, layout=layout.name
        )
        assert added.new == SHOTS.height
    refine(lake)
    for league in (NBA, G_LEAGUE):
        found = lake.silver(["game_id"], league=league)["game_id"]
        assert len(found) == SHOTS.height
        assert set(found // GAMES_PER_LEAGUE) == {int(league.code)}
    assert_frame_equal(lake.silver(), IN_ORDER, check_exact=True)
    assert lake.silver(league=None).height == 2 * SHOTS.height
    days = IN_ORDER["game_date"]
    assert lake.silver(until=days[0], league=G_LEAGUE).is_empty()


def test_a_new_lake_is_empty(lake: Lake) -> None:
    """Every question has an answer before the first write."""
    assert lake.counts() == LayerCounts(0, 0, 0, 0)
    assert list(lake.pending()) == []
    assert lake.cursor("test") is None
    assert lake.last_ingest() is None
    assert lake.quarantine().height == 0
    assert lake.silver().schema == schema.POLARS_SCHEMA
    assert lake.silver(["made"]).columns == ["made"]


def test_records_stay_as_they_came(lake: Lake) -> None:
    """Bronze gives back every cell, with missing and empty ones told apart, and the source."""
    odd = changed(RECORDS[:3], Player_Name="", Team_Name="\x00 ñ \U0001f3c0 $a.b").with_columns(
        pl.lit(None, pl.String).alias("Action Type")
    )
    assert append(lake, odd, source="odd") == Appended(3, 0, 0)
    (pending,) = lake.pending()
    assert pending.format == "feed22"
    assert_frame_equal(pending.records, odd, check_row_order=False)
    assert set(pending.keys["source"]) == {"odd"}
    assert_frame_equal(pending.keys.drop("source"), feed22.FORMAT.keys(odd), check_row_order=False)


def test_a_record_that_comes_again_changes_nothing(lake: Lake) -> None:
    """Within a batch and between batches, from whatever source."""
    assert append(lake, pl.concat([RECORDS[:5], RECORDS[:3]])) == Appended(5, 3, 0)
    assert append(lake, RECORDS[2:8], source="other") == Appended(3, 3, 0)
    assert lake.counts() == LayerCounts(8, 8, 0, 0)


def test_the_first_of_two_records_with_one_key_stays(lake: Lake) -> None:
    """The other goes to quarantine, once, with its content and the reason."""
    other = changed(RECORDS[:1], Player_Name="Another")
    assert append(lake, RECORDS[:2]) == Appended(2, 0, 0)
    assert append(lake, other) == Appended(0, 0, 1)
    assert append(lake, pl.concat([other, other])) == Appended(0, 2, 0)
    kept = lake.quarantine().row(0, named=True)
    assert lake.counts() == LayerCounts(2, 2, 0, 1)
    assert (kept["reason"], kept["format"]) == (CONFLICT, "feed22")
    assert json.loads(kept["record"]) == other.row(0, named=True)
    refine_all(lake)
    assert "Another" not in lake.silver()["player_name"].to_list()


def test_conflicts_within_a_batch_are_seen(lake: Lake) -> None:
    """Also when an earlier batch holds the one that comes second here."""
    other = changed(RECORDS[:1], Player_Name="Another")
    assert append(lake, pl.concat([RECORDS[:1], other])) == Appended(1, 0, 1)
    third = changed(RECORDS[:1], Player_Name="A third")
    assert append(lake, pl.concat([third, RECORDS[:1]])) == Appended(0, 1, 1)


def test_records_without_a_key_are_kept_by_their_content(lake: Lake) -> None:
    """They wait in bronze, and end in quarantine, each of them once."""
    keyless = changed(RECORDS[:3], Game_ID="?")
    assert append(lake, pl.concat([keyless, keyless[:1]])) == Appended(3, 1, 0)
    assert append(lake, keyless) == Appended(0, 3, 0)
    assert refine_all(lake) == RefinedRows(0, 3, 0)
    assert lake.counts() == LayerCounts(3, 0, 0, 3)
    assert lake.quarantine()["game_id"].null_count() == 3


def test_only_what_is_new_is_refined(lake: Lake) -> None:
    """What was refined never comes again; what came since does."""
    append(lake, RECORDS[:10])
    assert refine_all(lake) == RefinedRows(10, 0, 0)
    assert list(lake.pending()) == []
    append(lake, RECORDS[5:15])
    assert lake.counts() == LayerCounts(15, 5, 10, 0)
    assert refine_all(lake) == RefinedRows(5, 0, 0)
    assert lake.counts() == LayerCounts(15, 0, 15, 0)


def test_a_batch_without_news_leaves_nothing_pending(lake: Lake) -> None:
    """Duplicates alone give refine nothing to do."""
    append(lake, RECORDS[:10])
    refine_all(lake)
    append(lake, RECORDS[:5])
    assert list(lake.pending()) == []
    assert lake.counts().pending == 0


def test_refining_twice_at_once_writes_once(lake: Lake) -> None:
    """Two processes that took the same records leave one of each shot."""
    append(lake, changed(RECORDS[:1], Period="99"))
    append(lake, RECORDS[1:10])
    first, second = list(lake.pending()), list(lake.pending())
    written = [refine_one(lake, pending) for pending in [*first, *second]]
    assert sum(one.silver for one in written) == 9
    assert sum(one.quarantined for one in written) == 1
    assert sum(one.duplicates for one in written) == 10
    assert lake.counts() == LayerCounts(10, 0, 9, 1)


def test_silver_comes_in_the_order_taken(lake: Lake) -> None:
    """By date, game, period, clock running down, event; whatever the order of arrival."""
    append(lake, RECORDS[40:].reverse())
    refine_all(lake)
    append(lake, RECORDS[:40])
    refine_all(lake)
    assert_frame_equal(lake.silver(), IN_ORDER, check_exact=True)


def test_silver_gives_the_columns_and_days_asked_for(lake: Lake) -> None:
    """`since` is within, `until` is not, and columns keep the caller's order."""
    append(lake, RECORDS)
    refine_all(lake)
    columns = ["made", "x_ft"]
    last = max(SHOTS["game_date"].to_list())
    expected = IN_ORDER.select(columns)
    newest = IN_ORDER.filter(game_date=last).select(columns)
    assert_frame_equal(lake.silver(columns), expected)
    assert_frame_equal(lake.silver(columns, since=last), newest)
    assert lake.silver(columns, since=last, until=last).height == 0
    assert_frame_equal(lake.silver(columns, until=last + timedelta(days=1)), expected)
    assert lake.silver(until=last).height == len(expected) - len(newest)


def test_cursors_are_kept_by_source(lake: Lake) -> None:
    """A cursor can be replaced and forgotten."""
    lake.commit_cursor("a/b: c", "1")
    lake.commit_cursor("other", "x")
    lake.commit_cursor("a/b: c", "2")
    assert lake.cursor("a/b: c") == "2"
    lake.commit_cursor("a/b: c", None)
    lake.commit_cursor("a/b: c", None)
    assert (lake.cursor("a/b: c"), lake.cursor("other")) == (None, "x")


def test_the_lake_knows_when_it_was_last_filled(lake: Lake, lake_url: str) -> None:
    """Each commit of a cursor counts, of whatever source, without news too; reading does not."""
    for source, cursor in (("a", "1"), ("b", None), ("a", "1")):
        before = datetime.now(tz=UTC).replace(microsecond=0)
        lake.commit_cursor(source, cursor)
        again = open_lake(lake_url)
        told = again.last_ingest()
        assert told is not None
        assert before <= told <= datetime.now(tz=UTC)
        assert again.cursor("a") == "1"
        assert again.last_ingest() == told
        again.close()


def test_what_was_written_is_there_after_reopening(lake: Lake, lake_url: str) -> None:
    """A lake is where its URL says, for every process."""
    append(lake, RECORDS[:10])
    refine_all(lake)
    lake.commit_cursor("test", "10")
    again = open_lake(lake_url)
    assert (again.counts(), again.cursor("test")) == (LayerCounts(10, 0, 10, 0), "10")
    assert_frame_equal(again.silver(), lake.silver())
    again.close()


def test_export_does_not_depend_on_the_way_the_lake_was_filled(lake: Lake, tmp_path: Path) -> None:
    """Both stores, whatever order and batches, give the same bytes."""
    for start in range(0, 120, 50):
        append(lake, RECORDS.reverse()[start : start + 50])
        refine_all(lake)
    assert lake.export_silver(tmp_path / "new" / "shots.csv") == 120
    expected = SHOTS.sort(schema.KEY).write_csv().encode()
    assert (tmp_path / "new" / "shots.csv").read_bytes() == expected


def test_an_empty_lake_exports_a_header(lake: Lake, tmp_path: Path) -> None:
    """Readers of the export need no special case."""
    assert lake.export_silver(tmp_path / "shots.csv") == 0
    assert (tmp_path / "shots.csv").read_text() == ",".join(schema.NAMES) + "\n"


def test_writers_at_once_keep_the_promises(lake_url: str) -> None:
    """Four writers with overlapping records leave each of them once."""

    def work(start: int) -> Appended:
        lake = open_lake(lake_url)
        parts = [append(lake, RECORDS[start + at : start + at + 15]) for at in (0, 15)]
        refine_all(lake)
        lake.close()
        return Appended(
            sum(part.new for part in parts),
            sum(part.duplicates for part in parts),
            sum(part.conflicts for part in parts),
        )

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(work, (0, 10, 20, 30)))
    lake = open_lake(lake_url)
    refine_all(lake)
    assert sum(one.new for one in done) == 60
    assert sum(one.duplicates for one in done) == 60
    assert lake.counts() == LayerCounts(60, 0, 60, 0)
    lake.close()


@pytest.mark.parametrize("name", ["silver", "quarantine"])
def test_readers_do_not_wait_for_writers(lake: Lake, lake_url: str, name: str) -> None:
    """A reader sees what was there when it asked."""
    append(lake, RECORDS[:10])
    refine_all(lake)
    other = open_lake(lake_url)
    before = getattr(other, name)()
    append(lake, RECORDS[10:20])
    assert_frame_equal(getattr(other, name)(), before)
    other.close()

"""The exploratory report: its sentences and tables are read off the data."""

import re
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from parivision.errors import DataError, SchemaError
from parivision.reports import eda, html
from parivision.reports.eda import quality, rates, sections
from parivision.shots import court, schema

pytestmark = pytest.mark.unit

LEAGUE_ZONES = (
    "Restricted Area", "In The Paint (Non-RA)", "Mid-Range", "Mid-Range", "Above the Break 3",
    "Left Corner 3", "Backcourt",
)  # fmt: skip


def make_shots(n, seasons=(2022, 2023), seed=0):
    """A canonical table of n shots; threes become more frequent from season to season."""
    rng = np.random.default_rng(seed)
    season = np.sort(rng.choice(seasons, n))
    far = rng.random(n) < 0.2 + 0.2 * (season - min(seasons))
    r = np.where(far, rng.uniform(24, 28, n), rng.exponential(6, n).clip(0, 20))
    angle = rng.uniform(-1.2, 1.2, n)
    x, y = (r * np.sin(angle)).round(1) + 0.0, (r * np.cos(angle)).round(1) + 0.0
    place = court.distance_ft(x, y)
    zone = court.zone(x, y)
    frame = pl.DataFrame(
        {
            "game_id": 20_000_000 + np.arange(n) // 50,
            "event_id": np.arange(n) % 50,
            "season": season,
            "season_type": ["Regular Season"] * n,
            "game_date": [date(int(s) - 1, 11, 1) + timedelta(int(d)) for s, d in
                          zip(season, rng.integers(0, 60, n), strict=True)],
            "home_team": ["BOS"] * n,
            "away_team": ["NYK"] * n,
            "team_id": [1610612738] * n,
            "team_name": ["Boston Celtics"] * n,
            "player_id": rng.integers(1, 40, n),
            "player_name": ["Somebody"] * n,
            "period": rng.choice([1, 2, 3, 4, 6], n),
            "clock_s": rng.integers(0, 721, n),
            "action_type": rng.choice(["Jump Shot", "Layup Shot", "<Dunk>"], n, p=[0.6, 0.3, 0.1]),
            "shot_value": court.shot_value(x, y),
            "x_ft": x,
            "y_ft": y,
            "distance_ft": np.floor(place),
            "zone_basic": [LEAGUE_ZONES[z - 1] for z in zone],
            "zone_area": ["Center"] * n,
            "zone_range": ["8-16 ft."] * n,
            "made": (rng.random(n) < np.where(place < 4, 0.7, 0.35)).astype(int),
        }
    )  # fmt: skip
    return frame.select(pl.col(name).cast(dtype) for name, dtype in schema.POLARS_SCHEMA.items())


@pytest.fixture(scope="module")
def shots():
    """3,000 shots of two seasons."""
    return make_shots(3000)


@pytest.fixture(scope="module")
def derived(shots):
    """The same shots as the sections take them."""
    return rates.derive(shots)


def reading(section):
    """The section's sentence."""
    return next(block.text for block in section.blocks if getattr(block, "is_reading", False))


@pytest.fixture(scope="module")
def report(shots, tmp_path_factory):
    """The report's page and the progress it told."""
    told = []
    path = tmp_path_factory.mktemp("eda") / "eda.html"
    eda.write(shots, path, sample=500, seed=3, progress=lambda *at: told.append(at))
    return path, told


def test_report_holds_every_section(report):
    """The page has all sections, each with a sentence, and reports its progress."""
    path, told = report
    page = path.read_text(encoding="utf-8")
    titles = re.findall(r"<h2>(.*?)</h2>", page)
    assert titles == [
        "Shot type", "Zone", "Distance", "Maps", "Seasons and the growth of threes", "Clock",
        "Period", "Correlations", "Action types", "Data quality",
    ]  # fmt: skip
    assert page.count('<p class="reading">') == len(titles)
    assert page.count("<svg") == 12
    assert told == [(i, 10) for i in range(1, 11)]
    assert "&lt;Dunk&gt;" in page
    assert "<dd>3,000</dd>" in page


def test_same_shots_same_bytes(shots, report, tmp_path):
    """The report of the same shots and seed is the same file."""
    again = eda.write(shots, tmp_path / "again.html", sample=500, seed=3)
    assert again.read_bytes() == report[0].read_bytes()


@pytest.mark.parametrize("n", [1, 2])
def test_few_shots_still_make_a_report(n, tmp_path):
    """One shot or two make a page without a number that is not one."""
    page = eda.write(make_shots(n, seasons=(2023,)), tmp_path / "e.html").read_text("utf-8")
    words = re.sub(r"<style>.*?</style>|<svg.*?</svg>|<[^>]+>", " ", page, flags=re.DOTALL)
    assert not re.search(r"\bnan\b|\bNone\b|\binf\b", words)


def test_shots_of_one_kind_make_a_report(tmp_path):
    """Only backcourt heaves, all missed, unnamed and in the last second, are no error."""
    heaves = make_shots(40, seasons=(2023,)).with_columns(
        x_ft=pl.lit(0.0), y_ft=pl.lit(60.0), made=pl.lit(0, pl.Int8), clock_s=pl.lit(700, pl.Int16),
        action_type=pl.lit(None, pl.String), zone_basic=pl.lit(None, pl.String),
        shot_value=pl.lit(3, pl.Int8), distance_ft=pl.lit(60, pl.Int16), period=pl.lit(1, pl.Int8),
    )  # fmt: skip
    page = eda.write(heaves, tmp_path / "h.html").read_text("utf-8")
    assert "No shot carries an action type." in page
    assert "action_type (40), zone_basic (40)" in page


def test_no_shots_are_an_error(shots, tmp_path):
    """An empty table, or one that is not of shots, is refused with what to do."""
    with pytest.raises(DataError, match="at least one shot"):
        eda.write(shots.head(0), tmp_path / "e.html")
    with pytest.raises(SchemaError, match="missing columns"):
        eda.write(shots.drop("made"), tmp_path / "e.html")
    assert list(tmp_path.iterdir()) == []


def test_rates_by_hand():
    """Counts, shares, rates and points a shot are those of the group's shots."""
    table = pl.DataFrame(
        {"made": [1, 0, 1, 1], "points": [2, 0, 3, 2], "kind": ["a", "a", "b", None]}
    )
    rows = rates.rates(table, "kind").rows(named=True)
    assert [(r["group"], r["n_shots"], r["share"], r["made_rate"], r["points"]) for r in rows] == [
        ("a", 2, 0.5, 0.5, 1.0), ("b", 1, 0.25, 1.0, 3.0),
    ]  # fmt: skip
    assert rows[0]["low"] < 0.5 < rows[0]["high"]


def test_best_and_worst_need_enough_shots():
    """A group of few shots is not called best, unless all are small."""
    table = pl.DataFrame({"group": ["few", "many"], "n_shots": [3, 500], "made_rate": [1.0, 0.4]})
    assert [row["group"] for row in rates.ranked(table, "made_rate")] == ["many"]
    assert rates.ranked(table.head(1), "made_rate")[0]["group"] == "few"


def test_zone_sentence_follows_the_data(derived):
    """The zone named best is the one with the highest rate, whichever that is."""
    assert "highest in zone 'restricted area'" in reading(sections.zones(derived))
    at_rim = pl.col("zone") == "restricted area"
    turned = derived.with_columns(made=pl.when(at_rim).then(0).otherwise("made"))
    assert "lowest in 'restricted area' (0.0%)" in reading(sections.zones(turned))


def test_growth_of_threes_is_told_from_chance():
    """A share that moved is told with its size; one within chance is not called a change."""
    assert rates.point_change(0.2, 0.3, 10_000, 10_000) == "rose by 10.0 points"
    assert rates.point_change(0.3, 0.2, 10_000, 10_000) == "fell by 10.0 points"
    assert rates.point_change(0.2, 0.3, 20, 20) == "did not change by more than chance"


def test_one_season_is_told_by_month(derived):
    """A single season is split by month; a single month has a sentence of its own."""
    season = derived.filter(pl.col("season") == 2023)
    section = sections.over_time(season)
    assert section.title == "Months and the share of threes"
    assert reading(section).startswith("From 2022-11 to 2022-12")
    month = season.filter(pl.col("game_date") < date(2022, 12, 1))
    assert reading(sections.over_time(month)).startswith("All shots are from 2022-11;")


def test_time_table_counts_threes(derived):
    """Share and rates of twos and threes by season are those of their shots."""
    row = sections.time_table(derived, pl.col("season")).row(1, named=True)
    season = derived.filter(pl.col("season") == row["group"])
    assert row["threes"] == season["is_three"].mean()
    assert row["two_rate"] == season.filter(~pl.col("is_three"))["made"].mean()
    assert row["three_rate"] == season.filter("is_three")["made"].mean()


def test_correlations_equal_numpy(derived):
    """The matrix is numpy's, with gaps for columns that never change."""
    season = derived.filter(pl.col("season") == 2023)
    matrix = sections.correlation_matrix(season)
    names = list(sections.NUMERIC)
    x, y = names.index("x"), names.index("distance")
    assert matrix[x, y] == pytest.approx(np.corrcoef(season["x_ft"], season["r_ft"])[0, 1])
    assert np.isnan(matrix[names.index("season")]).all()


def test_tip_off_second_belongs_to_the_first_step(derived):
    """Shots at exactly 720 s make no step of their own."""
    early = derived.with_columns(clock_s=pl.lit(720, pl.Int16))
    assert "no data" in reading(sections.clock(early))
    steps = sections.clock(early).blocks[1]
    assert isinstance(steps, html.Row)
    assert len(steps.blocks) == 1


def test_quality_finds_what_is_wrong(shots):
    """Missing values, repeated keys, repeated shots and moved places are counted and named."""
    assert "Values are missing in no column. 0 shots repeat" in reading(quality.quality(shots))
    assert "agree on every shot" in reading(quality.quality(shots))
    broken = pl.concat(
        [
            shots.with_columns(
                x_ft=pl.when(pl.col("season") == 2023).then(pl.col("x_ft") * 0.1).otherwise("x_ft"),
                zone_area=pl.when(pl.col("event_id") == 7).then(None).otherwise("zone_area"),
            ),
            shots.filter(pl.col("season") == 2022).head(5),
            shots.filter(pl.col("season") == 2022)
            .head(3)
            .with_columns(event_id=pl.lit(99, pl.Int64)),
        ]
    )
    words = reading(quality.quality(broken))
    assert f"missing in zone_area ({shots.filter(pl.col('event_id') == 7).height})" in words
    assert "7 shots repeat another's key, 8 repeat everything but the event number" in words
    assert "agree least in 2023" in words


def test_agreement_is_by_season(shots):
    """Zones and values that the league's record has otherwise are counted in their season."""
    wrong = shots.with_columns(
        shot_value=pl.when(pl.col("season") == 2022).then(5 - pl.col("shot_value"))
        .otherwise("shot_value"),
        zone_basic=pl.when(pl.col("season") == 2023).then(pl.lit("Backcourt"))
        .otherwise("zone_basic"),
    )  # fmt: skip
    first, second = quality.agreement(wrong).rows(named=True)
    assert (first["value_ok"], first["zone_ok"], first["distance_ok"]) == (0, 1, 1)
    assert (second["value_ok"], second["zone_ok"]) == (1, 0)


def test_action_types_compare_first_and_last_season(shots):
    """A type's change is between the table's first and last season, where it has enough shots."""
    turned = shots.with_columns(
        made=pl.when((pl.col("action_type") == "Layup Shot") & (pl.col("season") == 2023))
        .then(pl.lit(1, pl.Int8)).otherwise("made"),
    ).filter((pl.col("action_type") != "<Dunk>") | (pl.col("season") == 2022))  # fmt: skip
    table = quality.action_rates(turned)
    assert table["action_type"].to_list() == ["Jump Shot", "Layup Shot", "<Dunk>"]
    layup, dunk = (table.row(i, named=True) for i in (1, 2))
    assert layup["rate_last"] == 1
    assert layup["change"] == pytest.approx(1 - layup["rate_first"])
    assert (dunk["seasons"], dunk["change"]) == (1, None)
    words = reading(quality.actions(turned))
    assert "1 of the types do not occur in every season" in words
    assert "moved most for 'Layup Shot'" in words


def test_lists_read_as_english():
    """One, two or three words are joined as in a sentence."""
    assert rates.listed(["a"]) == "a"
    assert rates.listed(["a", "b"]) == "a and b"
    assert rates.listed(["a", "b", "c"]) == "a, b and c"

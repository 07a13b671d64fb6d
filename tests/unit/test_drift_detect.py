"""Later shots judged against the reference of a champion."""

import functools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from drift_league import league
from parivision.drift import (
    MONITORED_NAMES,
    ColumnDrift,
    DriftReference,
    DriftSummary,
    build_reference,
    detect,
)
from parivision.drift.columns import MISSING, monitored_values
from parivision.drift.detect import FEWEST_SHOTS, MIN_SHOTS
from parivision.errors import SchemaError
from parivision.shots.segments import OVERTIME


@pytest.fixture(scope="module")
def week() -> pl.DataFrame:
    """A quiet week later on."""
    return league(2023, 40)


def column(summary: DriftSummary, name: str) -> ColumnDrift:
    """One column of a summary."""
    return next(column for column in summary.columns if column.name == name)


def test_a_quiet_week_is_quiet(drift_reference: DriftReference, week: pl.DataFrame) -> None:
    """Without drift nothing is named, neither of the shots nor of how they ended."""
    summary = detect(drift_reference, week)
    assert summary.verdict == "quiet"
    assert not summary.data_drift
    assert not summary.concept_drift
    assert summary.reasons == ()
    assert tuple(c.name for c in summary.columns) == MONITORED_NAMES
    assert (summary.champion, summary.n_current) == ("lightgbm 3", week.height)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("x_ft", pl.col("x_ft") * 0.8),
        ("y_ft", pl.col("y_ft").round(0)),
        ("distance_ft", pl.col("distance_ft") + 2),
        ("shot_value", pl.lit(2)),
        ("action_type", pl.lit("Jump Shot")),
        ("period", pl.lit(4)),
        ("clock_s", pl.col("clock_s") // 2),
        ("player_id", pl.col("player_id") + 10**9),
        ("team_id", pl.col("team_id") + 1000),
        ("made", pl.lit(1)),
    ],
)
def test_a_changed_column_is_named_and_no_other(
    drift_reference: DriftReference, week: pl.DataFrame, name: str, change: pl.Expr
) -> None:
    """Whatever column changes, it is found, with the reason; the rest stays quiet."""
    changed = week.with_columns(change.cast(week.schema[name]).alias(name))
    summary = detect(drift_reference, changed)
    follows = {"zone"} if name in {"x_ft", "y_ft"} else set()
    assert {name} <= set(summary.drifted_columns) <= {name} | follows
    assert summary.data_drift
    assert summary.verdict == "drift"
    assert column(summary, name).severity > 1
    assert "above" in column(summary, name).reason


def test_missing_values_are_a_drift_of_their_column(
    drift_reference: DriftReference, week: pl.DataFrame
) -> None:
    """A feed that loses a column's values half of the time is named by that column."""
    lost = pl.int_range(pl.len()) % 2 == 0
    changed = week.with_columns(
        *(pl.when(~lost).then(pl.col(name)).alias(name) for name in ("clock_s", "action_type"))
    )
    assert detect(drift_reference, changed).drifted_columns == ("action_type", "clock_s")


def test_a_frame_in_other_units_is_named_within_two_games(
    drift_reference: DriftReference, week: pl.DataFrame
) -> None:
    """The break of 2020 shows in places and zones at once, not in the reported distance."""
    few = week[: 2 * FEWEST_SHOTS].with_columns(
        x_ft=-pl.col("x_ft") / 10, y_ft=(pl.col("y_ft") + 5.25) / 10
    )
    assert detect(drift_reference, few).drifted_columns == ("x_ft", "y_ft", "zone")


@pytest.mark.parametrize("n", [0, 1, FEWEST_SHOTS - 1, FEWEST_SHOTS, MIN_SHOTS - 1])
def test_few_shots_are_no_evidence(
    drift_reference: DriftReference, week: pl.DataFrame, n: int
) -> None:
    """With too few shots the answer is "no data", never "quiet"."""
    summary = detect(drift_reference, week[:n])
    assert summary.verdict == "no data"
    assert not summary.data_drift
    assert f"{n} shots" in column(summary, "x_ft").reason


def test_enough_shots_are_judged(drift_reference: DriftReference, week: pl.DataFrame) -> None:
    """From MIN_SHOTS on there is an answer."""
    assert detect(drift_reference, week[:MIN_SHOTS]).verdict == "quiet"


def test_shots_whose_end_is_not_known_yet_are_judged_by_the_rest(
    drift_reference: DriftReference, week: pl.DataFrame
) -> None:
    """Delayed labels leave the make rate unjudged and everything else as it is."""
    summary = detect(drift_reference, week.with_columns(made=pl.lit(None, pl.Int8)))
    assert column(summary, "made").verdict == "no data"
    assert summary.performance.verdict == "no data"
    assert summary.verdict == "quiet"


def test_a_reference_without_labels_judges_no_make_rate(
    drift_training: pl.DataFrame, week: pl.DataFrame
) -> None:
    """Training shots without an end are a reference of the shots alone."""
    blind = build_reference(drift_training.with_columns(made=pl.lit(None, pl.Int8)))
    summary = detect(blind, week)
    assert column(summary, "made").reason == "the reference has no values of this column"
    assert summary.performance.verdict == "no data"


def test_the_tests_in_the_table_are_those_of_scipy(
    drift_training: pl.DataFrame, drift_reference: DriftReference, week: pl.DataFrame
) -> None:
    """Z, Kolmogorov-Smirnov and chi-square come out as on the full columns."""
    summary = detect(drift_reference, week)
    before, now = drift_training["y_ft"].to_numpy(), week["y_ft"].to_numpy()
    found = column(summary, "y_ft").tests
    ks = stats.ks_2samp(before, now, method="asymp")
    assert found["kolmogorov_smirnov"].statistic == pytest.approx(ks.statistic, abs=1e-3)
    welch = stats.ttest_ind(now, before, equal_var=False)
    assert found["z"].statistic == pytest.approx(welch.statistic, rel=1e-2)
    table = [
        [(frame["shot_value"] == value).sum() for value in (2, 3)]
        for frame in (drift_training, week)
    ]
    chi2 = stats.chi2_contingency(table, correction=False)
    found = column(summary, "shot_value").tests
    assert found["chi_square"].statistic == pytest.approx(chi2.statistic)
    assert found["chi_square"].p_value == pytest.approx(chi2.pvalue)
    assert found["z"].statistic ** 2 == pytest.approx(chi2.statistic)


def test_p_values_decide_nothing(drift_training: pl.DataFrame) -> None:
    """At the size of a season tests are significant where the effect is too small to matter."""
    shifted = drift_training.with_columns(clock_s=(pl.col("clock_s") - 8).clip(0))
    found = column(detect(build_reference(drift_training), shifted), "clock_s")
    assert found.tests["z"].p_value < 0.01
    assert found.verdict == "quiet"


def test_order_of_the_rows_is_nothing(drift_training: pl.DataFrame, week: pl.DataFrame) -> None:
    """Shuffled tables give the same verdicts."""
    shuffled = build_reference(drift_training.sample(fraction=1, shuffle=True, seed=1))
    straight = build_reference(drift_training)
    assert [c.sketch for c in shuffled.columns] == [c.sketch for c in straight.columns]
    assert detect(straight, week).columns == detect(straight, week.reverse()).columns


def test_shots_that_lack_a_column_are_refused(
    drift_reference: DriftReference, week: pl.DataFrame
) -> None:
    """The missing column is named."""
    with pytest.raises(SchemaError, match="clock_s"):
        detect(drift_reference, week.drop("clock_s"))


def test_a_summary_says_its_answers_first_and_survives_its_file(
    drift_reference: DriftReference, week: pl.DataFrame, tmp_path: Path
) -> None:
    """What alerts read is on top; the whole can be read back."""
    summary = detect(drift_reference, week.with_columns(clock_s=pl.lit(0, pl.Int16)))
    path = tmp_path / "summary.json"
    summary.save(path)
    read = json.loads(path.read_text())
    assert list(read)[:4] == ["verdict", "data_drift", "drifted_columns", "concept_drift"]
    assert read["drifted_columns"] == ["clock_s"]
    assert read["reasons"] == list(summary.reasons)
    assert [c["name"] for c in read["columns"] if c["drifted"]] == ["clock_s"]
    assert DriftSummary.from_json(path.read_bytes()) == summary


def test_a_text_that_is_no_summary_is_refused() -> None:
    """Something else is a clear error."""
    with pytest.raises(SchemaError, match="not a drift summary"):
        DriftSummary.from_json("{}")


def test_overtimes_are_one_period_and_missing_is_a_value(week: pl.DataFrame) -> None:
    """Rare overtimes are put together; null is told from a word."""
    odd = week[:3].with_columns(
        period=pl.Series([5, 7, None], dtype=pl.Int8), action_type=pl.lit(None, pl.String)
    )
    values = monitored_values(odd, "test")
    assert values["period"].to_list() == [OVERTIME, OVERTIME, MISSING]
    assert values["action_type"].to_list() == [MISSING] * 3


ODD_BASE = functools.cache(lambda: league(2023, 25))
ODD_FLOATS = st.one_of(
    st.none(), st.floats(allow_nan=True, allow_infinity=True), st.floats(-30, 90)
)
ODD_ROWS = st.fixed_dictionaries(
    {
        "x_ft": ODD_FLOATS,
        "y_ft": ODD_FLOATS,
        "distance_ft": st.one_of(st.none(), st.integers(-(2**15), 2**15 - 1)),
        "action_type": st.one_of(st.none(), st.text(max_size=5)),
        "period": st.one_of(st.none(), st.integers(-128, 127)),
        "clock_s": st.one_of(st.none(), st.integers(-(2**15), 2**15 - 1)),
        "player_id": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        "shot_value": st.one_of(st.none(), st.integers(-128, 127)),
        "made": st.one_of(st.none(), st.sampled_from([0, 1])),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.lists(ODD_ROWS, min_size=1, max_size=8), st.sampled_from([1, 40, 400]), st.booleans())
def test_nothing_that_comes_in_breaks_the_monitor(
    rows: list[dict[str, object]], repeats: int, as_reference: bool
) -> None:
    """Any values give a summary that can be written and read back, as reference or as current."""
    plain = ODD_BASE()[: len(rows) * repeats]
    odd = plain.with_columns(
        *(
            pl.Series(name, [row[name] for row in rows] * repeats, dtype=plain.schema[name])[
                : plain.height
            ]
            for name in rows[0]
        )
    )
    before, after = (odd, plain) if as_reference else (plain, odd)
    p_made = np.resize([0.0, 0.3, np.nan, 1.0], after.height)
    reference = build_reference(before, before, np.resize([0.4], before.height))
    summary = detect(DriftReference.from_json(reference.to_json()), after, p_made)
    assert DriftSummary.from_json(summary.to_json()) == summary


@pytest.mark.parametrize("make", [lambda: league(2022, 60)], ids=["season"])
def test_detection_is_fast_enough_to_run_often(make: Callable[[], pl.DataFrame]) -> None:
    """Ten thousand shots take well under half a second of processor time."""
    import time

    shots = make()
    reference = build_reference(shots)
    start = time.process_time()
    detect(reference, shots, np.full(shots.height, 0.5))
    assert time.process_time() - start < 0.5

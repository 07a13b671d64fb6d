"""The drift report as files, made by a process of its own without network."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from parivision.drift import DriftSummary, build_reference, detect
from parivision.errors import ModelError
from parivision.reports import drift as drift_report
from parivision.sources.synthetic import P_TRUE, Drift, SyntheticConfig, generate

SCRIPT = """
import socket, sys
from pathlib import Path

def refuse(*args):
    raise AssertionError(f"the report asked for the network: {args}")

socket.socket.connect = refuse

import polars as pl
from parivision.drift import DriftSummary
from parivision.reports import drift as drift_report

folder = Path(sys.argv[1])
names = ("training", "later", "current")
training, later, current = (pl.read_parquet(folder / f"{name}.parquet") for name in names)
files = drift_report.write(
    training,
    current,
    DriftSummary.from_json((folder / "summary.json").read_bytes()),
    folder / "report",
    later=drift_report.Scored(later, later["p_true"]),
    p_current=current["p_true"],
)
print(*(path.name for path in files.paths))
"""


def league(season: int, games: int, drift: Drift | None = None) -> pl.DataFrame:
    """A season of a small league."""
    return generate(
        SyntheticConfig(seasons=(season,), games_a_season=games, drift=drift or Drift())
    )


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a report on moved coordinates, written by a subprocess."""
    folder = tmp_path_factory.mktemp("drift")
    training, later = league(2021, 60), league(2022, 30)
    current = league(2023, 30, Drift(moved_coordinates=2023))
    for name, shots in (("training", training), ("later", later), ("current", current)):
        shots.write_parquet(folder / f"{name}.parquet")
    reference = build_reference(training, later, later[P_TRUE], champion="test")
    detect(reference, current, current[P_TRUE]).save(folder / "summary.json")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT, str(folder)],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "drift_summary.json",
        "drift_summary.html",
        "evidently_drift.html",
        "evidently_drift.json",
        "evidently_performance.html",
    ]
    assert done.stderr == ""
    return folder / "report"


def test_nothing_half_written_is_left(report: Path) -> None:
    """The folder holds the five files and no others."""
    assert len(list(report.iterdir())) == 5


def test_the_summary_is_the_one_given(report: Path) -> None:
    """The archived JSON reads back to the same summary."""
    text = (report / drift_report.SUMMARY_JSON).read_text()
    assert text == (report.parent / "summary.json").read_text()
    assert DriftSummary.from_json(text).drifted_columns == ("y_ft", "distance_ft", "zone")
    assert "y_ft, distance_ft, zone" in (report / drift_report.SUMMARY_HTML).read_text()


def test_evidently_applies_every_test_and_agrees(report: Path) -> None:
    """Each of the seven columns has its tests and effects; the effects name the same columns."""
    metrics = json.loads((report / drift_report.EVIDENTLY_JSON).read_text())["metrics"]
    values = [m for m in metrics if m["config"]["type"].endswith("ValueDrift")]
    methods = {
        column: {m["config"]["method"] for m in values if m["config"]["column"] == column}
        for column in (*drift_report.NUMBERS, *drift_report.CATEGORIES)
    }
    for column in drift_report.NUMBERS:
        assert methods[column] == {"wasserstein", "ks", "psi", "jensenshannon"}
    for column in ("zone", "action_type"):
        assert methods[column] == {"jensenshannon", "chisquare", "psi"}
    assert methods["shot_value"] == {"jensenshannon", "chisquare", "psi", "z"}
    judged = values[: len(methods)]
    assert {m["config"]["column"] for m in judged if m["value"] > m["config"]["threshold"]} == {
        "y_ft",
        "distance_ft",
        "zone",
    }


@pytest.mark.parametrize("name", ["evidently_drift.html", "evidently_performance.html"])
def test_evidently_s_pages_fetch_nothing(report: Path, name: str) -> None:
    """They open without network."""
    page = (report / name).read_text()
    assert '<script src="http' not in page
    assert '<link href="http' not in page
    assert len(page) > 1_000_000


def test_the_performance_report_shows_both_sides(report: Path) -> None:
    """Current and reference stand side by side, with the log loss."""
    page = (report / "evidently_performance.html").read_text()
    assert "Current: Model Quality Metrics" in page
    assert "Reference: Model Quality Metrics" in page
    assert "LogLoss" in page


def test_a_sample_is_bounded_seeded_and_in_order() -> None:
    """The same seed keeps the same rows, in their order; a small table is kept whole."""
    shots = league(2023, 20)
    kept = drift_report.sample(shots, seed=3, rows=500)
    assert kept.equals(drift_report.sample(shots, seed=3, rows=500))
    assert not kept.equals(drift_report.sample(shots, seed=4, rows=500))
    assert kept.height == 500
    places = shots.with_row_index().join(kept, on=["game_id", "event_id"])["index"]
    assert places.sort().to_list() == sorted(set(places))
    assert drift_report.sample(shots, seed=3).equals(shots)


def test_what_cannot_be_scored_is_told_from_what_can() -> None:
    """One class, few labels or missing probabilities give no performance report."""
    shots = league(2023, 2)
    good = drift_report._scored(drift_report.Scored(shots, shots[P_TRUE]), 0)
    assert drift_report._can_be_scored(good)
    one_class = shots.with_columns(made=pl.lit(1, pl.Int8))
    nothing = np.full(shots.height, np.nan)
    for scored in (
        drift_report.Scored(one_class, shots[P_TRUE]),
        drift_report.Scored(shots, nothing),
        drift_report.Scored(shots[:50], shots[P_TRUE][:50]),
    ):
        assert not drift_report._can_be_scored(drift_report._scored(scored, 0))
    with pytest.raises(ModelError, match="one probability a shot"):
        drift_report._scored(drift_report.Scored(shots, [0.5]), 0)

"""The reference of a champion: what it keeps of the training shots, and its file."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from parivision.drift import (
    MONITORED_NAMES,
    DriftReference,
    build_reference,
)
from parivision.drift.reference import BLOCK_SHOTS, MAX_WIDENING, REFERENCE_SHOTS, ColumnReference
from parivision.drift.sketch import CategorySketch
from parivision.errors import SchemaError


def test_what_a_reference_s_own_weeks_show_is_allowed() -> None:
    """The limit follows the blocks' variability, up to a few times its floor."""

    def limit(*blocks: float) -> float:
        effects = {"jensen_shannon": blocks}
        made = ColumnReference("zone", "category", CategorySketch(1, {"a": 1}), effects)  # type: ignore[arg-type]
        return made.limit("jensen_shannon", 0.05)

    assert limit() == 0.05
    assert limit(*[0.2] * 4) == 0.05
    assert limit(*[0.01] * 9) == 0.05
    assert limit(*[0.07] * 9) == pytest.approx(0.07)
    assert limit(*[0.07, 0.08, 0.06] * 3) == pytest.approx(0.07 + 3 * 1.4826 * 0.01)
    assert limit(*[0.9] * 9) == pytest.approx(MAX_WIDENING * 0.05)
    # One bad week does not blind the monitor.
    assert limit(*[0.01] * 9, 0.9) == 0.05


def test_a_reference_is_cut_to_the_latest_shots(drift_training: pl.DataFrame) -> None:
    """Only the last shots of a long training count, in the order of the games."""
    old = drift_training.with_columns(
        pl.lit(date(2000, 1, 1)).alias("game_date"), pl.lit("old").alias("action_type")
    )
    copies = -(-REFERENCE_SHOTS // drift_training.height)
    long = pl.concat([*[drift_training] * copies, old])
    made = build_reference(long)
    assert made.n_shots == REFERENCE_SHOTS
    assert made.first_day > "2000-01-01"
    action = next(c for c in made.columns if c.name == "action_type")
    assert isinstance(action.sketch, CategorySketch)
    assert "old" not in action.sketch.counts
    assert len(action.block_effects["jensen_shannon"]) == REFERENCE_SHOTS // BLOCK_SHOTS


def test_a_reference_survives_its_file(drift_reference: DriftReference, tmp_path: Path) -> None:
    """Saved and loaded it is the same, and small."""
    path = tmp_path / "reference.json"
    drift_reference.save(path)
    assert DriftReference.load(path) == drift_reference
    assert path.stat().st_size < 200_000


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"version": "x"}'])
def test_a_file_that_is_no_reference_is_refused(tmp_path: Path, text: str) -> None:
    """Something else in the file is a clear error."""
    path = tmp_path / "reference.json"
    path.write_text(text)
    with pytest.raises(SchemaError, match="not a drift reference"):
        DriftReference.load(path)


def test_a_reference_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A missing file is named."""
    with pytest.raises(SchemaError, match=r"nowhere\.json"):
        DriftReference.load(tmp_path / "nowhere.json")


def test_a_reference_needs_shots(drift_training: pl.DataFrame) -> None:
    """An empty training table is refused."""
    with pytest.raises(SchemaError, match="empty"):
        build_reference(drift_training[:0])


def test_progress_is_told(drift_training: pl.DataFrame) -> None:
    """Every column done is reported."""
    told: list[tuple[int, int]] = []
    build_reference(drift_training[:2000], progress=lambda done, of: told.append((done, of)))
    assert told == [(i + 1, len(MONITORED_NAMES)) for i in range(len(MONITORED_NAMES))]

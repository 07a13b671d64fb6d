"""What is kept of the champion's training data to judge later data: a few hundred kilobytes.

Every column keeps its sketch and how far each block of the training games (about a week of the
league) lay from the whole. That is the natural variability: a column is allowed what its own
reference shows, so a quiet season stays quiet, and a reference that spans years of slow change
allows that much change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from pydantic import TypeAdapter, ValidationError

from parivision import strict_json
from parivision.drift.columns import (
    MONITORED,
    Effect,
    Kind,
    Monitored,
    in_game_order,
    monitored_values,
)
from parivision.drift.performance import PerformanceReference, make_rates, performance_reference
from parivision.drift.segments import Levels, SegmentLevel
from parivision.drift.sketch import (
    CategorySketch,
    FloatArray,
    NumericSketch,
    bin_of,
    category_codes,
    category_counts,
    jensen_shannon,
    label_counts,
    quantiles_of,
    wasserstein,
)
from parivision.errors import SchemaError

REFERENCE_VERSION: Final = 1
REFERENCE_SHOTS: Final = 600_000
"""About three seasons. Older shots say little about what is normal now, and a reference that spans
an era of change would be blind to it."""
BLOCK_SHOTS: Final = 9000
"""A week of the league."""
# With fewer blocks a median deviation says nothing, and the limit stays at its floor.
MIN_BLOCKS: Final = 5
SMALL_BLOCKS: Final = 10
MAX_WIDENING: Final = 3.0
"""A limit grows with the reference's own variability up to so many times its floor: a reference
with a break inside must not make the monitor blind."""
_NORMAL_MAD: Final = 1.4826
"""Standard deviations of a normal distribution in its median absolute deviation."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ColumnReference:
    """A watched column of the training data: its sketch and its blocks' distances from it."""

    name: str
    kind: Kind
    sketch: NumericSketch | CategorySketch
    block_effects: dict[Effect, tuple[float, ...]]

    def limit(self, effect: Effect, floor: float) -> float:
        """How large the effect may be: the floor, or what the reference's own blocks show.

        The latter is their median and three robust standard deviations, at most `MAX_WIDENING`
        floors. The robust standard deviation is the median absolute deviation, scaled to that of
        a normal distribution: a single odd block does not widen the limit.
        """
        effects = np.asarray(self.block_effects.get(effect, ()))
        if len(effects) < MIN_BLOCKS:
            return floor
        middle = float(np.median(effects))
        spread = _NORMAL_MAD * float(np.median(np.abs(effects - middle)))
        return min(max(floor, middle + 3 * spread), MAX_WIDENING * floor)


@dataclass(frozen=True)
class DriftReference:
    """The training data of one champion, for the monitor; kept next to the model.

    `make_rates` are those of the training shots by segment. `performance` is None when no labelled
    later games were given; the labelled part then takes the champion for calibrated.
    """

    version: int
    champion: str
    n_shots: int
    first_day: str
    last_day: str
    columns: tuple[ColumnReference, ...]
    make_rate: SegmentLevel | None
    make_rates: Levels
    performance: PerformanceReference | None

    def to_json(self) -> str:
        """The reference as text; `from_json` reads it back."""
        return strict_json.text(_adapter().dump_python(self, mode="json"), compact=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Read what `to_json` wrote; SchemaError when it is something else."""
        try:
            return _adapter().validate_json(text)  # type: ignore[return-value]
        except ValidationError as error:
            raise SchemaError(
                f"not a drift reference: {error}. Build one with build_reference."
            ) from error

    def save(self, path: Path) -> None:
        """Write the reference as JSON."""
        path.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a reference that `save` wrote."""
        try:
            return cls.from_json(path.read_bytes())
        except OSError as error:
            raise SchemaError(f"the drift reference {path} cannot be read: {error}") from error


@cache
def _adapter() -> TypeAdapter[DriftReference]:
    return TypeAdapter(DriftReference)


def build_reference(
    training: pl.DataFrame,
    later: pl.DataFrame | None = None,
    p_later: ArrayLike | None = None,
    *,
    champion: str = "",
    progress: Progress | None = None,
) -> DriftReference:
    """The reference of a champion trained on `training`; its last `REFERENCE_SHOTS` shots are used.

    `later` are labelled games that the champion was not fitted on and `p_later` its probabilities
    for them, in the same order: they say how well it does when nothing drifts. `progress` gets
    (columns done, columns in all).
    """
    if training.is_empty():
        raise SchemaError("a drift reference needs shots: the training table is empty")
    values = in_game_order(monitored_values(training, "drift reference")).tail(REFERENCE_SHOTS)
    blocks = block_of(values.height)
    columns = []
    for done, column in enumerate(MONITORED, start=1):
        columns.append(_column_reference(column, values[column.name], blocks))
        if progress is not None:
            progress(done, len(MONITORED))
    performance = None
    if later is not None and p_later is not None:
        performance = performance_reference(monitored_values(later, "later games"), p_later)
    rate, rates = make_rates(values)
    days = values["game_date"]
    return DriftReference(
        version=REFERENCE_VERSION,
        champion=champion,
        n_shots=values.height,
        first_day=str(days.min()),
        last_day=str(days.max()),
        columns=tuple(columns),
        make_rate=rate,
        make_rates=rates,
        performance=performance,
    )


def block_of(n_rows: int) -> NDArray[np.int64]:
    """The block of each row, rows being in the order of the games.

    Blocks of `BLOCK_SHOTS`; a small table is cut in ten.
    """
    n_blocks = max(n_rows // BLOCK_SHOTS, SMALL_BLOCKS)
    # In whole numbers: blocks differ by one row at most, and no rest is left at the end.
    return np.arange(n_rows) * n_blocks // n_rows


def _column_reference(
    column: Monitored, values: pl.Series, blocks: NDArray[np.int64]
) -> ColumnReference:
    sketch: NumericSketch | CategorySketch
    if column.kind == "numeric":
        sketch = NumericSketch.of(values.to_numpy())
        effects = _numeric_blocks(sketch, values.to_numpy(), blocks)
    elif column.kind == "label":
        sketch = CategorySketch.of(label_counts(values.to_numpy()))
        effects = _label_blocks(values.to_numpy(), blocks)
    else:
        sketch = CategorySketch.of(category_counts(values))
        # For a population the effect is who was never seen, and nobody in the reference is that.
        effects = _category_blocks(sketch, values, blocks) if column.kind == "category" else {}
    return ColumnReference(column.name, column.kind, sketch, effects)


def _numeric_blocks(
    sketch: NumericSketch, values: FloatArray, blocks: NDArray[np.int64]
) -> dict[Effect, tuple[float, ...]]:
    if not sketch.n:
        return {}
    whole = sketch.bin_counts()
    table = _block_table(bin_of(values, sketch.bin_edges()), blocks, len(whole))
    quantiles = sketch.quantiles()
    # Blocks are numbered in the order of the rows, so each is a slice.
    starts = np.searchsorted(blocks, np.arange(blocks[-1] + 2))
    parts = [values[start:end] for start, end in pairwise(starts)]
    finite = [part[np.isfinite(part)] for part in parts]
    distances = [wasserstein(quantiles, quantiles_of(p), sketch.std) for p in finite if len(p)]
    return {
        "jensen_shannon": tuple(jensen_shannon(whole, row) for row in table),
        "wasserstein": tuple(distances),
    }


def _category_blocks(
    sketch: CategorySketch, values: pl.Series, blocks: NDArray[np.int64]
) -> dict[Effect, tuple[float, ...]]:
    codes = category_codes(values, tuple(sketch.counts))
    whole = np.append(np.fromiter(sketch.counts.values(), np.float64), 0.0)
    table = _block_table(codes, blocks, len(whole))
    return {"jensen_shannon": tuple(jensen_shannon(whole, row) for row in table)}


def _label_blocks(made: FloatArray, blocks: NDArray[np.int64]) -> dict[Effect, tuple[float, ...]]:
    labelled = np.isfinite(made)
    if not labelled.any():
        return {}
    shots = np.bincount(blocks[labelled])
    makes = np.bincount(blocks[labelled], weights=made[labelled])
    rates = makes[shots > 0] / shots[shots > 0]
    return {"rate_change": tuple(np.abs(rates - made[labelled].mean()).tolist())}


def _block_table(codes: NDArray[np.int64], blocks: NDArray[np.int64], n_codes: int) -> FloatArray:
    """How often each code comes in each block, shape (blocks, n_codes)."""
    n_blocks = int(blocks[-1]) + 1
    flat = np.bincount(blocks * n_codes + codes, minlength=n_blocks * n_codes)
    return flat.reshape(n_blocks, n_codes).astype(np.float64)

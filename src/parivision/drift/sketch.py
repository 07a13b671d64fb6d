"""A column in a few hundred numbers, and how far two of them lie apart.

A sketch of the champion's training data stands in for its millions of rows. Numbers are kept as the
exact cumulative counts at up to 1,024 of their own values (places are recorded to a tenth of a
foot, so most columns are kept whole), categories as their counts.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

MAX_EDGES: Final = 1024
BINS: Final = 20
QUANTILES: Final = 500
MAX_CATEGORIES: Final = 5000
LN2: Final = float(np.log(2.0))


@dataclass(frozen=True)
class NumericSketch:
    """A numeric column: `counts[i]` values lie in (edges[i-1], edges[i]]; `n` are not missing."""

    n: int
    n_missing: int
    mean: float
    std: float
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: FloatArray) -> Self:
        """The sketch of a column; NaN counts as missing. A column without values is allowed."""
        finite = values[np.isfinite(values)]
        missing = len(values) - len(finite)
        if not len(finite):
            return cls(0, missing, 0.0, 0.0, (), ())
        distinct, counts = np.unique(finite, return_counts=True)
        # Over the sorted values: the order of the rows must not show in the last digits.
        mean = float(distinct @ counts / len(finite))
        std = float(np.sqrt((distinct - mean) ** 2 @ counts / len(finite)))
        if len(distinct) > MAX_EDGES:
            share = np.cumsum(counts) / len(finite)
            # Without the small number a share that rounding put just below its cut would miss it.
            keep = np.unique(
                np.searchsorted(share, np.arange(1, MAX_EDGES + 1) / MAX_EDGES - 1e-12)
            )
            counts = np.diff(np.cumsum(counts)[keep], prepend=0)
            distinct = distinct[keep]
        return cls(
            n=len(finite),
            n_missing=missing,
            mean=mean,
            std=std,
            edges=tuple(distinct.tolist()),
            counts=tuple(counts.tolist()),
        )

    def quantiles(self) -> FloatArray:
        """The column's values at the middles of `QUANTILES` equal slices of its mass."""
        indices = np.searchsorted(np.cumsum(self.counts), _slice_middles(self.n))
        return np.asarray(self.edges, np.float64)[indices]

    def bin_edges(self) -> FloatArray:
        """Upper edges of about `BINS` bins of equal mass; a value that fills half a bin gets one.

        Such values are real: a tenth of the shots at the rim are logged at exactly (0, 0).
        """
        mass = np.asarray(self.counts) / self.n
        share = np.cumsum(mass)
        cuts = np.searchsorted(share, np.arange(1, BINS) / BINS - 1e-12)
        # A heavy value ends a bin, and so does the one before it: then it is alone in its bin.
        heavy = np.flatnonzero(mass >= 0.5 / BINS)
        indices = np.unique(np.concatenate([cuts, heavy, heavy[heavy > 0] - 1]))
        # The last bin is open: what lies beyond the reference's greatest value belongs to it.
        inner = indices[indices < len(self.edges) - 1].tolist()
        return np.asarray([self.edges[index] for index in inner], np.float64)

    def bin_counts(self) -> FloatArray:
        """How many of the sketched values, missing ones last, lie in each bin of `bin_edges`."""
        bins = np.searchsorted(self.bin_edges(), np.asarray(self.edges), side="left")
        inside = np.bincount(bins, weights=self.counts, minlength=len(self.bin_edges()) + 1)
        return np.append(inside, float(self.n_missing))


@dataclass(frozen=True)
class CategorySketch:
    """A categorical column: how often each value came; `n` counts all of them."""

    n: int
    counts: dict[str, int]

    @classmethod
    def of(cls, counts: dict[str, int]) -> Self:
        """The sketch of a column from its counts; only the commonest categories are kept."""
        # What is not kept counts as never seen: it is rarer than all of these.
        kept = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_CATEGORIES]
        return cls(sum(counts.values()), dict(kept))


def bin_of(values: FloatArray, edges: FloatArray) -> NDArray[np.int64]:
    """The bin of each value: (edges[i-1], edges[i]], an open last one, and one for missing."""
    bins = np.searchsorted(edges, values, side="left")
    return np.where(np.isfinite(values), bins, len(edges) + 1)


def category_counts(values: pl.Series) -> dict[str, int]:
    """How often each category comes."""
    counted = values.value_counts(name="shots")
    return dict(zip(counted[values.name].to_list(), counted["shots"].to_list(), strict=True))


def label_counts(made: FloatArray) -> dict[str, int]:
    """Misses ("0") and makes ("1") among the shots whose outcome is known."""
    return {"0": int((made == 0).sum()), "1": int((made == 1).sum())}


def category_codes(values: pl.Series, categories: tuple[str, ...]) -> NDArray[np.int64]:
    """The index of each value in `categories`, or their number for one that is not in them."""
    indices = {category: index for index, category in enumerate(categories)}
    codes = values.replace_strict(indices, default=len(indices), return_dtype=pl.Int64)
    return codes.to_numpy()


def quantiles_of(values: FloatArray) -> FloatArray:
    """Like `NumericSketch.quantiles`, for finite values at hand; at least one is needed."""
    return np.sort(values)[_slice_middles(len(values)) - 1]


def jensen_shannon(p_counts: FloatArray, q_counts: FloatArray) -> float:
    """Jensen-Shannon distance of two tables of counts, base 2, less its sampling bias.

    The square root of the divergence (Lin 1991), from 0 (same) to 1 (nothing in common).
    Two samples of one population lie apart by chance; the mean of that, in the divergence, is
    (k - 1) (1/n + 1/N) / 8 nats and is taken off. 0 when either table is empty.
    """
    n_p, n_q = float(p_counts.sum()), float(q_counts.sum())
    if n_p == 0 or n_q == 0:
        return 0.0
    p, q = p_counts / n_p, q_counts / n_q
    middle = (p + q) / 2
    divergence = (_relative_entropy(p, middle) + _relative_entropy(q, middle)) / 2
    # 8 n times the divergence (in nats) is about chi-square with k - 1 degrees of freedom, n being
    # the effective size 1 / (1/n_p + 1/n_q). Its mean, k - 1, gives the bias.
    cells = int((p_counts > 0).sum())
    bias = (cells - 1) * (1 / n_p + 1 / n_q) / 8 / LN2
    return float(np.sqrt(max(divergence - bias, 0.0)))


def jensen_shannon_error(distance: float, cells: int, n_effective: float) -> float:
    """Standard error of `jensen_shannon` where it is about `distance`, in `cells` cells.

    From the noncentral chi-square that the divergence follows: X2 = 8 ln 2 n d^2.
    """
    squared = 8 * LN2 * distance**2
    spread = np.sqrt(2 * max(cells - 1, 1) + 4 * n_effective * squared) / n_effective
    return float(spread / (16 * LN2 * distance))


def stability_index(p_counts: FloatArray, q_counts: FloatArray) -> float:
    """Population stability index (PSI): the sum over the cells of (p - q) ln(p / q).

    It is a symmetric relative entropy, in nats. Every cell gets half a count, so that none is
    empty.
    """
    p = (p_counts + 0.5) / (p_counts.sum() + 0.5 * len(p_counts))
    q = (q_counts + 0.5) / (q_counts.sum() + 0.5 * len(q_counts))
    return float(np.sum((p - q) * np.log(p / q)))


def wasserstein(reference: FloatArray, current: FloatArray, scale: float) -> float:
    """The 1-Wasserstein distance: mean distance of two sets of quantiles, in units of `scale`.

    In one dimension the best transport moves quantile to quantile. A scale of 0 counts as 1.
    """
    return float(np.abs(reference - current).mean() / (scale or 1.0))


def _relative_entropy(p: FloatArray, q: FloatArray) -> float:
    # x log x goes to 0 with x.
    filled = p > 0
    return float(np.sum(p[filled] * np.log2(p[filled] / q[filled])))


def _slice_middles(n: int) -> NDArray[np.int64]:
    """Ranks, from 1 on, of the values in the middle of equal slices of n sorted ones."""
    # Whole numbers: the sketch and the values at hand must pick the same ones.
    return ((2 * np.arange(QUANTILES) + 1) * n + 2 * QUANTILES - 1) // (2 * QUANTILES)

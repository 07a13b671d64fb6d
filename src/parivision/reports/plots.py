"""Charts of data and models, drawn without a screen: each function returns a new figure.

Figures are matplotlib objects of their own; no state is shared, so they may be drawn in any thread.
They are sized for a phone's width and drawn in the colours of `parivision.reports.palette`.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Final

import matplotlib as mpl
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from parivision.reports import palette
from parivision.scoring.scores import Confusion

WIDTH_IN: Final = 4.7
HEIGHT_IN: Final = 3.1
FONT_PT: Final = 9


def figure_svg(figure: Figure) -> str:
    """The figure as SVG text, the same for the same data; text stays text."""
    buffer = io.StringIO()
    # Without a salt of its own and with a date, matplotlib's SVG differs from run to run.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "parivision"}):
        figure.savefig(buffer, format="svg", dpi=150, transparent=True, metadata={"Date": None})
    return buffer.getvalue()


def figure_png(figure: Figure, dpi: int = 150) -> bytes:
    """The figure as a PNG file on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()


def new_figure(
    width_in: float = WIDTH_IN, height_in: float = HEIGHT_IN, *, grid: str = "y"
) -> tuple[Figure, Axes]:
    """An empty figure with one styled pair of axes; `grid` is "x", "y", "both" or "none"."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.add_subplot()
    style_axes(axes, grid)
    return figure, axes


def style_axes(axes: Axes, grid: str = "y") -> None:
    """Give axes the figures' style; `grid` as in `new_figure`."""
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(palette.MUTED)
    axes.tick_params(colors=palette.MUTED, labelsize=FONT_PT, labelcolor=palette.INK)
    axes.set_axisbelow(True)
    if grid != "none":
        axes.grid(axis=grid, color=palette.GRID, linewidth=0.8)  # type: ignore[arg-type]


def label_axes(axes: Axes, x: str = "", y: str = "") -> None:
    """Name the axes in the figures' type."""
    axes.set_xlabel(x, fontsize=FONT_PT, color=palette.MUTED)
    axes.set_ylabel(y, fontsize=FONT_PT, color=palette.MUTED)


def percent_axis(axes: Axes, which: str = "y") -> None:
    """Show shares from 0 to 1 as percentages."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_formatter(lambda value, _: f"{100 * value:.4g}%")


def legend(axes: Axes, columns: int = 3) -> None:
    """A frameless legend above the axes, in the figures' type, where it hides nothing."""
    axes.legend(
        frameon=False, fontsize=FONT_PT, labelcolor=palette.INK, ncols=columns, handlelength=1.4,
        columnspacing=1.2, loc="lower left", bbox_to_anchor=(0, 1.0), borderaxespad=0.2,
    )  # fmt: skip


def reliability_plot(tables: Mapping[str, pl.DataFrame]) -> Figure:
    """Predicted against real make rate of one or more models (tables of `scores.reliability`).

    The first model is drawn with its intervals; on the dashed line probabilities are true.
    """
    figure, axes = new_figure(height_in=4.0, grid="both")
    axes.axline((0, 0), slope=1, color=palette.MUTED, linewidth=1, linestyle="--")
    for i, (name, table) in enumerate(tables.items()):
        colour, p_made, made = palette.SERIES[i], table["mean_p_made"], table["made_rate"]
        if i == 0:
            error = [made - table["low"], table["high"] - made]
            axes.errorbar(p_made, made, error, fmt="none", ecolor=colour, elinewidth=1.2, zorder=3)
        axes.plot(
            p_made, made, color=colour, marker="o", markersize=4 if i == 0 else 2.5,
            linewidth=1.6 if i == 0 else 1, label=name, zorder=4 - min(i, 2),
        )  # fmt: skip
    ends = [value for table in tables.values() for value in (*table["low"], *table["high"])]
    centres = [value for table in tables.values() for value in table["mean_p_made"]]
    low, high = min(*ends, *centres), max(*ends, *centres)
    axes.set(xlim=(low - 0.02, high + 0.02), ylim=(low - 0.02, high + 0.02))
    label_axes(axes, "predicted probability", "made")
    percent_axis(axes, "x")
    percent_axis(axes)
    legend(axes)
    return figure


def roc_plot(curves: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """ROC curves: name to false and true positive rates (`scores.roc_curve`)."""
    figure, axes = new_figure(height_in=4.0, grid="both")
    axes.plot([0, 1], [0, 1], color=palette.MUTED, linewidth=1, linestyle="--")
    for i, (name, (false, true)) in enumerate(curves.items()):
        axes.plot(
            np.asarray(false), np.asarray(true), color=palette.SERIES[i % len(palette.SERIES)],
            linewidth=2 if i == 0 else 1.2, label=name, zorder=4 if i == 0 else 3,
        )  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.005)
    label_axes(axes, "misses called makes", "makes called makes")
    percent_axis(axes, "x")
    percent_axis(axes)
    axes.legend(frameon=False, fontsize=FONT_PT, labelcolor=palette.INK, loc="lower right")
    return figure


def confusion_plot(counts: Confusion) -> Figure:
    """The confusion matrix with counts and shares of all shots."""
    cells = np.array(
        [[counts.true_made, counts.false_missed], [counts.false_made, counts.true_missed]]
    )
    figure, axes = new_figure(height_in=3.3, grid="none")
    shares = cells / max(counts.n_shots, 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=max(float(shares.max()), 0.01) * 1.15)
    for (row, column), count in np.ndenumerate(cells):
        share = shares[row, column]
        axes.text(
            column, row, f"{count:,}\n{share:.1%}", ha="center", va="center", fontsize=11,
            color=contrast(share > shares.max() / 2),
        )  # fmt: skip
    axes.set_xticks([0, 1], ["make", "miss"])
    axes.set_yticks([0, 1], ["make", "miss"])
    axes.set_aspect("auto")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    label_axes(axes, "predicted", "seen")
    return figure


def contrast(is_dark: bool) -> str:
    """Black or white, whichever can be read on a filled cell; the same in every theme."""
    return "#ffffff" if is_dark else "#101418"


def importance_plot(importances: Mapping[str, float], top: int = 15) -> Figure:
    """The `top` most important features as shares of all importance, the largest above."""
    total = sum(importances.values()) or 1.0
    ranked = sorted(importances.items(), key=lambda item: item[1], reverse=True)[:top]
    names = [name for name, _ in ranked][::-1]
    figure, axes = new_figure(height_in=max(0.9 + 0.24 * len(names), 1.4), grid="x")
    axes.barh(names, [value / total for _, value in ranked][::-1], color=palette.BLUE, height=0.68)
    axes.tick_params(axis="y", length=0)
    percent_axis(axes, "x")
    label_axes(axes, "share of all importance")
    return figure


def comparison_plot(table: pl.DataFrame, score: str, label: str, best: str = "") -> Figure:
    """One score of several models as points with intervals, in the table's order from the top.

    `table` has the columns model, `score`, `score`_low and `score`_high. Points, not bars: scores
    such as log loss differ little and bars from zero would hide it. `best` is highlighted.
    """
    rows = table.select("model", score, f"{score}_low", f"{score}_high").rows()[::-1]
    figure, axes = new_figure(height_in=0.9 + 0.3 * len(rows), grid="x")
    for i, (name, value, low, high) in enumerate(rows):
        colour = palette.VERMILION if name == best else palette.BLUE
        if low is not None and high is not None:
            axes.plot([low, high], [i, i], color=colour, linewidth=2.2, solid_capstyle="butt")
        axes.plot(value, i, marker="o", markersize=6, color=colour)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.tick_params(axis="y", length=0)
    label_axes(axes, label)
    return figure


def bars_plot(
    labels: Sequence[str],
    values: ArrayLike,
    *,
    low: ArrayLike | None = None,
    high: ArrayLike | None = None,
    label: str = "",
    is_percent: bool = True,
) -> Figure:
    """Horizontal bars from zero, first on top, with their values and, if given, intervals."""
    lengths = np.asarray(values, np.float64)
    figure, axes = new_figure(height_in=0.75 + 0.31 * len(labels), grid="x")
    heights = np.arange(len(labels))[::-1]
    axes.barh(heights, lengths, color=palette.BLUE, height=0.66)
    ends = lengths
    if low is not None and high is not None:
        ends = np.asarray(high, np.float64)
        error = [lengths - np.asarray(low, np.float64), ends - lengths]
        axes.errorbar(lengths, heights, xerr=error, fmt="none", ecolor=palette.INK, elinewidth=1.2)
    for height, value, end in zip(heights, lengths, ends, strict=True):
        axes.annotate(
            f"{value:.1%}" if is_percent else f"{value:.2f}", (end, height), (5, 0),
            textcoords="offset points", va="center", fontsize=FONT_PT, color=palette.INK,
        )  # fmt: skip
    axes.set_yticks(heights, list(labels))
    # Room for the values at the bars' ends; an axis of no length cannot be drawn.
    axes.set_xlim(0, float(ends.max(initial=0)) * 1.17 or 1)
    axes.tick_params(axis="y", length=0)
    if is_percent:
        percent_axis(axes, "x")
    label_axes(axes, label)
    return figure


def lines_plot(
    x: ArrayLike,
    series: Mapping[str, ArrayLike],
    *,
    x_label: str = "",
    y_label: str = "",
    bands: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    is_percent: bool = False,
    x_names: Sequence[str] | None = None,
) -> Figure:
    """Lines over a common x, such as log loss by season for several models, with bands if given.

    Whole-number x (seasons) get whole-number ticks, or the `x_names`. Missing values leave a gap.
    """
    figure, axes = new_figure()
    positions = np.asarray(x)
    for i, (name, values) in enumerate(series.items()):
        colour = palette.SERIES[i % len(palette.SERIES)]
        axes.plot(
            positions, np.asarray(values, np.float64), color=colour, marker="o", markersize=3.5,
            linewidth=1.6, label=name,
        )  # fmt: skip
        if bands and name in bands:
            low, high = (np.asarray(end, np.float64) for end in bands[name])
            axes.fill_between(positions, low, high, color=colour, alpha=0.2, linewidth=0)
    if x_names is not None:
        axes.set_xticks(positions, list(x_names), rotation=30, ha="right", rotation_mode="anchor")
    elif np.issubdtype(positions.dtype, np.integer):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if is_percent:
        percent_axis(axes)
    if len(series) > 1:
        legend(axes)
    label_axes(axes, x_label, y_label)
    return figure


def heatmap_plot(names: Sequence[str], matrix: ArrayLike) -> Figure:
    """A square matrix of correlations from -1 to 1; cells that are not defined stay empty."""
    values = np.asarray(matrix, np.float64)
    figure, axes = new_figure(height_in=4.3, grid="none")
    axes.imshow(values, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        # `+ 0.0` and the replacement: a zero is shown without a sign.
        if np.isfinite(value):
            colour = contrast(bool(abs(value) > 0.6))
            axes.text(
                column, row, f"{value + 0.0:.2f}".replace("-0.00", "0.00"), ha="center",
                va="center", fontsize=7, color=colour,
            )  # fmt: skip
    axes.set_xticks(range(len(names)), list(names), rotation=55, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), list(names))
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    return figure

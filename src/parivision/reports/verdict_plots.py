"""The verdict drawn: one rollout's path, how fast rollouts end, and the fixed rule beside it."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.figure import Figure

from parivision.reports import palette, plots
from parivision.simulation.study import Path, Study

BAND: Final = "challenger - champion"
THRESHOLDS: Final = tuple(np.geomspace(0.002, 0.3, 60).tolist())
_ROOM: Final = 4.0
"""Bounds are drawn to so many times the last one's width: the first ones would hide the rest."""


def path_plot(path: Path, margin: float) -> Figure:
    """The mean difference of log loss and its bounds over the labelled shots, up to the end."""
    figure = plots.lines_plot(
        np.array(path.shots),
        {BAND: path.mean},
        bands={BAND: (path.low, path.high)},
        x_label="labelled shots",
        y_label="log loss, nats a shot",
    )
    axes = figure.axes[0]
    axes.axhline(0, color=palette.MUTED, linewidth=1)
    axes.axhline(margin, color=palette.VERMILION, linewidth=1, linestyle="--")
    axes.annotate(
        "margin", (1, margin), (0, 3), xycoords=("axes fraction", "data"), ha="right",
        textcoords="offset points", fontsize=plots.FONT_PT, color=palette.VERMILION,
    )  # fmt: skip
    reach = max(_ROOM * (path.high[-1] - path.low[-1]), 2 * abs(path.mean[-1]), 2 * margin)
    axes.set_ylim(-reach / 2, reach / 2)
    return figure


def endings_plot(studies: Sequence[Study], *, passed: bool = False) -> Figure:
    """Share of rollouts that have failed (or passed) within so many labelled shots."""
    plan = studies[0].plan
    shots = np.arange(0, plan.shots + 1, plan.batch)
    series = {}
    for each in studies:
        share = each.passed if passed else each.failed
        series[each.world] = [share(int(n)).rate for n in shots]
    figure = plots.lines_plot(
        shots,
        series,
        x_label="labelled shots",
        y_label="rollouts passed" if passed else "rollouts failed",
        is_percent=True,
    )
    axes = figure.axes[0]
    axes.set_ylim(-0.02, 1.02)
    plots.legend(axes, columns=2)  # three names of worlds do not fit beside each other
    return figure


def comparison_plot(equal: Sequence[Study], worse: Study) -> Figure:
    """False alarms against power: the fixed rule at every threshold, the verdict as a point.

    One line and one point for each kind of equal models. A threshold that is right for one kind
    is wrong for another; squares mark one and the same threshold.
    """
    figure, axes = plots.new_figure(height_in=3.6, grid="both")
    power = [worse.fixed_failed(at).rate for at in THRESHOLDS]
    for each, colour in zip(equal, palette.SERIES, strict=False):
        false = [each.fixed_failed(at).rate for at in THRESHOLDS]
        axes.plot(false, power, color=colour, linewidth=1.6, label=each.world)
        for shares, marker in (
            ((each.fixed_failed(), worse.fixed_failed()), "s"),
            ((each.failed(), worse.failed()), "o"),
        ):
            axes.plot(
                shares[0].rate, shares[1].rate, color=colour, marker=marker, markersize=8,
                linestyle="none", clip_on=False,
            )  # fmt: skip
    axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
    plots.label_axes(axes, "false alarms with equal models", f"found: {worse.world}")
    plots.percent_axis(axes, "x")
    plots.percent_axis(axes)
    plots.legend(axes, columns=2)
    return figure

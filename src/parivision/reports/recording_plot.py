"""Recorded rollouts drawn beside each other: the canary's share above, the evidence below."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from parivision.promotion.ends import End
from parivision.reports import palette, plots
from parivision.simulation.recording import RecordedRollout, Recording

_WIDTH_IN, _HEIGHT_IN = 8.2, 4.2
_MINUTE_S: Final = 60.0
_ROOM: Final = 2.5
"""Bounds are drawn to so many times the last difference: the first ones would hide the rest."""
_OUTCOMES: Final[dict[str, str]] = {
    End.PROMOTED: palette.GREEN,
    End.CONFIRMED: palette.GREEN,
    End.ROLLED_BACK: palette.VERMILION,
}


def recording_plot(recording: Recording) -> Figure:
    """Weights and evidence over time, a column for each rollout, on the same axes.

    Below 0 the challenger is better than the champion. The title says where it was recorded.
    """
    rollouts = recording.rollouts
    figure = Figure(figsize=(_WIDTH_IN, _HEIGHT_IN), layout="constrained")
    axes = figure.subplots(2, len(rollouts), sharex="col", sharey="row", squeeze=False)
    for (above, below), rollout in zip(axes.T, rollouts, strict=True):
        colour = _OUTCOMES.get(rollout.outcome, palette.MUTED)
        minutes = _column(rollout, "elapsed_s") / _MINUTE_S
        plots.style_axes(above)
        plots.style_axes(below)
        _draw_share(above, minutes, rollout, colour)
        _draw_evidence(below, minutes, rollout, colour)
    plots.label_axes(axes[0, 0], y="canary's share")
    plots.label_axes(axes[1, 0], y="log loss,\nchallenger - champion")
    for below in axes[1]:
        plots.label_axes(below, "minutes", below.get_ylabel())
    reach = _reach(rollouts)
    axes[1, 0].set_ylim(-reach, reach)
    figure.suptitle(
        f"recorded on {recording.source}, {recording.recorded_on}",
        fontsize=plots.FONT_PT,
        color=palette.MUTED,
    )
    return figure


def _draw_share(
    axes: Axes, minutes: NDArray[np.float64], rollout: RecordedRollout, colour: str
) -> None:
    axes.set_title(
        f"{rollout.name} challenger: {rollout.outcome.replace('_', ' ')}",
        fontsize=plots.FONT_PT + 2,
        color=palette.INK,
    )
    # The end moves all of the traffic at once, after the last look.
    share, last = _column(rollout, "weight"), minutes[-1:]
    end = 1.0 if colour == palette.GREEN else 0.0
    axes.step(
        np.append(minutes, last),
        np.append(share, np.full(len(last), end)),
        where="post",
        color=colour,
        linewidth=2,
    )
    axes.set_ylim(-0.03, 1.03)
    plots.percent_axis(axes)


def _draw_evidence(
    axes: Axes, minutes: NDArray[np.float64], rollout: RecordedRollout, colour: str
) -> None:
    low, high = _column(rollout, "low"), _column(rollout, "high")
    axes.axhline(0, color=palette.MUTED, linewidth=1)
    axes.fill_between(minutes, low, high, color=colour, alpha=0.2, linewidth=0)
    axes.plot(minutes, _column(rollout, "difference"), color=colour, linewidth=1.8)


def _column(rollout: RecordedRollout, name: str) -> NDArray[np.float64]:
    values = [point[name] for point in rollout.points]
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _reach(rollouts: Sequence[RecordedRollout]) -> float:
    """How far the axis of the evidence goes up and down."""
    known = [value for rollout in rollouts for value in _column(rollout, "difference")[-1:]]
    largest = max((abs(value) for value in known if np.isfinite(value)), default=0.0)
    # Without any evidence the axis still needs a height.
    return _ROOM * float(largest) or 0.1

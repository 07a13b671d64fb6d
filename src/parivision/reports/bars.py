"""The small bar chart of the drift page: a column's shares in training and now, as SVG."""

from dataclasses import dataclass
from typing import Final

from parivision.drift.summary import Cells
from parivision.reports import palette
from parivision.reports.rendering import render

# The chart's box in points: bars stand on the base line, their scale is left of them.
_WIDTH, _HEIGHT, _BASE, _LEFT = 420, 150, 122, 34
_TALLEST: Final = 100.0
# A cell's two bars, as shares of its width: (left edge, width).
_WIDE, _NARROW = (0.08, 0.84), (0.3, 0.4)


@dataclass(frozen=True)
class Bar:
    """A rectangle: its upper left corner and size in points, and its colour."""

    x: float
    y: float
    width: float
    height: float
    colour: str


@dataclass(frozen=True)
class Pair:
    """The bars of one cell, the rear one first, and the words that a hover shows."""

    title: str
    bars: tuple[Bar, Bar]


@dataclass(frozen=True)
class Label:
    """Words at a point; `anchor` is the end of the words that lies there (SVG's text-anchor)."""

    x: float
    y: float
    words: str
    anchor: str


def bars_svg(cells: Cells, *, is_drifted: bool) -> str:
    """The chart as an SVG document; the tallest bar fills the height."""
    top = max((*cells.reference, *cells.current), default=0.0) or 1.0
    return render(
        "bars.svg.j2",
        width=_WIDTH,
        height=_HEIGHT,
        pairs=_pairs(cells, top, palette.VERMILION if is_drifted else palette.BLUE),
        labels=_labels(cells.names, top),
        text_colour=palette.MUTED,
    )


def _pairs(cells: Cells, top: float, colour: str) -> list[Pair]:
    step = (_WIDTH - _LEFT) / max(len(cells.names), 1)
    shares = zip(cells.names, cells.reference, cells.current, strict=True)
    pairs = []
    for i, (name, reference, current) in enumerate(shares):
        left = _LEFT + i * step
        bars = (
            _bar(left, step, _WIDE, reference / top, palette.GRID),
            _bar(left, step, _NARROW, current / top, colour),
        )
        pairs.append(Pair(f"{name}: {reference:.2%} in training, {current:.2%} now", bars))
    return pairs


def _bar(left: float, step: float, inset: tuple[float, float], share: float, colour: str) -> Bar:
    """A bar of `share` of the tallest one's height, in the cell of width `step` at `left`."""
    offset, width = inset
    height = _TALLEST * share
    return Bar(left + offset * step, _BASE - height, width * step, height, colour)


def _labels(names: tuple[str, ...], top: float) -> list[Label]:
    """The scale's two ends, and the first and the last cell's name below the bars."""
    labels = [
        Label(_LEFT - 4, _BASE - _TALLEST, f"{top:.0%}", "end"),
        Label(_LEFT - 4, _BASE, "0", "end"),
    ]
    if names:
        labels += [
            Label(_LEFT, _BASE + 16, names[0], "start"),
            Label(_WIDTH, _BASE + 16, names[-1], "end"),
        ]
    return labels

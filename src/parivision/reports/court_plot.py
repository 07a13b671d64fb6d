"""The half court and maps of shots on it.

The hoop is drawn below and the x axis runs from right to left, because left is positive in our
frame (`parivision.shots.court`): what the league calls left lies on the picture's left, and the
picture is the one that the league's own coordinates give when plotted as they come.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PolyCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Arc, Circle, Rectangle
from numpy.typing import ArrayLike

from parivision.reports import palette
from parivision.reports.plots import FONT_PT, new_figure, percent_axis
from parivision.scoring.metrics import FloatArray, IntArray
from parivision.shots import court

HEX_FT: Final = 1.5
"""Width of the smallest hexagons: a season still fills most of them."""
VIEW_TOP_FT: Final = 36.0
MIN_SHOTS: Final = 10
"""A hexagon with fewer shots has no make rate worth a colour."""
FULL_SHOTS: Final = 150
"""From so many shots on a make rate's hexagon has its full size; smaller ones are less sure."""
# A map's cells are coloured, so floor and lines keep one colour in every theme.
_FLOOR: Final = "#fbfaf7"
_LINES: Final = "#20262d"
_HOOP_RADIUS_FT: Final = 0.75


@dataclass(frozen=True)
class Hexagons:
    """Shots counted in hexagons: centres in feet, shots and makes; only hexagons with a shot."""

    x_ft: FloatArray
    y_ft: FloatArray
    shots: IntArray
    makes: IntArray
    width_ft: float


def hexagon_width_ft(n_shots: int) -> float:
    """Hexagons fit for so many shots: 1.5 ft for a season and more, up to 4 ft for few shots."""
    # The area falls with the root of the number of shots, so the shots in a hexagon rise with it.
    return float(np.clip(HEX_FT * (100_000 / max(n_shots, 1)) ** 0.25, HEX_FT, 4.0))


def hexagons(
    x_ft: ArrayLike,
    y_ft: ArrayLike,
    made: ArrayLike,
    shots: ArrayLike | None = None,
    width_ft: float = HEX_FT,
) -> Hexagons:
    """Count shots and makes in hexagons around the hoop.

    The arrays have shape (n,), coordinates in feet. A row may be a point that several shots share:
    `shots` then counts them and `made` their makes. Coordinates that are not finite are left out.
    """
    x, y = np.asarray(x_ft, np.float64), np.asarray(y_ft, np.float64)
    n = np.ones(x.shape) if shots is None else np.asarray(shots, np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    # Hexagon centres are two rectangular lattices, one shifted by half a cell: take the nearer.
    across, along = x[finite] / width_ft, y[finite] / (width_ft * np.sqrt(3))
    column, row = np.round(across), np.round(along)
    column_2, row_2 = np.floor(across) + 0.5, np.floor(along) + 0.5
    # A unit along the court is sqrt(3) times one across, so its square counts three times.
    first = (across - column) ** 2 + 3 * (along - row) ** 2
    second = (across - column_2) ** 2 + 3 * (along - row_2) ** 2
    # A complex number is a pair in one value, which `unique` can sort.
    centre = np.where(first <= second, column + 1j * row, column_2 + 1j * row_2)
    cells, cell = np.unique(centre, return_inverse=True)
    makes = np.bincount(cell, weights=np.asarray(made, np.float64)[finite], minlength=cells.size)
    return Hexagons(
        x_ft=cells.real * width_ft,
        y_ft=cells.imag * width_ft * np.sqrt(3),
        shots=np.bincount(cell, weights=n[finite], minlength=cells.size).astype(np.int64),
        makes=makes.astype(np.int64),
        width_ft=width_ft,
    )


def draw_court(axes: Axes, colour: str = _LINES) -> None:
    """Draw the lines of the half court and set the view to it, left on the left."""
    style = {"color": colour, "linewidth": 1.1, "zorder": 5}
    side, base, paint = court.HALF_WIDTH_FT, court.BASELINE_Y_FT, court.PAINT_HALF_WIDTH_FT
    axes.plot([side, side, -side, -side], [VIEW_TOP_FT, base, base, VIEW_TOP_FT], **style)  # type: ignore[arg-type]
    axes.plot([paint, paint, -paint, -paint], [base, *[court.FREE_THROW_Y_FT] * 2, base], **style)  # type: ignore[arg-type]
    axes.plot([3, -3], [court.BACKBOARD_Y_FT] * 2, **style)  # type: ignore[arg-type]
    corner = court.CORNER_X_FT
    # The line has a straight part at each side; the arc ends where it meets them.
    corner_top = court.ARC_ENDS_Y_FT
    for x in (corner, -corner):
        axes.plot([x, x], [base, corner_top], **style)  # type: ignore[arg-type]
    turn = float(np.degrees(np.arctan2(corner_top, corner)))
    for centre_y, radius, start, end in (
        (0.0, court.ARC_RADIUS_FT, turn, 180 - turn),
        (0.0, court.RESTRICTED_RADIUS_FT, 0, 180),
        (court.FREE_THROW_Y_FT, court.FREE_THROW_CIRCLE_FT, 0, 180),
    ):
        size = 2 * radius
        arc = Arc((0, centre_y), size, size, theta1=start, theta2=end, lw=1.1, zorder=5)
        arc.set_color(colour)
        axes.add_patch(arc)
    axes.add_patch(Circle((0, 0), _HOOP_RADIUS_FT, fill=False, edgecolor=colour, lw=1.1, zorder=6))
    axes.set_xlim(side + 0.5, -side - 0.5)
    axes.set_ylim(base - 0.5, VIEW_TOP_FT)
    axes.set_aspect("equal")
    axes.axis("off")


def density_map(cells: Hexagons) -> Figure:
    """Where shots are taken: shots a hexagon, on a logarithmic scale."""
    in_view = _in_view(cells)
    top = max(int(cells.shots[in_view].max(initial=1)), 2)
    return _map(cells, in_view, cells.shots, LogNorm(1, top), "shots a hexagon", colours="viridis")


def make_rate_map(cells: Hexagons, min_shots: int = MIN_SHOTS) -> Figure:
    """How often shots go in by place.

    Hexagons are smaller the fewer shots they stand for; under `min_shots` they stay empty.
    """
    rate = cells.makes / cells.shots
    # The root, because the area is to be in step with the shots.
    size = np.clip(np.sqrt(cells.shots / FULL_SHOTS), 0.3, 1.0)
    shown = _in_view(cells) & (cells.shots >= min_shots)
    figure = _map(cells, shown, rate, Normalize(0.25, 0.65), "made", colours="RdYlBu_r", size=size)
    percent_axis(figure.axes[-1], "x")
    return figure


def _in_view(cells: Hexagons) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    inside = np.abs(cells.x_ft) <= court.HALF_WIDTH_FT
    return inside & (cells.y_ft >= court.BASELINE_Y_FT) & (cells.y_ft <= VIEW_TOP_FT)


def _map(
    cells: Hexagons,
    shown: ArrayLike,
    values: ArrayLike,
    norm: Normalize,
    label: str,
    *,
    colours: str,
    size: ArrayLike = 1.0,
) -> Figure:
    figure, axes = new_figure(height_in=4.6, grid="none")
    # Corners lie at width / sqrt(3) from the centre, where the width is that between two sides.
    turns = np.radians(np.arange(30, 390, 60))
    corners = np.column_stack([np.cos(turns), np.sin(turns)]) * cells.width_ft / np.sqrt(3)
    centres = np.column_stack([cells.x_ft, cells.y_ft])[:, None, :]
    scale = np.broadcast_to(size, cells.x_ft.shape)[:, None, None]
    hexes = PolyCollection(
        list((centres + scale * corners)[np.asarray(shown)]),
        array=np.asarray(values, np.float64)[np.asarray(shown)],
        cmap=colours, norm=norm, linewidth=0.2, edgecolor="face",
        rasterized=True,  # a thousand paths would make the page heavy
    )  # fmt: skip
    axes.add_collection(hexes)
    draw_court(axes)
    # Hexagons at the sidelines reach beyond the floor, and are cut off by it.
    floor = Rectangle(
        (-court.HALF_WIDTH_FT, court.BASELINE_Y_FT), 2 * court.HALF_WIDTH_FT,
        VIEW_TOP_FT - court.BASELINE_Y_FT, facecolor=_FLOOR, zorder=0,
    )  # fmt: skip
    axes.add_patch(floor)
    hexes.set_clip_path(floor.get_path(), floor.get_patch_transform() + axes.transData)
    _colour_bar(figure, axes, ScalarMappable(norm, colours), label)
    return figure


def _colour_bar(figure: Figure, axes: Axes, colours: ScalarMappable, label: str) -> None:
    bar = figure.colorbar(
        colours, ax=axes, orientation="horizontal", shrink=0.6, aspect=32,
        pad=0.02, extend="neither" if isinstance(colours.norm, LogNorm) else "both",
    )  # fmt: skip
    bar.set_label(label, fontsize=FONT_PT, color=palette.MUTED)
    bar.ax.tick_params(labelsize=FONT_PT, colors=palette.MUTED, labelcolor=palette.INK)
    bar.outline.set_visible(False)
    bar.ax.xaxis.set_major_formatter(
        lambda value, _: f"{value:g}" if value < 1000 else f"{value / 1000:g}k"
    )
    bar.ax.minorticks_off()

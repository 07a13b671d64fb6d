"""Figures of data and models, read back from what was drawn."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.legend import Legend
from matplotlib.patches import Rectangle

from parivision.reports import court_plot, palette, plots
from parivision.scoring import scores
from parivision.shots import court

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def case():
    """Outcomes and true probabilities of 2,000 shots."""
    p = np.random.default_rng(0).beta(4, 5, 2000)
    return (np.random.default_rng(1).random(2000) < p).astype(int), p


def texts(figure):
    """All words of a figure's first axes."""
    return [t.get_text() for t in figure.axes[0].texts]


def test_no_global_figure_state():
    """No module of the library uses pyplot, with its global figures and screens."""
    sources = Path(plots.__file__).parents[1].rglob("*.py")
    assert not [path.name for path in sources if "pyplot" in path.read_text("utf-8")]


def test_same_data_same_svg(case):
    """A figure's SVG is the same for the same data, and its words stay words."""
    table = scores.reliability(*case)
    one, two = (plots.figure_svg(plots.reliability_plot({"model": table})) for _ in range(2))
    assert one == two
    assert "predicted probability" in one


def test_png_is_a_png():
    """`figure_png` gives the bytes of a PNG file."""
    png = plots.figure_png(plots.bars_plot(["a"], [0.5]))
    assert png.startswith(b"\x89PNG")


def test_reliability_plot_shows_every_bin(case):
    """Each model's line runs through its bins, the first one with intervals."""
    table = scores.reliability(*case)
    axes = plots.reliability_plot({"one": table, "two": table.head(5)}).axes[0]
    by_label = {line.get_label(): line for line in axes.lines}
    assert by_label["one"].get_xdata() == pytest.approx(table["mean_p_made"].to_list())
    assert by_label["two"].get_ydata() == pytest.approx(table["made_rate"].to_list()[:5])


def test_roc_plot_draws_the_curve_given(case):
    """The curve's points are those of `evaluate.roc_curve`."""
    curve = scores.roc_curve(*case)
    axes = plots.roc_plot({"model (0.7)": curve}).axes[0]
    line = next(line for line in axes.lines if line.get_label() == "model (0.7)")
    assert line.get_xdata() == pytest.approx(curve[0])


def test_confusion_plot_puts_each_count_in_its_cell():
    """Rows are what was seen, columns what was predicted, makes first."""
    figure = plots.confusion_plot(scores.Confusion(1, 2, 3, 4))
    cells = {t.get_position(): t.get_text() for t in figure.axes[0].texts}
    assert cells == {
        (0, 0): "1\n10.0%", (1, 0): "3\n30.0%", (0, 1): "2\n20.0%", (1, 1): "4\n40.0%",
    }  # fmt: skip


def bars_of(axes: Axes) -> list[Rectangle]:
    """The bars of a plot."""
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def legend_of(axes: Axes) -> Legend:
    """The legend of a plot, which must have one."""
    legend = axes.get_legend()
    assert legend is not None
    return legend


def test_importances_are_ranked_shares():
    """The largest feature is on top, shares refer to all features, and only the top ones show."""
    axes = plots.importance_plot({"a": 1.0, "b": 6.0, "c": 3.0}, top=2).axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["c", "b"]
    assert [bar.get_width() for bar in bars_of(axes)] == pytest.approx([0.3, 0.6])
    plots.importance_plot({"a": 0.0})


def test_comparison_keeps_the_order_and_marks_the_best():
    """The table's first model is on top; models without interval get a point only."""
    table = pl.DataFrame(
        {"model": ["b", "a"], "ece": [0.01, 0.02], "ece_low": [0.0, None], "ece_high": [0.03, None]}
    )
    axes = plots.comparison_plot(table, "ece", "ECE", best="b").axes[0]
    assert [t.get_text() for t in axes.get_yticklabels()] == ["a", "b"]
    points = [line for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_color() for line in points] == [palette.BLUE, palette.VERMILION]
    assert len(axes.lines) == 3


def test_bars_carry_their_values():
    """Each bar ends in its value, as percentage or number; no bars are no error."""
    assert texts(plots.bars_plot(["a", "b"], [0.5, 0.251])) == ["50.0%", "25.1%"]
    with_ends = plots.bars_plot(["a"], [1.5], low=[1.0], high=[2.0], is_percent=False)
    assert texts(with_ends) == ["1.50"]
    assert with_ends.axes[0].get_xlim()[1] > 2
    plots.bars_plot([], [])


def test_lines_leave_gaps_and_name_their_places():
    """Missing values are gaps; seasons have whole-number ticks; names replace numbers."""
    seasons = np.array([2020, 2021, 2022])
    figure = plots.lines_plot(
        seasons, {"one": np.array([0.6, None, 0.7], dtype=object), "two": [0.5, 0.5, 0.5]},
        bands={"one": ([0.5] * 3, [0.8] * 3)}, is_percent=True,
    )  # fmt: skip
    axes = figure.axes[0]
    assert np.isnan(np.asarray(axes.lines[0].get_ydata())[1])
    assert len(axes.collections) == 1
    assert [t.get_text() for t in legend_of(axes).get_texts()] == ["one", "two"]
    figure.draw_without_rendering()
    assert all(float(tick).is_integer() for tick in axes.get_xticks())
    named = plots.lines_plot([0, 1], {"one": [1, 2]}, x_names=["2023-01", "2023-02"]).axes[0]
    assert [t.get_text() for t in named.get_xticklabels()] == ["2023-01", "2023-02"]
    assert named.get_legend() is None


def test_heatmap_leaves_undefined_cells_empty():
    """Cells that are not defined carry no number, and there is no minus zero."""
    figure = plots.heatmap_plot(["a", "b"], [[1.0, -0.0001], [np.nan, -0.5]])
    assert texts(figure) == ["1.00", "0.00", "-0.50"]


def test_court_has_left_on_the_left():
    """The x axis is mirrored: the side called left (positive x) is drawn on the left."""
    figure, axes = plots.new_figure(grid="none")
    court_plot.draw_court(axes)
    to_screen = axes.transData.transform
    assert to_screen((22, 0))[0] < to_screen((-22, 0))[0]
    assert to_screen((0, 0))[1] < to_screen((0, 20))[1]
    figure.draw_without_rendering()


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.floats(-25, 25), st.floats(-5, 80), st.integers(0, 1)), min_size=1, max_size=50
    ),
    st.sampled_from([1.0, 1.5, 4.0]),
)
def test_hexagons_keep_every_shot_near_its_centre(rows, width):
    """No shot is lost, and each lies within its hexagon's outer radius of some centre."""
    x, y, made = (np.array(c, float) for c in zip(*rows, strict=True))
    cells = court_plot.hexagons(x, y, made, width_ft=width)
    assert cells.shots.sum() == len(rows)
    assert cells.makes.sum() == made.sum()
    assert (cells.shots > 0).all()
    gap = np.hypot(x[:, None] - cells.x_ft, y[:, None] - cells.y_ft).min(axis=1)
    assert (gap <= width / np.sqrt(3) + 1e-9).all()


def test_hexagons_count_places_that_shots_share():
    """Counted places give the same hexagons as their shots one by one; unknown places drop out."""
    x, y = np.array([0.0, 0.0, 10.0, np.nan]), np.array([0.0, 0.0, 20.0, 1.0])
    single = court_plot.hexagons(x, y, [1, 0, 1, 1])
    shared = court_plot.hexagons([0.0, 10.0], [0.0, 20.0], [1, 1], [2, 1])
    assert single.shots.tolist() == shared.shots.tolist() == [2, 1]
    assert single.makes.tolist() == shared.makes.tolist() == [1, 1]


def test_few_shots_get_wide_hexagons():
    """Hexagons grow from 1.5 ft for a season to 4 ft for a handful of shots."""
    widths = [court_plot.hexagon_width_ft(n) for n in (0, 500, 20_000, 200_000, 4_000_000)]
    assert widths == sorted(widths, reverse=True)
    assert (widths[0], widths[-1]) == (4.0, court_plot.HEX_FT)


def test_maps_draw_what_is_in_view():
    """Maps show only the half court, and the make rate only where enough shots were taken."""
    x = np.r_[np.zeros(20), [10.0], [0.0]]
    y = np.r_[np.ones(20), [10.0], [70.0]]
    cells = court_plot.hexagons(x, y, np.ones(22))
    shown = [
        len(figure.axes[0].collections[0].get_paths())
        for figure in (court_plot.density_map(cells), court_plot.make_rate_map(cells, min_shots=10))
    ]
    assert shown == [2, 1]


def test_maps_of_nothing_are_an_empty_court():
    """Shots beyond the view leave the lines of the court and no error, and the SVG is small."""
    cells = court_plot.hexagons([0.0], [80.0], [0])
    for draw in (court_plot.density_map, court_plot.make_rate_map):
        assert len(plots.figure_svg(draw(cells))) < 100_000


def test_corners_meet_the_arc():
    """The three-point line has no gap: the straight part ends where the arc begins."""
    figure, axes = plots.new_figure()
    court_plot.draw_court(axes)
    tops = [
        np.asarray(line.get_ydata())[-1]
        for line in axes.lines
        if set(np.abs(np.asarray(line.get_xdata()))) == {22.0}
    ]
    assert len(tops) == 2
    assert np.hypot(22.0, tops[0]) == pytest.approx(court.ARC_RADIUS_FT)
    assert figure.axes == [axes]

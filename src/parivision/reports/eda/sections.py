"""The report's sections about shots: what goes with the label, where, when and how often."""

from typing import Final

import numpy as np
import polars as pl

from parivision.reports import court_plot, plots
from parivision.reports.eda.rates import listed, percent, point_change, ranked, rate_of, rates
from parivision.reports.html import Block, Picture, Row, Section, Table, Text
from parivision.scoring import scores
from parivision.scoring.metrics import FloatArray
from parivision.shots.court import Zone

NUMERIC: Final = {
    "made": pl.col("made"),
    "distance": pl.col("r_ft"),
    "x": pl.col("x_ft"),
    "|x|": pl.col("x_ft").abs(),
    "y": pl.col("y_ft"),
    "shot value": pl.col("shot_value"),
    "period": pl.col("period"),
    "seconds left": pl.col("clock_s"),
    "season": pl.col("season"),
}
MAX_DISTANCE_FT: Final = 35
CLOCK_STEP_S: Final = 20
_RATE_COLUMNS: Final = {
    "n_shots": "shots",
    "share": "share",
    "made_rate": "made",
    "points": "points a shot",
}
_RATE_FORMATS: Final = {
    "n_shots": ",",
    **dict.fromkeys(("share", "made_rate"), ".1%"),
    "points": ".2f",
}


def _rate_table(table: pl.DataFrame, heading: str) -> Table:
    return Table(table, {"group": heading, **_RATE_COLUMNS}, _RATE_FORMATS)


def _rate_bars(table: pl.DataFrame, alt: str) -> Picture:
    figure = plots.bars_plot(
        [str(group) for group in table["group"]],
        table["made_rate"].to_numpy(),
        low=table["low"].to_numpy(),
        high=table["high"].to_numpy(),
        label="made, with 95% interval",
    )
    return Picture(plots.figure_svg(figure), alt)


def correlation_matrix(shots: pl.DataFrame) -> FloatArray:
    """Pearson correlations of the NUMERIC columns; NaN for columns that never change."""
    values = shots.select(**NUMERIC).cast(pl.Float64).to_numpy()
    spread = values - values.mean(axis=0)
    scale = np.sqrt(np.square(spread).sum(axis=0))
    scale[scale < 1e-9] = np.nan
    matrix: FloatArray = (spread.T @ spread) / np.outer(scale, scale)
    return np.clip(matrix, -1, 1)


def correlations(shots: pl.DataFrame, sample: int, seed: int) -> Section:
    """Correlations of the numeric columns and the label, on at most `sample` shots."""
    drawn = shots if shots.height <= sample else shots.sample(sample, seed=seed)
    matrix = correlation_matrix(drawn)
    named = list(zip(NUMERIC, matrix[0].tolist(), strict=True))[1:]
    with_label = [(abs(value), name, value) for name, value in named if np.isfinite(value)]
    if with_label:
        _, name, value = max(with_label)
        reading = (
            f"Going in goes most with {name} (r = {value:.2f}); no column alone says much about a "
            "single shot."
            if abs(value) < 0.4
            else f"Going in goes most with {name} (r = {value:.2f})."
        )
    else:
        reading = "No column varies together with the label here."
    picture = Picture(
        plots.figure_svg(plots.heatmap_plot(list(NUMERIC), matrix)),
        "Heat map of the correlations of the numeric columns and the label",
        f"Pearson correlations on {drawn.height:,} shots; x is positive on the left, |x| is the "
        "distance from the court's long axis.",
    )
    return Section("Correlations", [Text(reading, is_reading=True), picture])


def shot_types(shots: pl.DataFrame) -> Section:
    """Success of twos and threes."""
    names = {2: "two", 3: "three"}
    table = rates(shots, pl.col("shot_value").replace_strict(names, return_dtype=pl.String()))
    rate = [f"{percent(row['made_rate'])} of the {row['group']}s" for row in table.to_dicts()]
    worth = [f"a {row['group']} {row['points']:.2f}" for row in table.to_dicts()]
    reading = f"{listed(rate)} went in; in points a shot that makes {listed(worth)}."
    blocks: list[Block] = [
        _rate_bars(table, "Make rate of twos and threes"),
        _rate_table(table, "shot type"),
    ]
    return Section("Shot type", [Text(reading, is_reading=True), Row(blocks)])


def zones(shots: pl.DataFrame) -> Section:
    """Success by zone."""
    table = rates(shots, "zone")
    by_rate, by_points = ranked(table, "made_rate"), ranked(table, "points")
    best, worst = by_rate[0], by_rate[-1]
    reading = (
        f"The make rate is highest in zone '{best['group']}' ({percent(best['made_rate'])}) and "
        f"lowest in '{worst['group']}' ({percent(worst['made_rate'])}); points a shot are highest "
        f"in '{by_points[0]['group']}' ({by_points[0]['points']:.2f}) and lowest in "
        f"'{by_points[-1]['group']}' ({by_points[-1]['points']:.2f})."
    )
    blocks: list[Block] = [_rate_bars(table, "Make rate by zone"), _rate_table(table, "zone")]
    return Section("Zone", [Text(reading, is_reading=True), Row(blocks)])


def distances(shots: pl.DataFrame) -> Section:
    """Success and number of shots by whole feet from the hoop."""
    near = rates(shots.filter(pl.col("r_ft") < MAX_DISTANCE_FT), pl.col("r_ft").floor())
    feet = near["group"].to_numpy()
    rate_line = plots.lines_plot(
        feet,
        {"made": near["made_rate"].to_numpy()},
        bands={"made": (near["low"].to_numpy(), near["high"].to_numpy())},
        x_label="feet from the hoop",
        y_label="made",
        is_percent=True,
    )
    share_line = plots.lines_plot(
        feet,
        {"share of shots": near["n_shots"].to_numpy() / shots.height},
        x_label="feet from the hoop",
        y_label="share of shots",
        is_percent=True,
    )
    pictures: list[Block] = [
        Picture(plots.figure_svg(rate_line), "Make rate by distance, with 95% interval"),
        Picture(plots.figure_svg(share_line), "Share of shots by distance"),
    ]
    reading = Text(_distance_reading(shots), is_reading=True)
    return Section("Distance", [reading, Row(pictures)])


def _distance_reading(shots: pl.DataFrame) -> str:
    r = pl.col("r_ft")
    classes = {
        "within 4 ft": r < 4,
        "from 4 to 10 ft": (r >= 4) & (r < 10),
        "from 10 to 22 ft": (r >= 10) & (r < 22),
        "from 22 to 28 ft": (r >= 22) & (r < 28),
        "from farther out": r >= 28,
    }
    by_class = {name: rate_of(shots, condition) for name, condition in classes.items()}
    parts = [f"{percent(rate)} {name}" for name, (rate, n) in by_class.items() if n]
    median = shots.select(r.median()).item()
    return f"The make rate is {listed(parts)}; half of all shots are taken within {median:.0f} ft."


def clock(shots: pl.DataFrame) -> Section:
    """Success by the seconds left in the period, over the whole period and in its last 30 s."""
    # Exactly 720 s, the tip-off, belongs to the first step and not to one of its own.
    step = pl.min_horizontal("clock_s", pl.lit(719)) // CLOCK_STEP_S * CLOCK_STEP_S
    pictures: list[Block] = []
    for table, label in (
        (rates(shots, step), f"seconds left, in steps of {CLOCK_STEP_S}"),
        (rates(shots.filter(pl.col("clock_s") <= 30), "clock_s"), "the last 30 seconds"),
    ):
        if table.height == 0:
            continue
        figure = plots.lines_plot(
            table["group"].to_numpy(),
            {"made": table["made_rate"].to_numpy()},
            bands={"made": (table["low"].to_numpy(), table["high"].to_numpy())},
            x_label=label,
            y_label="made",
            is_percent=True,
        )
        figure.axes[0].invert_xaxis()
        pictures.append(Picture(plots.figure_svg(figure), f"Make rate by {label}"))
    late, n_late = rate_of(shots, pl.col("clock_s") < 3)
    # With 24 seconds or more left, no shot is forced by the end of the period.
    rest, _ = rate_of(shots, pl.col("clock_s") >= 24)
    reading = (
        f"{percent(late)} of the {n_late:,} shots of a period's last 3 seconds went in, against "
        f"{percent(rest)} with 24 seconds or more left."
    )
    return Section("Clock", [Text(reading, is_reading=True), Row(pictures)])


def periods(shots: pl.DataFrame) -> Section:
    """Success by period."""
    table = rates(shots, "period_class")
    order = ranked(table, "made_rate")
    best, worst = order[0], order[-1]
    names = {g: "overtime" if g == "overtime" else f"period {g}" for g in table["group"]}
    reading = (
        f"The make rate runs from {percent(worst['made_rate'])} in {names[worst['group']]} to "
        f"{percent(best['made_rate'])} in {names[best['group']]}."
        if best is not worst
        else f"All shots are from {names[best['group']]}."
    )
    blocks: list[Block] = [_rate_bars(table, "Make rate by period"), _rate_table(table, "period")]
    return Section("Period", [Text(reading, is_reading=True), Row(blocks)])


def over_time(shots: pl.DataFrame) -> Section:
    """Success and the growth of threes by season, or by month when there is only one season."""
    many = shots["season"].n_unique() > 1
    table = time_table(
        shots, pl.col("season").cast(pl.Int64) if many else pl.col("game_date").dt.strftime("%Y-%m")
    )
    unit = "season" if many else "month"
    x = table["group"].to_numpy() if many else np.arange(table.height)
    names = None if many else table["group"].to_list()
    rate_figure = plots.lines_plot(
        x,
        {"twos": table["two_rate"], "all": table["made_rate"], "threes": table["three_rate"]},
        x_label=unit, y_label="made", is_percent=True, x_names=names,
    )  # fmt: skip
    share_figure = plots.lines_plot(
        x, {"threes": table["threes"]}, x_label=unit, y_label="threes among all shots",
        bands={"threes": scores.wilson(table["threes"], table["n_shots"])},
        is_percent=True, x_names=names,
    )  # fmt: skip
    pictures: list[Block] = [
        Picture(plots.figure_svg(rate_figure), f"Make rate of twos, threes and all by {unit}"),
        Picture(plots.figure_svg(share_figure), f"Share of threes by {unit}"),
    ]
    columns = {"group": unit, "n_shots": "shots", "threes": "threes", "made_rate": "made",
               "points": "points a shot"}  # fmt: skip
    detail = Table(table, columns, _RATE_FORMATS | {"threes": ".1%"})
    title = "Seasons and the growth of threes" if many else "Months and the share of threes"
    return Section(title, [Text(_time_reading(table), is_reading=True), Row(pictures), detail])


def time_table(shots: pl.DataFrame, key: pl.Expr) -> pl.DataFrame:
    """`rates` by time with the share of threes (`threes`), `two_rate` and `three_rate`."""
    by_value = shots.group_by(key.alias("group")).agg(
        threes=pl.col("is_three").mean(),
        two_rate=pl.col("made").filter(~pl.col("is_three")).mean(),
        three_rate=pl.col("made").filter(pl.col("is_three")).mean(),
    )
    return rates(shots, key).join(by_value, on="group", how="left", maintain_order="left")


def _time_reading(table: pl.DataFrame) -> str:
    first, last = table.row(0, named=True), table.row(-1, named=True)
    if table.height == 1:
        return (
            f"All shots are from {first['group']}; {percent(first['threes'])} of them are threes."
        )
    moved = {
        name: point_change(first[name], last[name], first["n_shots"], last["n_shots"])
        for name in ("threes", "made_rate")
    }
    return (
        f"From {first['group']} to {last['group']} the share of threes {moved['threes']} "
        f"({percent(first['threes'])} to {percent(last['threes'])}), while the make rate "
        f"{moved['made_rate']} ({percent(first['made_rate'])} to {percent(last['made_rate'])})."
    )


def maps(shots: pl.DataFrame) -> Section:
    """Where shots are taken and where they go in, on the court."""
    # Places are recorded to a tenth of a foot, so there are far fewer of them than shots.
    points = shots.group_by("x_ft", "y_ft").agg(n=pl.len(), makes=pl.col("made").sum())
    width = court_plot.hexagon_width_ft(shots.height)
    cells = court_plot.hexagons(
        points["x_ft"], points["y_ft"], points["makes"], points["n"], width_ft=width
    )
    in_corner = pl.col("zone") == Zone.CORNER_3.label
    (left, n_left), (right, n_right) = (
        rate_of(shots, in_corner & side) for side in (pl.col("x_ft") > 0, pl.col("x_ft") < 0)
    )
    at_rim = rate_of(shots, pl.col("zone") == Zone.RESTRICTED_AREA.label)[1] / shots.height
    reading = (
        f"{percent(at_rim)} of the shots come from the restricted area. From the left corner "
        f"{percent(left)} of {n_left:,} threes went in, from the right {percent(right)} of "
        f"{n_right:,}."
    )
    pictures: list[Block] = [
        Picture(
            plots.figure_svg(court_plot.density_map(cells)),
            "Map of the number of shots on the half court",
            "Shots by place. The hoop is below, the league's left on the left.",
        ),
        Picture(
            plots.figure_svg(court_plot.make_rate_map(cells)),
            "Map of the make rate on the half court",
            f"Make rate by place; hexagons with fewer than {court_plot.MIN_SHOTS} shots are empty.",
        ),
    ]
    return Section("Maps", [Text(reading, is_reading=True), Row(pictures)])

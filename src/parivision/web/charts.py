"""The page's charts, in the project's colours."""

from collections.abc import Mapping, Sequence
from typing import Final

import altair as alt

from parivision.reports import palette
from parivision.web.heat import STEP_FT

COLUMNS: Final = {"points": "expected points", "more": "more than the league"}


def heat_map(cells: Sequence[Mapping[str, float]], column: str) -> alt.Chart:
    """The half court in cells, coloured by `points`, or by `more` about a middle of none."""
    scheme = (
        alt.Scale(scheme="viridis")
        if column == "points"
        else alt.Scale(scheme="purpleorange", domainMid=0, reverse=True)
    )
    half = STEP_FT / 2
    rows = [
        {**cell, "x2": cell["x"] + half, "y2": cell["y"] + half, "x": cell["x"] - half}
        | {"y": cell["y"] - half}
        for cell in cells
    ]
    x, y = alt.Scale(domain=[-25, 25]), alt.Scale(domain=[31, -5])
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=rows))
        .mark_rect()
        .encode(
            x=alt.X("x:Q", axis=None, scale=x),
            x2="x2:Q",
            y=alt.Y("y:Q", axis=None, scale=y),
            y2="y2:Q",
            color=alt.Color(f"{column}:Q", title=COLUMNS[column], scale=scheme),
            tooltip=[alt.Tooltip(f"{name}:Q", format=".2f") for name in COLUMNS],
        )
    )
    return chart


def reliability(bins: Sequence[Mapping[str, float]]) -> alt.LayerChart | alt.FacetChart:
    """What was said and what was seen in bins of the judged games, with 95 % intervals."""
    predicted = alt.X("mean_p_made:Q", title="said", axis=alt.Axis(format="%"))
    seen = alt.Y("low:Q", title="seen", axis=alt.Axis(format="%"))
    tooltip = [alt.Tooltip(f"{name}:Q", format=".1%") for name in ("mean_p_made", "made_rate")]
    data = alt.Chart(alt.InlineData(values=[dict(row) for row in bins]))
    diagonal = alt.Chart(alt.InlineData(values=[{"p": 0.1}, {"p": 0.9}]))
    return alt.layer(
        diagonal.mark_line(color=palette.MUTED, strokeDash=[4, 4]).encode(x="p:Q", y="p:Q"),
        data.mark_rule(color=palette.BLUE).encode(x=predicted, y=seen, y2="high:Q"),
        data.mark_point(color=palette.BLUE, filled=True, size=50).encode(
            x=predicted, y="made_rate:Q", tooltip=tooltip
        ),
    )

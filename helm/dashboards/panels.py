"""The kinds of panel that the dashboards are made of, on Grafana's typed builders.

A panel has a title, one sentence that says what it shows, and queries of PromQL. The builder places
panels from left to right, and begins a row where the next one does not fit into 24 columns.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as styles
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat, QueryEditorMode

Steps = Sequence[tuple[float | None, str]]
"""Thresholds: from which value on (None: from the lowest) which colour holds."""
Names = Mapping[str, tuple[str, str]]
"""What a value is called, and its colour."""
Series = Mapping[str, str]
"""Queries by their legend; `__auto` leaves the legend to Grafana."""

SOURCE: Final = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
PLAIN: Final[Steps] = ((None, "green"),)
ALARM: Final[Steps] = ((None, "green"), (1, "red"))
"""Red from 1 on."""
YES_OR_NO: Final[Names] = {"0": ("no", "green"), "1": ("yes", "red")}
AUTO: Final = "__auto"
Panel = stat.Panel | timeseries.Panel | bargauge.Panel | table.Panel
P = TypeVar("P", stat.Panel, timeseries.Panel, bargauge.Panel, table.Panel)


def number(
    title: str,
    about: str,
    queries: str | Series,
    *,
    unit: str = "short",
    steps: Steps = PLAIN,
    names: Names | None = None,
    text: styles.BigValueTextMode = styles.BigValueTextMode.AUTO,
    width: int = 4,
    **limits: float,
) -> stat.Panel:
    """One number as it is now; `limits` may give `decimals`."""
    panel = (
        stat.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .color_mode(styles.BigValueColorMode.VALUE)
        .graph_mode(styles.BigValueGraphMode.NONE)
        .text_mode(text)
    )
    panel = _described(panel, title, about, queries, unit, steps, names, limits, instant=True)
    return panel.color_scheme(_by_threshold()).span(width).height(4)


def lines(
    title: str,
    about: str,
    queries: Series,
    *,
    unit: str = "short",
    steps: Steps = PLAIN,
    names: Names | None = None,
    shown_threshold: bool = False,
    width: int = 12,
    height: int = 8,
    **limits: float,
) -> timeseries.Panel:
    """Values over time; `limits` may give `min`, `max` and `decimals`."""
    shown = styles.GraphTresholdsStyleMode.LINE
    style = shown if shown_threshold else styles.GraphTresholdsStyleMode.OFF
    panel = (
        timeseries.Panel()
        .draw_style(styles.GraphDrawStyle.LINE)
        .line_width(1)
        .fill_opacity(10)
        .show_points(styles.VisibilityMode.NEVER)
        .span_nulls(False)
        .thresholds_style(common.GraphThresholdsStyleConfig().mode(style))
        .legend(
            common.VizLegendOptions()
            .display_mode(styles.LegendDisplayMode.LIST)
            .placement(styles.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(styles.TooltipDisplayMode.MULTI)
            .sort(styles.SortOrder.DESCENDING)
        )
    )
    panel = _described(panel, title, about, queries, unit, steps, names, limits, instant=False)
    return panel.color_scheme(_by_series()).span(width).height(height)


def bars(
    title: str,
    about: str,
    query: str,
    legend: str,
    *,
    unit: str = "short",
    steps: Steps = PLAIN,
    width: int = 12,
    height: int = 8,
    **limits: float,
) -> bargauge.Panel:
    """A horizontal bar for each series, as they are now."""
    panel = (
        bargauge.Panel()
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
        .display_mode(styles.BarGaugeDisplayMode.BASIC)
        .orientation(styles.VizOrientation.HORIZONTAL)
        .show_unfilled(True)
    )
    panel = _described(
        panel, title, about, {legend: query}, unit, steps, None, limits, instant=True
    )
    return panel.color_scheme(_by_threshold()).span(width).height(height)


def rows(
    title: str,
    about: str,
    query: str,
    *,
    value: str,
    without: Sequence[str],
    unit: str = "short",
    steps: Steps = PLAIN,
    names: Names | None = None,
    width: int = 12,
    height: int = 8,
) -> table.Panel:
    """A table: a row for each series, with its labels but those in `without`."""
    kept = {"excludeByName": dict.fromkeys(without, True), "renameByName": {"Value": value}}
    panel = (
        table.Panel()
        .show_header(True)
        .transformations([model.DataTransformerConfig(id_val="organize", options=kept)])
    )
    panel = _described(panel, title, about, query, unit, steps, names, {}, instant=True)
    panel.targets([_target(query, AUTO, "A", instant=True).format(PromQueryFormat.TABLE)])
    return panel.color_scheme(_by_series()).span(width).height(height)


@dataclass(frozen=True)
class Event(Builder[model.AnnotationQuery]):
    """A line through every panel at a time that a metric holds.

    `query` gives seconds since 1970 as its value; `title` may name labels, such as {{version}}. The
    typed model knows neither the title nor that the value is the time, so both are added to it.
    """

    name: str
    query: str
    title: str
    colour: str

    def build(self) -> model.AnnotationQuery:
        """As Grafana's builders ask for it."""
        return _EventQuery(self)


class _EventQuery(model.AnnotationQuery):
    def __init__(self, event: Event) -> None:
        # Grafana takes milliseconds.
        super().__init__(
            name=event.name,
            datasource=SOURCE,
            icon_color=event.colour,
            expr=f"({event.query}) * 1000",
        )
        self._title = event.title

    def to_json(self) -> dict[str, object]:
        shown = {"titleFormat": self._title, "useValueForTime": "on", "step": "60s"}
        return {**super().to_json(), **shown}


EVENTS: Final = (
    Event("Rollouts", "parivision_rollout_started_timestamp_seconds", "a rollout began", "blue"),
    Event(
        "Rolled back",
        "parivision_rollout_rolled_back_timestamp_seconds",
        "version {{version}} was rolled back",
        "red",
    ),
    Event(
        "Promotions",
        "parivision_champion_promoted_timestamp_seconds",
        "a new version became champion",
        "green",
    ),
    Event(
        "Retrainings",
        "parivision_retraining_started_timestamp_seconds > 0",
        "an alert started a training",
        "purple",
    ),
)


def dashboard(
    name: str,
    title: str,
    about: str,
    panels: Iterable[Panel],
    *,
    since: str = "now-6h",
    refresh: str = "30s",
) -> model.Dashboard:
    """A dashboard that lets the data source be chosen and links to the others."""
    made = (
        dashboards.Dashboard(f"PariVision: {title}")
        .uid(f"parivision-{name}")
        .description(about)
        .tags(["parivision"])
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .refresh(refresh)
        .time(since, "now")
        .with_variable(
            dashboards.DatasourceVariable("datasource").label("Data source").type("prometheus")
        )
        .link(
            dashboards.DashboardLink("PariVision")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["parivision"])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
    )
    for event in EVENTS:
        made = made.annotation(event)
    for number_of_panel, panel in enumerate(panels, start=1):
        made = made.with_panel(panel.id(number_of_panel))
    return made.build()


def _described(
    panel: P,
    title: str,
    about: str,
    queries: str | Series,
    unit: str,
    steps: Steps,
    names: Names | None,
    limits: Mapping[str, float],
    *,
    instant: bool,
) -> P:
    """What every kind of panel has."""
    series = {AUTO: queries} if isinstance(queries, str) else queries
    panel = panel.title(title).description(about).datasource(SOURCE).unit(unit)
    levels = [model.Threshold(value=value, color=colour) for value, colour in steps]
    panel = panel.thresholds(
        dashboards.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(levels)
    )
    panel = panel.targets(
        [
            _target(query, legend, reference, instant=instant)
            for reference, (legend, query) in zip(ascii_uppercase, series.items(), strict=False)
        ]
    )
    if names is not None:
        panel = panel.mappings([_mapping(names)])
    for limit, value in limits.items():
        panel = getattr(panel, limit)(value)
    return panel


def _target(query: str, legend: str, reference: str, *, instant: bool) -> prometheus.Dataquery:
    target = (
        prometheus.Dataquery()
        .expr(query)
        .legend_format(legend)
        .ref_id(reference)
        .datasource(SOURCE)
        .editor_mode(QueryEditorMode.CODE)
    )
    return target.instant() if instant else target.range()


def _mapping(names: Names) -> model.ValueMap:
    return model.ValueMap(
        options={
            value: model.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(names.items())
        }
    )


def _by_threshold() -> dashboards.FieldColor:
    return dashboards.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)


def _by_series() -> dashboards.FieldColor:
    return dashboards.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC)

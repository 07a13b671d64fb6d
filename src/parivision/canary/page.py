"""The page on the newest rollout: where it stands, why, and its evidence over time."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from parivision.canary.record import Rollout, RolloutStage
from parivision.canary.views import View
from parivision.reports import html, plots

TITLE: Final = "Rollout"
_PAST: Final = 20
_MINUTE_S: Final = 60.0


def of(view: View) -> str:
    """The page as HTML."""
    if not view.rollouts:
        return html.page(TITLE, [html.Text("There has been no rollout yet."), *_away(view)], [])
    newest = view.rollouts[-1]
    title = f"{TITLE} of version {newest.version} against {newest.former.version}"
    sections = [_checks(newest), _evidence(newest), _past(view.rollouts)]
    return html.page(title, [_figures(newest), _reason(newest), *_away(view)], sections)


def _figures(rollout: Rollout) -> html.Block:
    latest = rollout.history[-1] if rollout.history else {}
    until = rollout.ended_at or latest.get("at", rollout.started_at)
    return html.KeyFigures(
        {
            "stands": (rollout.end.value or rollout.stage.value).replace("_", " "),
            "verdict": str(rollout.verdict.get("outcome", "not yet")),
            "canary's share": f"{rollout.weight:.0%}",
            "minutes": f"{(until - rollout.started_at) / _MINUTE_S:,.0f}",
            "predictions": f"{latest.get('predictions', 0):,}",
            "labelled shots": f"{latest.get('labelled', 0):,}",
        }
    )


def _reason(rollout: Rollout) -> html.Block:
    return html.Text(rollout.reason or str(rollout.verdict.get("reason", "")), is_reading=True)


def _away(view: View) -> list[html.Block]:
    return [html.Text(f"Away: {'; '.join(view.troubles)}")] if view.troubles else []


def _checks(rollout: Rollout) -> html.Section:
    checks = rollout.verdict.get("checks", ())
    frame = pl.DataFrame(
        [{field: check[field] for field in ("name", "outcome", "reason")} for check in checks],
        schema={"name": pl.String, "outcome": pl.String, "reason": pl.String},
    )
    columns = {"name": "check", "outcome": "answer", "reason": "why"}
    return html.Section("Checks", [html.Table(frame, columns)])


def _evidence(rollout: Rollout) -> html.Section:
    history = rollout.history
    if len(history) < 2:
        return html.Section("Evidence", [html.Text("There is too little to draw yet.")])
    minutes = np.array([point["elapsed_s"] for point in history]) / _MINUTE_S
    margin = rollout.state.rules.margin
    low, high = _column(history, "low"), _column(history, "high")
    quality = plots.lines_plot(
        minutes,
        {
            "difference": _column(history, "difference"),
            "margin": np.full(len(history), margin),
        },
        x_label=_since(rollout),
        y_label="log loss, challenger - champion",
        bands={"difference": (low, high)},
    )
    weight = plots.lines_plot(
        minutes,
        {"canary's share": _column(history, "weight")},
        x_label=_since(rollout),
        is_percent=True,
    )
    requests = plots.lines_plot(
        minutes,
        {
            "primary": _column(history, "requests_primary"),
            "canary": _column(history, "requests_canary"),
            "labelled shots": _column(history, "labelled"),
        },
        x_label=_since(rollout),
        y_label="so far",
    )
    pictures = [
        _picture(quality, "Difference of log loss with its bounds at any time, and the margin."),
        _picture(weight, "The share of the traffic that the canary gets."),
        _picture(requests, "Requests that both tracks served, and shots whose end is known."),
    ]
    return html.Section("Evidence", [html.Row(pictures)])


def _since(rollout: Rollout) -> str:
    return "minutes of the watch" if rollout.stage is RolloutStage.WATCHING else "minutes"


def _picture(figure: Figure, caption: str) -> html.Picture:
    return html.Picture(plots.figure_svg(figure), caption, caption)


def _column(history: Sequence[Mapping[str, Any]], name: str) -> Any:
    values = [point.get(name) for point in history]
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _past(rollouts: Sequence[Rollout]) -> html.Section:
    rows = [
        {
            "began": datetime.fromtimestamp(rollout.started_at, UTC).isoformat(" ", "seconds")[:19],
            "version": rollout.version,
            "former": rollout.former.version,
            "stands": (rollout.end.value or rollout.stage.value).replace("_", " "),
            "reason": rollout.reason,
        }
        for rollout in reversed(rollouts[-_PAST:])
    ]
    columns = {
        "began": "began (UTC)",
        "version": "version",
        "former": "against",
        "stands": "stands",
        "reason": "why",
    }
    return html.Section("Rollouts", [html.Table(pl.DataFrame(rows), columns)])

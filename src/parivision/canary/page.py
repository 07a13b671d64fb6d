"""The page on the newest rollout: where it stands, why, and its evidence over time."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import polars as pl

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


def _figures(one: Rollout) -> html.Block:
    last = one.history[-1] if one.history else {}
    until = one.ended_at or last.get("at", one.started_at)
    return html.KeyFigures(
        {
            "stands": (one.end.value or one.stage.value).replace("_", " "),
            "verdict": str(one.verdict.get("outcome", "not yet")),
            "canary's share": f"{one.weight:.0%}",
            "minutes": f"{(until - one.started_at) / _MINUTE_S:,.0f}",
            "predictions": f"{last.get('predictions', 0):,}",
            "labelled shots": f"{last.get('labelled', 0):,}",
        }
    )


def _reason(one: Rollout) -> html.Block:
    return html.Text(one.reason or str(one.verdict.get("reason", "")), is_reading=True)


def _away(view: View) -> list[html.Block]:
    return [html.Text(f"Away: {'; '.join(view.troubles)}")] if view.troubles else []


def _checks(one: Rollout) -> html.Section:
    checks = one.verdict.get("checks", ())
    frame = pl.DataFrame(
        [{k: check[k] for k in ("name", "outcome", "reason")} for check in checks],
        schema={"name": pl.String, "outcome": pl.String, "reason": pl.String},
    )
    columns = {"name": "check", "outcome": "answer", "reason": "why"}
    return html.Section("Checks", [html.Table(frame, columns)])


def _evidence(one: Rollout) -> html.Section:
    history = one.history
    if len(history) < 2:
        return html.Section("Evidence", [html.Text("There is too little to draw yet.")])
    minutes = np.array([point["elapsed_s"] for point in history]) / _MINUTE_S
    margin = one.state.rules.margin
    low, high = _column(history, "low"), _column(history, "high")
    quality = plots.lines_plot(
        minutes,
        {
            "difference": _column(history, "difference"),
            "margin": np.full(len(history), margin),
        },
        x_label=_since(one),
        y_label="log loss, challenger - champion",
        bands={"difference": (low, high)},
    )
    weight = plots.lines_plot(
        minutes,
        {"canary's share": _column(history, "weight")},
        x_label=_since(one),
        is_percent=True,
    )
    requests = plots.lines_plot(
        minutes,
        {
            "primary": _column(history, "requests_primary"),
            "canary": _column(history, "requests_canary"),
            "labelled shots": _column(history, "labelled"),
        },
        x_label=_since(one),
        y_label="so far",
    )
    pictures = [
        _picture(quality, "Difference of log loss with its bounds at any time, and the margin."),
        _picture(weight, "The share of the traffic that the canary gets."),
        _picture(requests, "Requests that both tracks served, and shots whose end is known."),
    ]
    return html.Section("Evidence", [html.Row(pictures)])


def _since(one: Rollout) -> str:
    return "minutes of the watch" if one.stage is RolloutStage.WATCHING else "minutes"


def _picture(figure: Any, words: str) -> html.Picture:
    return html.Picture(plots.figure_svg(figure), words, words)


def _column(history: Sequence[Mapping[str, Any]], name: str) -> Any:
    values = [point.get(name) for point in history]
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _past(rollouts: Sequence[Rollout]) -> html.Section:
    rows = [
        {
            "began": datetime.fromtimestamp(one.started_at, UTC).isoformat(" ", "seconds")[:19],
            "version": one.version,
            "former": one.former.version,
            "stands": (one.end.value or one.stage.value).replace("_", " "),
            "reason": one.reason,
        }
        for one in reversed(rollouts[-_PAST:])
    ]
    columns = {
        "began": "began (UTC)",
        "version": "version",
        "former": "against",
        "stands": "stands",
        "reason": "why",
    }
    return html.Section("Rollouts", [html.Table(pl.DataFrame(rows), columns)])

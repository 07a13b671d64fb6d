"""The page of a simulation: the path of one rollout, how rollouts end, and the fixed rule."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from parivision.reports import html, plots, verdict_plots
from parivision.simulation.study import Path as VerdictPath
from parivision.simulation.study import Share, Study
from parivision.verdict import Rules


def summary(equal: Sequence[Study], worse: Sequence[Study]) -> dict[str, Any]:
    """The numbers of a simulation for JSON: false alarms over all kinds of equal and of the worst.

    `equal` are studies of rollouts with equal models, `worse` of a worse challenger (one or none).
    The median of the shots to a decision is the worse challenger's, if one was played.
    """
    ends = [end for each in equal for end in each.endings]
    together = Study("equal", equal[0].plan, ends)
    worst = max(equal, key=lambda each: each.failed().rate)
    values: dict[str, Any] = {
        "alpha": Rules().alphas.total,
        "runs": len(ends),
        "shots": together.plan.shots,
        "threshold": together.plan.threshold,
        **_named("false_alarm", together.failed()),
        "worst_kind": worst.world,
        **_named("worst_kind_false_alarm", worst.failed()),
        **_named("fixed_rule_false_alarm", together.fixed_failed()),
    }
    if worse:
        values |= {
            **_named("power", worse[0].failed()),
            **_named("fixed_rule_power", worse[0].fixed_failed()),
        }
    return values | {
        "median_shots_to_decision": (*worse, together)[0].median_shots(),
        "worlds": [each.to_dict() for each in (*equal, *worse)],
    }


def write(folder: Path, equal: Sequence[Study], worse: Sequence[Study], path: VerdictPath) -> Path:
    """Write the page and its figures as PNGs; returns the page's path.

    `equal` and `worse` are as in `summary`; `path` is one rollout, drawn step by step.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pictures = []
    for name, (figure, caption) in _figures(equal, worse, path).items():
        (folder / f"{name}.png").write_bytes(plots.figure_png(figure, dpi=110))
        pictures.append(html.Picture(plots.figure_svg(figure), name, caption))
    values = summary(equal, worse)
    lead = html.KeyFigures({"false alarms": _rate(values, "false_alarm")} | _power(values))
    section = html.Section("Rollouts", [html.Row(pictures)])
    return html.write_page(folder / "rollout.html", "Rollouts, simulated", [lead], [section])


def _figures(
    equal: Sequence[Study], worse: Sequence[Study], path: VerdictPath
) -> dict[str, tuple[Figure, str]]:
    """Each figure and its caption, by the name of its file."""
    figures: dict[str, tuple[Figure, str]] = {
        "path": (
            verdict_plots.path_plot(path, Rules().margin),
            f"One rollout. {path.verdict.outcome.value}: {path.verdict.reason}",
        ),
        "failed": (
            verdict_plots.endings_plot([*equal, *worse]),
            "Rollouts that have failed: with equal models every one is a false alarm.",
        ),
        "passed": (
            verdict_plots.endings_plot(equal, passed=True),
            "Rollouts with equal models that have passed by then.",
        ),
    }
    if worse:
        figures["comparison"] = (
            verdict_plots.comparison_plot(equal, worse[0]),
            (
                "Lines: a fixed threshold on a 5-minute mean, from strict to lax, by kind of equal "
                f"models; squares: {equal[0].plan.threshold:g} nats; circles: the verdict. A "
                "threshold that is right for one kind is wrong for another."
            ),
        )
    return figures


def _named(name: str, share: Share) -> dict[str, Any]:
    return {f"{name}_rate" if name.endswith("alarm") else name: share.rate} | {
        f"{name}_interval": [share.low, share.high]
    }


def _rate(values: dict[str, Any], name: str) -> str:
    return f"{values[f'{name}_rate']:.1%}"


def _power(values: dict[str, Any]) -> dict[str, str]:
    fixed = {"false alarms, fixed rule": _rate(values, "fixed_rule_false_alarm")}
    return fixed | ({"power": f"{values['power']:.1%}"} if "power" in values else {})

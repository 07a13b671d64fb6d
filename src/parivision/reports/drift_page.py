"""A drift summary as one HTML page: what moved, every test and effect, and how shots ended."""

from typing import Final

import polars as pl

from parivision.drift.summary import ColumnDrift, DriftSummary, PerformanceCheck
from parivision.reports.bars import bars_svg
from parivision.reports.html import Block, KeyFigures, Picture, Row, Section, Table, Text, page

WORST_SEGMENTS: Final = 12
_COLUMNS: Final = {
    "name": "column",
    "verdict": "verdict",
    "reason": "decided by",
    "z": "Z",
    "z_p": "p",
    "kolmogorov_smirnov": "K-S",
    "kolmogorov_smirnov_p": "p",
    "chi_square": "chi-square",
    "chi_square_p": "p",
    "psi": "PSI",
    "wasserstein": "Wasserstein",
    "jensen_shannon": "Jensen-Shannon",
}
_CHECKS: Final = {
    "name": "check",
    "verdict": "verdict",
    "effect": "effect",
    "threshold": "threshold",
    "statistic": "statistic",
    "p": "p",
}
_SEGMENTS: Final = {
    "check": "check",
    "value": "shots",
    "n": "number",
    "usual": "usual",
    "mean": "now",
    "z": "Z",
    "p": "p (Bonferroni)",
}


def summary_page(summary: DriftSummary) -> str:
    """The page; it fetches nothing and holds no script."""
    lead: list[Block] = [
        Text(_answer(summary), is_reading=True),
        KeyFigures(_key_figures(summary)),
    ]
    # Players' and teams' shares are many small ones; what counts of them is who is new.
    pictures = [_picture(c) for c in _most_moved_first(summary) if c.kind != "population"]
    sections = [
        Section("Columns", [Text(_COLUMNS_NOTE), _column_table(summary)]),
        Section("How shots ended", _performance_blocks(summary)),
        Section("Distributions", [Text(_PICTURES_NOTE), Row(pictures)]),
    ]
    return page(f"Drift against champion {summary.champion or '(no name)'}", lead, sections)


_COLUMNS_NOTE: Final = (
    "The verdict hangs on the effects; the tests' p-values are for the record: at this number of "
    "shots nearly every difference is significant."
)
_CHECKS_NOTE: Final = (
    "The log loss is compared with what the champion's own probabilities promise for these shots, "
    "calibration with its later games, make rates with the training shots."
)
_PICTURES_NOTE: Final = (
    "Share of the shots in each cell: training in grey, now in colour. Cells of a number hold "
    "about equal shares of the training shots. The columns that moved most come first."
)


def _answer(summary: DriftSummary) -> str:
    if summary.verdict == "no data":
        return "Too few shots to judge."
    if summary.verdict == "quiet":
        return "Nothing has drifted."
    columns = ", ".join(summary.drifted_columns) or "no column"
    answer = f"Drifted from the champion's training data: {columns}."
    if summary.concept_drift:
        named = ", ".join(summary.performance.concept_columns)
        answer += " Shots no longer end as they did"
        answer += f", given: {named}." if named else ": the champion errs on what it is now given."
    return answer


def _key_figures(summary: DriftSummary) -> dict[str, str]:
    performance = summary.performance
    figures = {
        "shots now": f"{summary.n_current:,}",
        "shots in reference": f"{summary.n_reference:,}",
        "columns drifted": f"{len(summary.drifted_columns)} of {len(summary.columns)}",
        "meaning": performance.verdict,
    }
    for label, value in (
        ("log loss now", performance.log_loss),
        ("log loss promised", performance.promised_log_loss),
        ("log loss on later games", performance.reference_log_loss),
    ):
        if value is not None:
            figures[label] = f"{value:.4f}"
    return figures


def _most_moved_first(summary: DriftSummary) -> list[ColumnDrift]:
    return sorted(summary.columns, key=lambda column: -column.severity)


def _column_table(summary: DriftSummary) -> Table:
    rows = [_column_row(column) for column in summary.columns]
    tests = ("z", "kolmogorov_smirnov", "chi_square")
    return Table(
        frame=pl.DataFrame(rows, schema=_schema(_COLUMNS, {"name", "verdict", "reason"})),
        columns=_COLUMNS,
        formats={
            **dict.fromkeys(tests, ".3g"),
            **{f"{test}_p": ".1g" for test in tests},
            **dict.fromkeys(("psi", "wasserstein", "jensen_shannon"), ".3f"),
        },
        marked=frozenset(i for i, column in enumerate(summary.columns) if column.drifted),
    )


def _column_row(column: ColumnDrift) -> dict[str, object]:
    row: dict[str, object] = {
        "name": column.name,
        "verdict": column.verdict,
        "reason": column.reason,
    }
    for name, test in column.tests.items():
        row |= {name: test.statistic, f"{name}_p": test.p_value}
    return row | {name: column.effects.get(name) for name in _COLUMNS if name in column.effects}


def _performance_blocks(summary: DriftSummary) -> list[Block]:
    performance = summary.performance
    if performance.verdict == "no data":
        return [Text(f"Not judged: {performance.reason}.")]
    checks = performance.checks
    rows = [
        {
            "name": check.name,
            "verdict": "drift" if check.exceeded else "quiet",
            "effect": check.effect,
            "threshold": check.threshold,
            "statistic": check.test.statistic,
            "p": check.test.p_value,
        }
        for check in checks
    ]
    table = Table(
        frame=pl.DataFrame(rows, schema=_schema(_CHECKS, {"name", "verdict"})),
        columns=_CHECKS,
        formats={"effect": ".4f", "threshold": ".4f", "statistic": ".3g", "p": ".1g"},
        marked=frozenset(i for i, check in enumerate(checks) if check.exceeded),
    )
    exceeded = [Text(f"{check.name}: {check.reason}.") for check in checks if check.exceeded]
    return [Text(_CHECKS_NOTE), table, *exceeded, _segment_table(checks)]


def _segment_table(checks: tuple[PerformanceCheck, ...]) -> Table:
    segments = [(check, segment) for check in checks for segment in check.segments]
    segments.sort(key=lambda pair: -abs(pair[1].z))
    rows = [
        {
            "check": check.name,
            "value": segment.value,
            "n": float(segment.n),
            "usual": segment.usual,
            "mean": segment.mean,
            "z": segment.z,
            "p": segment.p_adjusted,
        }
        for check, segment in segments[:WORST_SEGMENTS]
    ]
    return Table(
        frame=pl.DataFrame(rows, schema=_schema(_SEGMENTS, {"check", "value"})),
        columns=_SEGMENTS,
        formats={"n": ",.0f", "usual": ".3f", "mean": ".3f", "z": ".1f", "p": ".1g"},
        caption="The parts of the shots that stand out most",
    )


def _schema(columns: dict[str, str], texts: set[str]) -> dict[str, pl.DataType]:
    return {name: pl.String() if name in texts else pl.Float64() for name in columns}


def _picture(column: ColumnDrift) -> Picture:
    cells = column.cells
    gaps = [now - then for then, now in zip(cells.reference, cells.current, strict=True)]
    widest = max(range(len(gaps)), key=lambda i: abs(gaps[i]), default=None)
    alt = f"Shares of {column.name} in training and now"
    if widest is not None:
        alt += (
            f"; the widest gap is at {cells.names[widest]}: "
            f"{cells.reference[widest]:.1%} then, {cells.current[widest]:.1%} now"
        )
    return Picture(
        svg=bars_svg(cells, is_drifted=column.drifted),
        alt=alt,
        caption=f"{column.name}: {column.reason}",
    )

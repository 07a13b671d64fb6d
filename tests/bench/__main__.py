"""`python -m bench`: measure, and write the figures as JSON, a page and a plot."""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from bench import history, page, serving, stages
from parivision.features import tables
from parivision.serving.client import requests_of
from parivision.sources.synthetic import P_TRUE, SyntheticConfig, SyntheticSource, generate

ROOT = Path(__file__).parents[2]
TICKS = 100
SERVING, STAGES = PARTS = ("serving", "stages")
Tick = Callable[[str], None]


def main() -> None:
    """Measure everything; the page and the plot are written only after a whole run."""
    parser = argparse.ArgumentParser(description="What the service and the stages cost.")
    parser.add_argument("--quick", action="store_true", help="two rounds, a small league")
    parser.add_argument("--only", choices=PARTS, help="measure one part anew")
    parser.add_argument("--data", type=Path, help="seasons as files, for the stages on all of them")
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "bench.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "bench.md")
    options = parser.parse_args()
    # What is not measured now keeps its figures.
    results = json.loads(options.json.read_text()) if options.json.is_file() else {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, _progress() as progress:
        task = progress.add_task("begin", total=TICKS)

        def tick(words: str) -> None:
            progress.update(task, description=words, advance=1)

        for part in [options.only] if options.only else PARTS:
            results |= measure(Path(folder), tick, part, is_quick=options.quick)
        if options.data:
            results["history"] = history.measure(options.data, Path(folder) / "history", tick)
        progress.update(task, completed=TICKS)
    options.json.write_text(json.dumps(results, indent=1) + "\n")
    page.write(results, options.page)
    sys.stdout.write(options.page.read_text())


def measure(folder: Path, tick: Tick, part: str, *, is_quick: bool) -> dict[str, Any]:
    """The figures of one part: of the serving, or of the stages."""
    games = 60 if is_quick else 250
    league = SyntheticConfig(seed=1, seasons=(2021, 2022, 2023), games_a_season=games)
    shots = tables.in_time_order(generate(league).drop(P_TRUE))
    if part == STAGES:
        return {STAGES: _stages(league, shots, folder, tick)}
    rounds, seconds = (2, 1.0) if is_quick else (5, 1.0)
    tick("train lightgbm")
    _, bundles = stages.training(shots, tick, ["lightgbm"])
    bundles["lightgbm"].save(folder / "bundle")
    asked = requests_of(shots.tail(10_000))
    return {
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "rounds": rounds,
        "seconds": seconds,
        SERVING: serving.compare(
            folder / "bundle", folder, asked, rounds=rounds, seconds=seconds, tick=tick
        ),
    }


def _stages(
    league: SyntheticConfig, shots: pl.DataFrame, folder: Path, tick: Tick
) -> dict[str, Any]:
    tick("features")
    found: dict[str, Any] = {"features": stages.feature_rows(shots)}
    found["training"], bundles = stages.training(shots, tick)
    found["etl"] = stages.etl(lambda: SyntheticSource(league), folder, tick)
    tick("drift report")
    found["report"] = stages.report(shots.tail(40_000), bundles["lightgbm"], folder)
    tick("a pipeline")
    found["step"] = stages.pipeline_step(folder)
    return found


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.percentage:>3.0f} % {task.description}"),
        TimeElapsedColumn(),
        transient=True,
    )


if __name__ == "__main__":
    main()

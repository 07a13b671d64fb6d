"""The stages, beside what one would do instead: lake, features, training, report, steps."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, cast

import polars as pl

from parivision import settings
from parivision.drift import build_reference, detect
from parivision.features import kernel, tables
from parivision.features.form import Form
from parivision.features.rows import walk
from parivision.kubeflow.local_runs import Event, run_local
from parivision.lake import Lake, open_lake
from parivision.lake.ingest import ingest
from parivision.lake.refine import refine
from parivision.models.bundle import Bundle
from parivision.models.families import LEARNERS
from parivision.models.training import History, Recipe, train
from parivision.reports import drift
from parivision.serving.shot import Shot
from parivision.shots.split import time_split
from parivision.sources.base import Source

ONE_BY_ONE = 3000
TOY = Path(__file__).parents[1] / "pipeline" / "toy_pipeline.py"
Tick = Callable[[str], None]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What it gives, and how many seconds it took."""
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


def etl(source: Callable[[], Source], folder: Path, tick: Tick) -> list[dict[str, Any]]:
    """Rows a second to bronze and silver in both stores, and one document at a time."""
    tick("lake of files")
    found = [{"store": "files", **_through(open_lake(str(folder / "lake")), source())}]
    with ExitStack() as stack:
        server = stack.enter_context(_mongo(folder))
        if server is not None:
            tick("lake in MongoDB")
            lake = open_lake(server.url("bench"))
            found.append({"store": "MongoDB", **_through(lake, source())})
            tick("one document at a time")
            shots = lake.silver().head(ONE_BY_ONE)
            figures = _one_by_one(server, source(), shots)
            found.append({"store": "MongoDB, one at a time", **figures})
    return found


def _mongo(folder: Path) -> Any:
    from pipeline.mongo_server import running

    (folder / "mongo").mkdir()
    return running(folder / "mongo")


def _through(lake: Lake, source: Source) -> dict[str, float]:
    report, bronze_s = timed(lambda: ingest(source, lake))
    refined, silver_s = timed(lambda: refine(lake))
    return {
        "rows": report.records,
        "bronze_rows_s": report.records / bronze_s,
        "silver_rows_s": refined.records / silver_s,
        "rows_s": report.records / (bronze_s + silver_s),
    }


def _one_by_one(server: Any, source: Source, shots: pl.DataFrame) -> dict[str, float]:
    """How many projects do it: `insert_one` for every record, and for every shot made of one.

    What it takes to make them is left out, and no record is looked for first, as it has to be where
    the same records may come again.
    """
    import pymongo

    records = next(iter(source.batches())).records.head(shots.height).to_dicts()
    clean = shots.with_columns(pl.col("game_date").cast(pl.Datetime)).to_dicts()
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(server.url("plain"))
    with client:
        base = client.get_default_database()

        def to_bronze() -> None:
            for record in records:
                base.bronze.insert_one(record)

        def to_silver() -> None:
            for _, shot in zip(base.bronze.find(), clean, strict=True):
                base.silver.insert_one(shot)

        _, bronze_s = timed(to_bronze)
        _, silver_s = timed(to_silver)
    rows = len(records)
    return {
        "rows": rows,
        "bronze_rows_s": rows / bronze_s,
        "silver_rows_s": rows / silver_s,
        "rows_s": rows / (bronze_s + silver_s),
    }


def feature_rows(shots: pl.DataFrame) -> dict[str, float]:
    """Rows a second from shots to the whole matrix, the walk over all days included."""
    made = tables.made_array(shots)

    def work() -> Any:
        return walk(Form(), tables.facts_from_shots(shots), made, kernel.FULL)

    matrix, seconds = timed(work)
    return {"rows": len(matrix), "seconds": seconds, "rows_s": len(matrix) / seconds}


def training(
    shots: pl.DataFrame, tick: Tick, families: Sequence[str] = LEARNERS
) -> tuple[list[dict[str, Any]], dict[str, Bundle]]:
    """Seconds to train each family, and the models."""
    history = History.of(tables.facts_from_shots(shots), tables.made_array(shots))
    split = time_split(history.facts.day)
    found, bundles = [], {}
    for family in families:
        tick(f"train {family}")
        began = time.process_time()
        bundle, seconds = timed(partial(train, history, split, Recipe(family)))
        cpu_s = time.process_time() - began
        bundles[family] = bundle
        one = _one_row_us(bundle, history)
        found.append({"family": family, "seconds": seconds, "cpu_s": cpu_s, "one_shot_us": one})
    return found, bundles


def _one_row_us(bundle: Bundle, history: History) -> float:
    """CPU to answer one shot, features and recalibration included, without HTTP."""
    from parivision.serving.openapi import FULL_SHOT
    from parivision.serving.predictor import ChampionRecord, Predictor

    single, times = Predictor(bundle, ChampionRecord("shots", "1")).answer_one, 200
    shot = cast("Shot", FULL_SHOT)
    single(shot)
    began = time.process_time()
    for _ in range(times):
        single(shot)
    return (time.process_time() - began) / times * 1e6


def report(shots: pl.DataFrame, bundle: Bundle, folder: Path) -> dict[str, float]:
    """Seconds for the drift report with Evidently's pages, halves of the shots side by side."""
    half = shots.height // 2
    reference, now = shots[:half], shots[half:]
    p_made = bundle.predict(tables.facts_from_shots(shots))
    kept = build_reference(reference, later=reference, p_later=p_made[:half])
    summary, detect_s = timed(lambda: detect(kept, now, p_made[half:]))
    _, report_s = timed(lambda: drift.write(reference, now, summary, folder / "report"))
    return {"rows": shots.height, "detect_s": detect_s, "report_s": report_s}


def pipeline_step(folder: Path) -> dict[str, float]:
    """Seconds between the ends of tasks that do next to nothing, in a local run."""
    compiled = folder / "toy.yaml"
    subprocess.run([sys.executable, str(TOY), str(compiled)], check=True)
    home = settings.read({"PARIVISION_HOME": str(folder / "home")})
    ended: list[float] = []

    def note(event: Event) -> None:
        if event.state == "done":
            ended.append(time.perf_counter())

    _, run_s = timed(lambda: run_local(compiled, {}, home, on_event=note))
    gaps = [later - earlier for earlier, later in pairwise(ended)]
    return {"step_s": median(gaps), "run_s": run_s, "steps": len(ended)}

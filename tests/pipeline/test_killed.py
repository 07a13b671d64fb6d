"""Ingest and refine, killed at any moment and run again, end in the same lake."""

import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest

from parivision.lake import Lake, open_lake
from parivision.lake.files import FilesLake
from parivision.shots import schema
from parivision.sources import feed22
from parivision.sources.synthetic import SyntheticConfig, generate
from pipeline import fill_lake
from pipeline.mongo_server import Server

MOMENTS = 20
SEED = 20240611
# Processes are forked from one that has done nothing but the imports, which take seconds.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        f"parivision.{name}"
        for name in ("lake.refine", "lake.mongo", "lake.files", "sources.csv_files")
    ]
)


def feed_csv(folder: Path) -> Path:
    """A feed file with good records, bad ones, duplicates and conflicts, of two seasons."""
    shots = generate(SyntheticConfig(seasons=(2022, 2023), games_a_season=1)).select(schema.NAMES)
    good = feed22.records_from_shots(pl.concat([shots.head(60), shots.tail(60)]))
    bad = good[:9].with_columns(pl.lit("99").alias("Period"), pl.lit("9").alias("Game Event ID"))
    keyless = good[20:25].with_columns(pl.lit("?").alias("Game ID"))
    rival = good[40:45].with_columns(pl.lit("Another").alias("Player Name"))
    path = folder / "feed.csv"
    pl.concat([good[:90], bad, keyless, rival, good[80:]]).write_csv(path)
    return path


def state(lake: Lake, folder: Path) -> tuple[object, ...]:
    """All that a lake tells but its cursors, which hold no data."""
    lake.export_silver(folder / "export.csv")
    rows = (folder / "export.csv").read_bytes()
    return rows, lake.quarantine().drop("source").rows(), lake.counts()


class Worker:
    """A process that fills a lake, until it is killed."""

    def __init__(self, url: str, path: Path) -> None:
        self._ears, voice = CONTEXT.Pipe(duplex=False)
        self._process = CONTEXT.Process(target=fill_lake.run, args=(url, path, voice), daemon=True)
        self._process.start()
        voice.close()

    def hear(self, word: str) -> None:
        """Wait for the process's next word."""
        assert self._ears.recv() == word

    def kill(self) -> None:
        """End the process with SIGKILL."""
        self._process.kill()
        self._process.join()
        self._ears.close()

    def parts(self) -> int:
        """Wait for the process's end and return how many parts it told."""
        count = 0
        while self._ears.recv() == "part":
            count += 1
        self._process.join()
        self._ears.close()
        return count


@pytest.fixture(params=["files", "mongodb"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[int], str]:
    """URLs of empty lakes by number, in each store."""
    if request.param == "files":
        return lambda number: str(tmp_path / f"lake_{number}")
    server: Server = request.getfixturevalue("mongo_server")
    return lambda number: server.url(f"killed_{time.time_ns()}_{number}")


@pytest.mark.timeout(300)
def test_killed_processes_lose_and_double_nothing(
    new_url: Callable[[int], str], tmp_path: Path
) -> None:
    """20 seeded moments of SIGKILL; the run after each gives the undisturbed lake, to the byte."""
    path = feed_csv(tmp_path)
    lake = open_lake(new_url(-1))
    fill_lake.fill(lake, path)
    expected = state(lake, tmp_path)
    lake.close()
    worker = Worker(new_url(-2), path)
    worker.hear("begun")
    begun = time.perf_counter()
    parts = worker.parts()
    part_s = (time.perf_counter() - begun) / parts
    rng = random.Random(SEED)
    seen = set()
    for number in range(MOMENTS):
        url, part, moment_s = new_url(number), rng.randrange(parts), rng.uniform(0, 1.5 * part_s)
        print(f"kill {number}: {moment_s:.4f} s into part {part} of {parts}")  # noqa: T201 (shown on failure)
        worker = Worker(url, path)
        for word in ["begun", *["part"] * part]:
            worker.hear(word)
        time.sleep(moment_s)
        worker.kill()
        lake = open_lake(url)
        seen.add(lake.counts())
        fill_lake.fill(lake, path)
        assert state(lake, tmp_path) == expected
        lake.close()
    assert len(seen) > 5, "nearly all were killed in the same state"


def test_two_processes_at_once_lose_and_double_nothing(
    new_url: Callable[[int], str], tmp_path: Path
) -> None:
    """The same feed read into one lake by two processes gives the lake of one."""
    path = feed_csv(tmp_path)
    lake = open_lake(new_url(0))
    fill_lake.fill(lake, path)
    expected = state(lake, tmp_path)
    url = new_url(1)
    workers = [Worker(url, path), Worker(url, path)]
    for worker in workers:
        worker.hear("begun")
    assert all(worker.parts() > 0 for worker in workers)
    both = open_lake(url)
    fill_lake.fill(both, path)
    assert state(both, tmp_path) == expected
    lake.close()
    both.close()


class Killed(BaseException):
    """Stands for the end of the process: nothing in the library catches it."""


@pytest.fixture
def killed_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], list[int]]]:
    """Let the n-th step towards the disk (sync or rename) be the process's last."""
    sync, rename = os.fsync, Path.replace

    def arm(step: int) -> list[int]:
        steps = [0]

        def count() -> None:
            steps[0] += 1
            if steps[0] == step:
                raise Killed

        def counted_sync(descriptor: int) -> None:
            count()
            sync(descriptor)

        def counted_rename(path: Path, target: Path) -> Path:
            count()
            return rename(path, target)

        monkeypatch.setattr(os, "fsync", counted_sync)
        monkeypatch.setattr(Path, "replace", counted_rename)
        return steps

    yield arm
    monkeypatch.undo()


def test_a_folder_lake_killed_at_any_step_ends_the_same(
    tmp_path: Path, killed_at: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever sync or rename was the last, running the work again gives the same lake."""
    monkeypatch.setattr(fill_lake, "BATCH_ROWS", 200)
    path = feed_csv(tmp_path)
    lake = FilesLake(tmp_path / "whole")
    steps = killed_at(0)
    fill_lake.fill(lake, path)
    total = steps[0]
    killed_at(0)
    expected = state(lake, tmp_path)
    assert total > 20
    for step in range(1, total + 1):
        lake = FilesLake(tmp_path / f"killed_{step}", wait_s=0)
        killed_at(step)
        with pytest.raises(Killed):
            fill_lake.fill(lake, path)
        killed_at(0)
        fill_lake.fill(lake, path)
        assert state(lake, tmp_path) == expected, f"killed at step {step} of {total}"


def test_a_write_to_a_folder_lake_is_seen_as_a_whole(
    tmp_path: Path, killed_at: Callable[[int], list[int]]
) -> None:
    """A write over several partitions that was killed left nothing, or everything."""
    records = pl.read_csv(feed_csv(tmp_path), infer_schema=False)[[0, 105]]
    keys = feed22.FORMAT.keys(records)
    step, steps = 0, [0]
    while steps[0] >= step:
        step += 1
        lake = FilesLake(tmp_path / f"lake_{step}")
        steps = killed_at(step)
        try:
            lake.append_bronze(records, keys, source="test", layout="feed22")
        except Killed:
            assert lake.counts().bronze in (0, 2)
    assert step > 5
    assert lake.counts().bronze == 2

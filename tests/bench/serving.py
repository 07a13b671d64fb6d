"""The service beside what one would take instead: the same trees, the same clients, in turns."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import uvloop

from bench import bulk, health
from bench.load import Seen, by_the_clock, closed, http_request
from parivision.models.bundle import Bundle
from parivision.packaging import bento as package
from parivision.serving.openapi import FULL_SHOT
from ports import free_port

CLIENTS = (1, 16, 64)
OURS, FLOOR = "PariVision", "bare ASGI, compiled trees"
START_S = 120.0
Tick = Callable[[str], None]


@dataclass(frozen=True)
class Contender:
    """A way to serve: its name, its command with PORT in it, and what it is asked."""

    name: str
    command: tuple[str, ...]
    path: str
    body: Any
    environment: dict[str, str]


@dataclass
class Started:
    """A running contender."""

    contender: Contender
    process: psutil.Process
    port: int
    ready_s: float

    @property
    def request(self) -> bytes:
        """What it is asked again and again."""
        return http_request(
            "localhost", self.contender.path, json.dumps(self.contender.body).encode()
        )

    def _sum(self, figure: Callable[[psutil.Process], float]) -> float:
        """The sum over all its processes; some only ask something at the start and end."""
        total = 0.0
        for each in [self.process, *self.process.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                total += figure(each)
        return total

    def cpu_s(self) -> float:
        """CPU that it has used so far, in all its processes."""
        return self._sum(lambda each: sum(each.cpu_times()[:2]))

    def memory_mb(self) -> float:
        """Resident memory of all its processes."""
        return self._sum(lambda each: each.memory_info().rss) / 2**20


def contenders(bundle: Path, work: Path) -> list[Contender]:
    """All of them; the trees are those for shots whose action is known."""
    model = bundle / "with_action.model"
    row = [1.5] * len(Bundle.load(bundle).parts["with_action"].names)
    bento = package.build(bundle, version="1", store=work / "store").path
    saved = _mlflow_model(model, work / "mlflow")
    python, rows = sys.executable, {"row": row}
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true"}
    log = {"PARIVISION_PREDICTION_LOG": str(work / "log"), "PARIVISION_SPILL": str(work / "spill")}
    ours = (python, str(package.SERVER), str(bento), "--host", "127.0.0.1", "--port", "PORT")
    own = (python, "-m", "bench.servers")
    plain = (python, "-m", "bentoml", "serve", "bench.plain_bento:Plain", "--port", "PORT")
    served = (python, "-m", "mlflow", "models", "serve", "-m", str(saved), "-p", "PORT")
    return [
        Contender(OURS, ours, "/predict", FULL_SHOT, quiet | log),
        Contender(FLOOR, (*own, "bare", "PORT", str(model)), "/predict", rows, {}),
        Contender("FastAPI, Booster", (*own, "fastapi", "PORT", str(model)), "/predict", rows, {}),
        Contender(
            "BentoML as it comes", plain, "/predict", rows, {**quiet, "BENCH_MODEL": str(model)}
        ),
        Contender(
            "mlflow models serve",
            (*served, "--env-manager", "local"),
            "/invocations",
            {"inputs": [row]},
            # It calls uvicorn by its name.
            {**quiet, "PATH": os.pathsep.join([str(Path(python).parent), os.environ["PATH"]])},
        ),
    ]


def _mlflow_model(model: Path, folder: Path) -> Path:
    import lightgbm
    import mlflow

    booster = lightgbm.Booster(model_file=str(model))
    mlflow.lightgbm.save_model(booster, folder, pip_requirements=["lightgbm"])
    return folder


@contextmanager
def started(contender: Contender, log: Path) -> Iterator[Started]:
    """Run a contender until it answers, and end it afterwards."""
    port = free_port()
    command = [word if word != "PORT" else str(port) for word in contender.command]
    threads = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    paths = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, **threads, **contender.environment, "PYTHONPATH": paths}
    if contender.name == OURS:  # the Bento brings its own library
        environment.pop("PYTHONPATH")
    with log.open("wb") as said:
        began = time.monotonic()
        process = subprocess.Popen(
            command, env=environment, stdout=said, stderr=said, cwd=log.parent
        )
    running = Started(contender, psutil.Process(process.pid), port, 0.0)
    try:
        _await_answer(running, process, log)
        running.ready_s = time.monotonic() - began
        yield running
    finally:
        below = running.process.children(recursive=True) if process.poll() is None else []
        process.terminate()
        process.wait(30)
        for each in below:
            if each.is_running():
                each.kill()


def _await_answer(running: Started, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
            body = json.dumps(running.contender.body)
            kind = {"Content-Type": "application/json"}
            connection.request("POST", running.contender.path, body, kind)
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise RuntimeError(f"{running.contender.name} does not answer: {log.read_text()[-2000:]}")


def compare(
    bundle: Path, work: Path, shots: bulk.Shots, *, rounds: int, seconds: float, tick: Tick
) -> dict[str, Any]:
    """CPU a request, throughput and latency of all contenders, medians of rounds in turns."""
    with ExitStack() as stack:
        running: list[Started] = []
        for contender in contenders(bundle, work):
            tick(f"start {contender.name}")
            log = work / f"{len(running)}.log"
            running.append(stack.enter_context(started(contender, log)))
        seen: dict[tuple[str, int], list[dict[str, float]]] = {}
        for _ in range(rounds):
            for each in running:
                for clients in CLIENTS:
                    tick(f"{each.contender.name}, {clients} clients")
                    figures = _measure(each, clients, seconds)
                    seen.setdefault((each.contender.name, clients), []).append(figures)
        found: list[dict[str, Any]] = [
            {"server": name, "clients": clients, **_medians(figures)}
            for (name, clients), figures in seen.items()
        ]
        tick("half of saturation, and three times")
        ours, floor = (
            next(each for each in running if each.contender.name == name) for name in (OURS, FLOOR)
        )
        starts = {
            each.contender.name: {"ready_s": each.ready_s, "memory_mb": each.memory_mb()}
            for each in running
        }
        most = max(each["a_second"] for each in found if each["server"] == OURS)
        loaded = _under_load(ours, floor, most, rounds, seconds)
        tick("many shots")
        many = [
            {"way": way, **_cost(ours, work, count)}
            for way, count, work in bulk.ways(ours.port, shots, 5)
        ]
        return {"requests": found, "starts": starts, **loaded, "bulk": many}


def _cost(ours: Started, work: Callable[[], None], shots: int) -> dict[str, float]:
    work()
    before, began = ours.cpu_s(), time.monotonic()
    work()
    wall_s = time.monotonic() - began
    used = ours.cpu_s() - before
    return {"shots_cpu_s": shots / used, "shots_s": shots / wall_s, "memory_mb": ours.memory_mb()}


def _measure(running: Started, clients: int, seconds: float) -> dict[str, float]:
    before = running.cpu_s()
    seen = uvloop.run(closed(running.port, running.request, clients, seconds))
    used = running.cpu_s() - before
    return {"cpu_us": used / max(seen.answers, 1) * 1e6, **_figures(seen)}


def _figures(seen: Seen) -> dict[str, float]:
    return {
        "a_second": seen.a_second,
        "p50_ms": seen.quantile_ms(0.5),
        "p99_ms": seen.quantile_ms(0.99),
        "errors": seen.lost + seen.answers - seen.statuses[200],
    }


def _medians(figures: list[dict[str, float]]) -> dict[str, float]:
    middle = {name: median(each[name] for each in figures) for name in figures[0]}
    return {**middle, "errors": sum(each["errors"] for each in figures)}


def _under_load(
    ours: Started, floor: Started, most: float, rounds: int, seconds: float
) -> dict[str, Any]:
    """What clients see at half of what it can do, the floor at the same rate, and at three times.

    The floor shows what of it is the machine's and the clients'; both take turns, too.
    """
    half: list[dict[str, float]] = []
    floors: list[dict[str, float]] = []
    for _ in range(rounds):
        for each, seen in ((ours, half), (floor, floors)):
            load = by_the_clock(each.port, each.request, 64, most / 2, seconds)
            seen.append(_figures(uvloop.run(load)))
    with health.watched(ours.port) as asked:
        triple = uvloop.run(by_the_clock(ours.port, ours.request, 512, most * 3, seconds * 3))
    return {
        "half": {"offered_a_second": most / 2, **_medians(half)},
        "half_floor": _medians(floors),
        "triple": _seen(triple, most * 3),
        "health": {
            "asked": len(asked),
            "bad": sum(status != 200 for status, _ in asked),
            "slowest_ms": max((took for _, took in asked), default=0.0) * 1e3,
        },
    }


def _seen(seen: Seen, rate: float) -> dict[str, Any]:
    return {
        "offered_a_second": rate,
        "answers": seen.answers,
        "statuses": {str(status): count for status, count in seen.statuses.items()},
        "lost": seen.lost,
        # From when a client sent it; what waits for a free client is not the service's.
        "slowest_exchange_ms": max(seen.exchanges, default=0.0) * 1e3,
    }

"""Run a compiled pipeline on this machine, without a cluster: each task is a process.

The file that runs is the one that a cluster runs. What a task wrote is in the run's folder.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

from parivision import strict_json
from parivision.errors import PipelineError
from parivision.kubeflow.compiled import Compiled, Task, compiled_file
from parivision.kubeflow.task_logs import last_exception, without_module
from parivision.settings import Settings, as_environment

KEPT_RUNS: Final = 10
LOG: Final = "run.log"
_TAIL_LINES: Final = 15
_STOP_TIMEOUT_S: Final = 10.0
# OpenMP's threads wait by spinning unless they are told: with other work on the machine a
# training then takes several times as long. And no library may call home.
_TASKS_ENVIRONMENT: Final = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
_COLOUR: Final = re.compile(r"\x1b\[\d+m")
# KFP's local runner has no events: that a task began or ended is known by these lines of its log.
_STARTED: Final = re.compile(r"^[\d:.]+ - INFO - Executing task '([^']+)'$")
_ENDED: Final = re.compile(r"^[\d:.]+ - \w+ - Task '([^']+)' finished with status (\w+)$")


@dataclass(frozen=True)
class Event:
    """A task began or ended; `seconds` since its begin."""

    task: str
    state: Literal["running", "done", "failed"]
    seconds: float = 0.0


@dataclass(frozen=True)
class Artifact:
    """An artifact: where it is and what is noted with it."""

    path: Path
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class TaskOutputs:
    """What a task returned: parameters, and artifacts by name."""

    parameters: Mapping[str, Any]
    artifacts: Mapping[str, Artifact]


@dataclass(frozen=True)
class Run:
    """A run that succeeded: its folder, its log, and the outputs of each task by title.

    Tasks under a condition that did not hold are not there.
    """

    pipeline: str
    folder: Path
    log: Path
    tasks: Mapping[str, TaskOutputs] = field(default_factory=dict)


OnEvent = Callable[[Event], None]


def run_local(
    pipeline: str | Path,
    arguments: Mapping[str, Any],
    settings: Settings,
    *,
    on_event: OnEvent | None = None,
) -> Run:
    """Run etl, training or monitoring, or a compiled file, and return what its tasks returned.

    The first task that fails ends the run with a PipelineError that names it and says why. Running
    again does nothing twice.
    """
    file = pipeline if isinstance(pipeline, Path) else compiled_file(pipeline)
    compiled = Compiled.read(file)
    chosen = compiled.arguments(arguments)
    folder = _new_folder(settings.pipeline_runs, compiled.name)
    localised = folder / file.name
    localised.write_text(compiled.without_retries())
    order = {
        "file": str(localised),
        "root": str(folder),
        "workspace": str(folder / "workspace"),
        "arguments": chosen,
        "environment": {**as_environment(settings), **_TASKS_ENVIRONMENT},
    }
    tasks = {task.name: task for task in compiled.tasks()}
    with (folder / LOG).open("w") as log, _process(order) as process:
        _follow(process, compiled.name, tasks, log.write, folder / LOG, on_event)
    return Run(compiled.name, folder, folder / LOG, dict(_outputs(folder, tasks)))


def _new_folder(runs: Path, pipeline: str) -> Path:
    """A folder for a run; the oldest ones of the pipeline go."""
    runs.mkdir(parents=True, exist_ok=True)
    # The time in a folder's name sorts, and the new run makes the number of kept ones full.
    for old in sorted(runs.glob(f"{pipeline}-*"))[: -KEPT_RUNS + 1]:
        shutil.rmtree(old, ignore_errors=True)
    began = datetime.now(tz=UTC).strftime("%Y%m%dT%H%M%S")
    return Path(tempfile.mkdtemp(prefix=f"{pipeline}-{began}-", dir=runs)).resolve()


@contextmanager
def _process(order: Mapping[str, Any]) -> Iterator["subprocess.Popen[str]"]:
    """KFP's process, in a session of its own so that it can be ended with all its tasks."""
    # A file and no pipe: it is whole before the process starts, and nobody waits for its reader.
    with tempfile.TemporaryFile("w+") as stream:
        stream.write(strict_json.text(order))
        stream.seek(0)
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "parivision.kubeflow.local_process"],
            stdin=stream,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    with process:
        try:
            yield process
        finally:
            _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is not None:
        return
    # The whole session: KFP's process does not end its tasks when it is ended.
    for number in (signal.SIGTERM, signal.SIGKILL):
        os.killpg(process.pid, number)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            continue
        return


def _follow(
    process: "subprocess.Popen[str]",
    pipeline: str,
    tasks: Mapping[str, Task],
    keep: Callable[[str], object],
    log: Path,
    on_event: OnEvent | None,
) -> None:
    """Tell of tasks as KFP's output does; raises PipelineError at the first failure."""
    tell = on_event or (lambda _event: None)
    began_s, lines = time.monotonic(), list[str]()
    for raw in process.stdout or ():
        keep(raw)
        line = _COLOUR.sub("", raw).rstrip("\n")
        if started := _STARTED.match(line):
            began_s, lines = time.monotonic(), []
            tell(Event(_title(tasks, started[1]), "running"))
        elif ended := _ENDED.match(line):
            title, is_done = _title(tasks, ended[1]), ended[2] == "SUCCESS"
            tell(Event(title, "done" if is_done else "failed", time.monotonic() - began_s))
            if not is_done:
                raise _failure(f"the task {title!r} of the pipeline {pipeline}", lines, log)
        else:
            lines.append(line)
    if code := process.wait():
        raise _failure(f"the pipeline {pipeline} (KFP ended with {code})", lines, log)


def _title(tasks: Mapping[str, Task], name: str) -> str:
    return tasks[name].title if name in tasks else name


def _failure(what: str, lines: list[str], log: Path) -> PipelineError:
    """The error of a failed task: the exception it ended with, or else the end of its output."""
    output = [line.removeprefix("    ").rstrip() for line in lines]
    raised = last_exception(output)
    start = max(0, len(output) - _TAIL_LINES) if raised is None else raised
    end = "\n".join(line for line in output[start : start + _TAIL_LINES] if line)
    return PipelineError(f"{what} failed: {without_module(end)}\nThe whole log: {log}")


def _outputs(folder: Path, tasks: Mapping[str, Task]) -> Iterator[tuple[str, TaskOutputs]]:
    for file in sorted(folder.glob("*/*/executor_output.json")):
        task = tasks[file.parent.name]
        output = json.loads(file.read_text())
        parameters = dict(output.get("parameterValues", {}))
        for name, kind in task.outputs.items():
            # A task may write a parameter to a file of its name, and then the document lacks it.
            path = file.parent / name
            if name not in parameters and path.is_file():
                text = path.read_text()
                parameters[name] = text if kind == "STRING" else json.loads(text)
        artifacts = {
            name: Artifact(Path(listed["artifacts"][0]["uri"]), listed["artifacts"][0]["metadata"])
            for name, listed in output.get("artifacts", {}).items()
        }
        yield task.title, TaskOutputs(parameters, artifacts)

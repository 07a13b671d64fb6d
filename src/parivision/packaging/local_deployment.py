"""The Bento as a process of this machine: started, replaced, watched and stopped.

The seam to a cluster: what `start`, `status` and `stop` do here, a rollout does there.
"""

import json
import os
import socket
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psutil

from parivision import durable
from parivision.durable import exclusive
from parivision.errors import ServiceError
from parivision.packaging.bento import CONTENT, SERVER
from parivision.serving.client import ServiceClient
from parivision.serving.predictor import ChampionRecord

HOST: Final = "127.0.0.1"
STATE_FILE: Final = "service.json"
LOG_FILE: Final = "service.log"
START_TIMEOUT_S: Final = 120.0
STOP_TIMEOUT_S: Final = 20.0
_POLL_S: Final = 0.1
_PROBE_TIMEOUT_S: Final = 5.0
_LOG_TAIL_LINES: Final = 15
# A process is the one that was started if it began within this of what was written down.
_SAME_START_S: Final = 1.0


@dataclass(frozen=True)
class Deployment:
    """A service that was started: which model, where, and the process."""

    name: str
    version: str
    digest: str
    url: str
    pid: int
    started: float
    bento: str
    log: str


def start(
    bento: Path, *, port: int, state_dir: Path, timeout_s: float = START_TIMEOUT_S
) -> Deployment:
    """Serve a Bento on 127.0.0.1 and return once it answers as the expected champion.

    `state_dir` keeps the process's number and log. If that very Bento is being served on the port,
    nothing happens; another one that was started from `state_dir` is stopped first, and started
    again if the new one does not come up. Raises ServiceError, with the end of the log.
    """
    bento, state_dir = bento.resolve(), state_dir.resolve()
    wanted = ChampionRecord.read(bento / CONTENT)
    state_dir.mkdir(parents=True, exist_ok=True)
    # As long as another call may hold it: that stops one service and waits for the next.
    with exclusive(state_dir / "lock", timeout_s + STOP_TIMEOUT_S):
        current = status(state_dir)
        if current and current.url == _url(port) and _answers_as(current.url, wanted):
            return current
        _stop(state_dir, STOP_TIMEOUT_S)
        try:
            return _launch(bento, wanted, port, state_dir, timeout_s)
        except ServiceError:
            if current is not None:
                _bring_back(current, state_dir, timeout_s)
            raise


def stop(state_dir: Path, timeout_s: float = STOP_TIMEOUT_S) -> bool:
    """Stop the service that was started from `state_dir`; False when there is none.

    It may finish what it is answering; after `timeout_s` it is killed.
    """
    if not state_dir.is_dir():
        return False
    with exclusive(state_dir / "lock", timeout_s + START_TIMEOUT_S):
        return _stop(state_dir, timeout_s)


def status(state_dir: Path) -> Deployment | None:
    """The service that was started from `state_dir` and is running, or None."""
    deployment = _written(state_dir)
    return deployment if deployment and _process(deployment) else None


def _launch(
    bento: Path, wanted: ChampionRecord, port: int, state_dir: Path, timeout_s: float
) -> Deployment:
    _require_free(port)
    process = _spawn(bento, port, state_dir)
    deployment = Deployment(
        name=wanted.name,
        version=wanted.version,
        digest=wanted.digest,
        url=_url(port),
        pid=process.pid,
        started=process.create_time(),
        bento=str(bento),
        log=str(state_dir / LOG_FILE),
    )
    # Before it answers: who is killed while waiting leaves a service that can still be stopped.
    durable.put_json(state_dir / STATE_FILE, asdict(deployment))
    try:
        _wait(deployment, wanted, timeout_s)
    except ServiceError:
        _stop(state_dir, _PROBE_TIMEOUT_S)
        raise
    return deployment


def _spawn(bento: Path, port: int, state_dir: Path) -> psutil.Process:
    """Start the server in a session of its own, so that it outlives this process."""
    command = [sys.executable, str(SERVER), str(bento), "--host", HOST, "--port", str(port)]
    environment = {  # a child inherits; nothing here is read from it
        # Before the environment, which may name another folder.
        "PARIVISION_SPILL": str(state_dir / "spill"),
        **os.environ,
        "BENTOML_HOME": str(state_dir / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
    }
    log = os.open(state_dir / LOG_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, log, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ]
        pid = os.posix_spawn(sys.executable, command, environment, file_actions=files, setsid=True)
    finally:
        os.close(log)
    return psutil.Process(pid)


def _wait(deployment: Deployment, wanted: ChampionRecord, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while _process(deployment):
        if _answers_as(deployment.url, wanted):
            return
        if time.monotonic() > deadline:
            raise ServiceError(
                f"{wanted.name}:{wanted.version} did not become ready on {deployment.url} within "
                f"{timeout_s:g} s. {_tail(deployment)}"
            )
        time.sleep(_POLL_S)
    raise ServiceError(
        f"{wanted.name}:{wanted.version} ended while it was starting. {_tail(deployment)}"
    )


def _answers_as(url: str, wanted: ChampionRecord) -> bool:
    with ServiceClient(url, _PROBE_TIMEOUT_S) as client:
        try:
            if not client.is_ready():
                return False
            champion = client.champion()
        except ServiceError:
            return False
    return all(champion.get(key) == getattr(wanted, key) for key in ("name", "version", "digest"))


def _bring_back(old: Deployment, state_dir: Path, timeout_s: float) -> None:
    """Start what was served before, if its Bento is still there; best effort."""
    try:
        champion = ChampionRecord.read(Path(old.bento) / CONTENT)
        if champion.digest == old.digest:
            port = int(old.url.rsplit(":", 1)[1])
            _launch(Path(old.bento), champion, port, state_dir, timeout_s)
    except ServiceError:
        # The caller raises the error that matters, the new Bento's.
        return


def _stop(state_dir: Path, timeout_s: float) -> bool:
    deployment = _written(state_dir)
    process = _process(deployment) if deployment else None
    if process is not None:
        try:
            # Listed before the parent is asked to end: afterwards nobody would find them.
            family = [process, *process.children(recursive=True)]
            process.terminate()
        except psutil.NoSuchProcess:
            family = [process]
        _, alive = psutil.wait_procs(family, timeout=timeout_s)
        for survivor in alive:
            survivor.kill()
        psutil.wait_procs(alive, timeout=_PROBE_TIMEOUT_S)
    (state_dir / STATE_FILE).unlink(missing_ok=True)
    return process is not None


def _written(state_dir: Path) -> Deployment | None:
    try:
        return Deployment(**json.loads((state_dir / STATE_FILE).read_text()))
    except (OSError, TypeError, ValueError):
        return None


def _process(deployment: Deployment) -> psutil.Process | None:
    """The process that was started, if it lives: the number alone may be another's by now."""
    try:
        process = psutil.Process(deployment.pid)
        is_same = abs(process.create_time() - deployment.started) < _SAME_START_S
        if is_same and process.status() == psutil.STATUS_ZOMBIE:
            # An ended child of this process stays in the table of processes until it is waited for.
            process.wait(timeout=0)
            return None
    except (psutil.NoSuchProcess, psutil.TimeoutExpired, TypeError, ValueError):
        return None
    return process if is_same else None


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        # As the server binds: connections of the last service that linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ServiceError(
                f"port {port} of {HOST} is in use by another program ({error.strerror}): end it or "
                "give another port"
            ) from error


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"


def _tail(deployment: Deployment) -> str:
    try:
        lines = Path(deployment.log).read_text(errors="replace").splitlines()
    except OSError:
        return f"There is no log at {deployment.log}."
    return "\n".join([f"The end of {deployment.log}:", *lines[-_LOG_TAIL_LINES:]])

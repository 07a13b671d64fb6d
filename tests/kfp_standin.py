"""A stand-in for Kubeflow Pipelines: HTTP on 127.0.0.1, everything kept in memory.

It takes what KFP's own client sends, holds it against the models of API v2beta1, and can be told
to fail. It answers as KFP's user interface does, which serves pages and API, or as the API server
alone. Runs are played from frames, or run for real by `parivision.kubeflow.local_runs`. What is
told of a run is what a real one tells: `kfp_workflows`.
"""

import json
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from kfp_standin_api import ApiError, Json, dispatch, now, text_at
from kfp_workflows import Attempt, Phase, Workflow
from parivision.errors import PipelineError
from parivision.kubeflow.compiled import Compiled
from parivision.kubeflow.local_runs import Event, run_local
from parivision.settings import Settings

# What a recurring run gives to the runs that it starts.
COPIED = ("display_name", "experiment_id", "pipeline_version_reference", "runtime_config")
Engine = Callable[["Standin", Json], None]


@dataclass
class Fault:
    """What goes wrong with a request: an answer of this status, or none at all (0)."""

    status: int
    body: str = '{"error":"out of order","code":14,"message":"out of order"}'
    content_type: str = "application/json"


@dataclass
class Standin:
    """What the server holds, and how it behaves."""

    token: str = ""
    cookies: str = ""
    multi_user: bool = False
    page: int = 2
    circles: bool = False
    ignores_filters: bool = False
    # Whether it is ml-pipeline-ui, or the API server alone.
    pages: bool = True
    # Whether it still hands out workflows, by the API before this one.
    has_v1beta1: bool = True
    engine: Engine = lambda server, run: server.set_state(run, "SUCCEEDED")
    faults: list[Fault] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    pipelines: dict[str, Json] = field(default_factory=dict)
    versions: dict[str, Json] = field(default_factory=dict)
    experiments: dict[str, Json] = field(default_factory=dict)
    runs: dict[str, Json] = field(default_factory=dict)
    recurring: dict[str, Json] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    frames: dict[str, list[tuple[str, Workflow | None]]] = field(default_factory=dict)
    workflows: dict[str, Workflow] = field(default_factory=dict)
    url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def new_id(self, kind: str) -> str:
        """An id that nothing else has."""
        return f"{kind}-{next(self.numbers):04}"

    def set_state(self, run: Json, state: str, workflow: Workflow | None = None) -> None:
        """Change how a run stands, unless its workflow is gone."""
        with self.lock:
            if run["run_id"] in self.lost:
                return
            run["state"] = state
            if workflow is not None:
                self.workflows[run["run_id"]] = workflow
            if state in ("SUCCEEDED", "FAILED", "CANCELED"):
                run["finished_at"] = now()

    def fire(self, recurring_id: str) -> Json:
        """The time of a recurring run has come; the run that it starts."""
        with self.lock:
            recurring = self.recurring[recurring_id]
            run = {name: recurring[name] for name in COPIED} | {
                "run_id": self.new_id("run"),
                "recurring_run_id": recurring_id,
                "state": "PENDING",
                "created_at": now(),
                "finished_at": "1970-01-01T00:00:00Z",
            }
            self.runs[run["run_id"]] = run
            self.engine(self, run)
        return run

    def changes(self) -> list[str]:
        """The requests that were not mere looks."""
        return [line for line in self.requests if not line.startswith("GET")]

    def names(self) -> list[str]:
        """Names of the versions, in the order they were uploaded."""
        return [version["display_name"] for version in self.versions.values()]


def playing(*frames: tuple[str, Workflow | None]) -> Engine:
    """An engine whose runs move on by one frame (state, workflow) each time somebody looks."""

    def play(server: Standin, run: Json) -> None:
        server.frames[run["run_id"]] = list(frames)

    return play


def running_for_real(settings: Settings, folder: Path) -> Engine:
    """An engine that runs pipelines on this machine, each task a process."""

    def begin(server: Standin, run: Json) -> None:
        threading.Thread(target=_run, args=(server, run, settings, folder), daemon=True).start()

    return begin


def _run(server: Standin, run: Json, settings: Settings, folder: Path) -> None:
    reference = run["pipeline_version_reference"]
    version = server.versions[reference["pipeline_version_id"]]
    file = folder / f"{version['display_name']}.yaml"
    file.write_text(version["text"])
    keys = {task.title: task.name for task in Compiled.read(file).tasks()}
    workflow = Workflow()

    def tell(event: Event) -> None:
        # How it failed is known when the run is over.
        phase: Phase = "Succeeded" if event.state == "done" else "Running"
        workflow.task(keys[event.task], Attempt(phase))
        server.set_state(run, "RUNNING", workflow)
        if event.state == "failed":
            failed.append(keys[event.task])

    failed: list[str] = []
    try:
        run_local(file, run["runtime_config"].get("parameters", {}), settings, on_event=tell)
    except PipelineError as error:
        for name in failed:
            workflow.task(name, _failed(str(error)))
        server.set_state(run, "FAILED", workflow.end("Failed"))
    else:
        server.set_state(run, "SUCCEEDED", workflow.end("Succeeded"))


def _failed(error: str) -> Attempt:
    """A pod that ended with 1 and left its sentence in the termination message."""
    sentence = error.partition(" failed: ")[2].partition("\nThe whole log: ")[0]
    sentence = sentence.partition("Error: ")[2] or sentence
    return Attempt("Failed", f"main: Error (exit code 1): {sentence}")


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, standin: Standin, address: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        super().__init__(address, _Handler)
        self.standin = standin


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def answer(self) -> None:
        """Answer one request, or fail in the way that is next."""
        standin, split = self.server.standin, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with standin.lock:
            standin.requests.append(f"{self.command} {split.path}")
            fault = standin.faults.pop(0) if standin.faults else None
        if fault is not None:
            self.fail(fault)
            return
        try:
            with standin.lock:
                self.check_login(standin)
                query = {name: values[-1] for name, values in parse_qs(split.query).items()}
                text = text_at(standin, split.path, query) if self.command == "GET" else None
                if text is not None:
                    self.send(200, text, "text/html" if split.path == "/" else "text/plain")
                    return
                found = dispatch(standin, self.command, split.path, query, body, self.headers)
            self.send(200, json.dumps(found), "application/json")
        except ApiError as error:
            refusal = {"error": str(error), "code": 3, "message": str(error)}
            self.send(error.status, json.dumps(refusal), "application/json")

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - names of the standard library

    def check_login(self, standin: Standin) -> None:
        """Refuse who does not carry what is asked for."""
        if standin.token and self.headers.get("authorization") != f"Bearer {standin.token}":
            raise ApiError(401, "request does not carry a valid token")
        if standin.cookies and self.headers.get("Cookie") != standin.cookies:
            raise ApiError(403, "RBAC: access denied")

    def fail(self, fault: Fault) -> None:
        """Answer nothing or something wrong."""
        if fault.status == 0:
            self.close_connection = True
        else:
            self.send(fault.status, fault.body, fault.content_type)

    def send(self, status: int, text: str, content_type: str) -> None:
        """Answer with a text."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def serving(tls: ssl.SSLContext | None = None) -> Iterator[Standin]:
    """A stand-in on a free port of 127.0.0.1, encrypted with `tls`."""
    standin = Standin()
    http = _Http(standin)
    standin.url = f"http://127.0.0.1:{http.server_port}"
    if tls is not None:
        # The handshake comes with the first byte that is read, in the request's own thread.
        http.socket = tls.wrap_socket(http.socket, True, do_handshake_on_connect=False)
        standin.url = standin.url.replace("http:", "https:")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield standin
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def in_a_pod() -> None:
    """Serve on all addresses, at the port that is given; runs go on until this ends."""
    standin = Standin(engine=lambda server, run: server.set_state(run, "RUNNING"))
    _Http(standin, ("", int(sys.argv[1]))).serve_forever()


if __name__ == "__main__":
    in_a_pod()

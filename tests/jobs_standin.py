"""A stand-in of the Kubernetes API for Jobs: one CronJob, and what is made of it.

It holds what a retraining asks for: it reads a CronJob, lists Jobs by their labels, in parts, and
takes new ones. What it gives is what the API gives: objects of JSON.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import yaml

Object = dict[str, Any]

NAMESPACE: Final = "parivision"
CRON_JOB: Final = "parivision-training"
LABELS: Final = {
    "app.kubernetes.io/name": "training",
    "app.kubernetes.io/instance": "parivision",
    "parivision.dev/pipeline": "training",
}
_PATH: Final = re.compile(r"/apis/batch/v1/namespaces/([^/]+)/(cronjobs|jobs)(?:/([^/]+))?")
_PAGE: Final = 2
"""Jobs in a part of a list: few, so that a short list has several parts."""


def cron_job() -> Object:
    """The CronJob; a field of its pod is newer than Kubernetes' client knows."""
    container = {
        "name": "training",
        "image": "parivision/components-python:0.1.0",
        "command": ["parivision", "run", "training", "--cause=$(CAUSE)"],
        "aFieldOfTomorrow": {"kept": True},
    }
    pod = {
        "metadata": {"labels": LABELS},
        "spec": {"containers": [container], "restartPolicy": "OnFailure"},
    }
    job = {"backoffLimit": 0, "activeDeadlineSeconds": 43200, "template": pod}
    template = {"metadata": {"labels": LABELS}, "spec": job}
    metadata = {"name": CRON_JOB, "namespace": NAMESPACE, "uid": "cron-uid", "labels": LABELS}
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata,
        "spec": {"schedule": "27 4 * * 1", "jobTemplate": template},
    }


class JobsStandin:
    """The API's content; a `fault` is a status that answers everything until it is taken away.

    An `engine` does what a Job asks for, in a thread; without one Jobs go on for ever.
    """

    def __init__(self) -> None:
        """One CronJob and no Job."""
        self.cron_jobs: dict[str, Object] = {CRON_JOB: cron_job()}
        self.jobs: list[Object] = []
        self.fault: int | None = None
        self.engine: Callable[[Object], None] | None = None
        self.url = ""
        self.lists = 0

    def add(self, name: str, created_at: datetime, end: str = "", **labels: str) -> Object:
        """A Job that somebody made; `end` is the condition that it ended with."""
        stamp = _stamp(created_at)
        metadata = {"name": name, "creationTimestamp": stamp, "labels": {**LABELS, **labels}}
        job: Object = {"metadata": metadata, "spec": cron_job()["spec"]["jobTemplate"]["spec"]}
        self.jobs.append(job)
        self.end(job, end)
        return job

    def end(self, job: Object, end: str) -> None:
        """Give a Job the condition that it ended with; none for "", which goes on."""
        conditions = [{"type": end, "status": "True"}] if end else []
        job["status"] = {"conditions": conditions}

    def listed(self, selector: str, offset: int) -> Object:
        """A part of the Jobs that have all labels of a selector."""
        self.lists += 1
        wanted = [term.partition("=") for term in selector.split(",") if term]
        chosen = [job for job in self.jobs if _has(job["metadata"]["labels"], wanted)]
        rest = {"continue": str(offset + _PAGE)} if offset + _PAGE < len(chosen) else {}
        return {
            "apiVersion": "batch/v1",
            "kind": "JobList",
            "metadata": rest,
            "items": chosen[offset : offset + _PAGE],
        }

    def create(self, job: Object) -> Object | None:
        """Take a Job; None where there is one of its name."""
        if any(one["metadata"]["name"] == job["metadata"]["name"] for one in self.jobs):
            return None
        metadata = {**job["metadata"], "creationTimestamp": _stamp(datetime.now(UTC))}
        made = {**job, "metadata": metadata, "status": {}}
        self.jobs.append(made)
        if self.engine is not None:
            Thread(target=self.engine, args=[made], daemon=True).start()
        return made


@contextmanager
def serving() -> Iterator[JobsStandin]:
    """The API on a port of 127.0.0.1 for as long as the block lasts."""
    standin = JobsStandin()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(standin))
    standin.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(standin: JobsStandin, folder: Path) -> Path:
    """A kubeconfig that leads there."""
    path = folder / "kubeconfig"
    named = {"clusters": "cluster", "users": "user", "contexts": "context"}
    given = {
        "cluster": {"server": standin.url},
        "user": {"token": "a-token"},
        "context": {"cluster": "it", "user": "it", "namespace": NAMESPACE},
    }
    lists = {kind: [{"name": "it", one: given[one]}] for kind, one in named.items()}
    config = {"apiVersion": "v1", "kind": "Config", "current-context": "it", **lists}
    path.write_text(yaml.safe_dump(config))
    return path


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _has(labels: Mapping[str, str], wanted: Sequence[tuple[str, str, str]]) -> bool:
    """Whether labels are as a selector's terms want: a value, or only that there is one."""
    return all(
        labels.get(name) == value if sign else name in labels for name, sign, value in wanted
    )


def _handler(standin: JobsStandin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            match = _PATH.fullmatch(asked.path)
            if standin.fault is not None or match is None or match[1] != NAMESPACE:
                self._refuse(standin.fault or 404)
            elif match[2] == "jobs":
                offset = int(query.get("continue", 0))
                self._answer(200, standin.listed(query.get("labelSelector", ""), offset))
            elif (found := standin.cron_jobs.get(match[3] or "")) is not None:
                self._answer(200, found)
            else:
                self._refuse(404)

        def do_POST(self) -> None:
            job = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            made = standin.create(job) if standin.fault is None else None
            if made is not None:
                self._answer(201, made)
            else:
                self._refuse(standin.fault or 409)

        def _refuse(self, status: int) -> None:
            said = {"kind": "Status", "status": "Failure", "code": status}
            self._answer(status, said)

        def _answer(self, status: int, body: Object) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base says
            """Log nothing."""

    return Handler

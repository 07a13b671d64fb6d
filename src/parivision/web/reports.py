"""The newest reports that MLflow keeps: how the champion was judged, what the shots are, drift.

MLflow is asked by its REST API: its client would be most of the page's image.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import httpx

from parivision.errors import ServiceError
from parivision.settings.logins import Login

PATIENCE_S: Final = 10.0
EXPERIMENT: Final = "parivision"
KINDS: Final = ("evaluation", "drift")
"""Runs that keep reports, by their tag `kind`."""


@dataclass(frozen=True)
class Report:
    """An HTML file of a run; `kind` is the run's, `at_s` when that ended, in seconds since 1970."""

    kind: str
    file: str
    run_id: str
    at_s: float


class MlflowReports:
    """Reads them from an MLflow server; every method raises ServiceError when that is away."""

    def __init__(self, url: str, login: Login | None = None) -> None:
        """`login` is a user that may read, where the server has users."""
        self._url = url.rstrip("/")
        self._auth = (login.name, login.password) if login else None

    def newest(self) -> list[Report]:
        """The HTML files of the newest finished run of each kind."""
        reports: list[Report] = []
        with self._client() as client:
            query = {"experiment_name": EXPERIMENT}
            experiment = _ask_api(client, "GET", "experiments/get-by-name", params=query)
            for kind in KINDS:
                search = {
                    "experiment_ids": [experiment["experiment"]["experiment_id"]],
                    "filter": f"tags.kind = '{kind}' and attributes.status = 'FINISHED'",
                    "order_by": ["attributes.start_time DESC"],
                    "max_results": 1,
                }
                for run in _ask_api(client, "POST", "runs/search", json=search).get("runs", ()):
                    reports += _pages(client, kind, run["info"])
        return reports

    def read(self, report: Report) -> str:
        """A report's HTML."""
        query = {"run_id": report.run_id, "path": report.file}
        with self._client() as client:
            return _request(client, "GET", "/get-artifact", params=query).text

    def _client(self) -> httpx.Client:
        return httpx.Client(
            base_url=self._url, timeout=PATIENCE_S, trust_env=False, auth=self._auth
        )


def _pages(client: httpx.Client, kind: str, run: dict[str, Any]) -> Iterator[Report]:
    listed = _ask_api(client, "GET", "artifacts/list", params={"run_id": run["run_id"]})
    for file in listed.get("files", ()):
        if file["path"].endswith(".html"):
            yield Report(kind, file["path"], run["run_id"], run["end_time"] / 1000)


def _ask_api(client: httpx.Client, method: str, path: str, **content: Any) -> dict[str, Any]:
    answer = _request(client, method, f"/api/2.0/mlflow/{path}", **content)
    try:
        return dict(answer.json())
    except ValueError as error:
        raise ServiceError(f"{answer.url} answered no JSON: is MLflow there?") from error


def _request(client: httpx.Client, method: str, path: str, **content: Any) -> httpx.Response:
    try:
        answer = client.request(method, path, **content)
        return answer.raise_for_status()
    except httpx.HTTPError as error:
        raise ServiceError(f"MLflow at {client.base_url} does not answer: {error}") from error

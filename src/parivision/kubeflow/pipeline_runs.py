"""The project's runs on Kubeflow Pipelines: start one, see how it stands, list the newest."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

from parivision.kubeflow.connection import TIMEOUT_S, KfpConnection
from parivision.kubeflow.pipeline_versions import PipelineVersion, PipelineVersions
from parivision.kubeflow.responses import run_state
from parivision.kubeflow.runs import SUCCEEDED, RunState, RunSummary
from parivision.kubeflow.workflow import Workflow, read_workflow

NEWEST_RUNS: Final = 500


class PipelineRuns:
    """Starts and lists runs; all methods raise PipelineError."""

    def __init__(
        self, connection: KfpConnection, pipelines: PipelineVersions, pages: str = ""
    ) -> None:
        """`pages` is the address of KFP's user interface; by default it is looked for."""
        self._connection = connection
        self._pipelines = pipelines
        self._pages = pages

    def start(
        self, version: PipelineVersion, arguments: Mapping[str, Any], reason: str = ""
    ) -> str:
        """Start a run in the project's experiment; returns its id. Its name holds the reason."""
        began = datetime.now(tz=UTC).strftime("%Y%m%d-%H%M%S")
        name = f"{version.name}-{began}" + (f" for {reason}" if reason else "")
        with self._connection.changing() as client:
            started = client.run_pipeline(
                experiment_id=self._connection.ensure_experiment(client),
                job_name=name,
                params=dict(arguments),
                pipeline_id=version.pipeline_id,
                version_id=version.version_id,
            )
        return str(started.run_id)

    def get(self, run_id: str) -> RunState:
        """How a run stands."""
        with self._connection.reading() as api:
            run = api.RunServiceApi(self._connection.api).run_service_get_run(
                run_id, _request_timeout=TIMEOUT_S
            )
        return run_state(run)

    def recent(self, newest: int = NEWEST_RUNS) -> list[RunState]:
        """The project's newest runs, the newest first, without their nodes."""
        return list(islice(self._newest(), newest))

    def summaries(self, newest: int = NEWEST_RUNS) -> list[RunSummary]:
        """The project's newest runs in short, the newest first."""
        names = self._pipelines.names()
        return [
            RunSummary(names.get(run.pipeline_id, run.name), run.state, run.finished_at)
            for run in self.recent(newest)
        ]

    def past(self, pipeline: str) -> list[RunState]:
        """A pipeline's runs, the newest first, back to the last that succeeded or further.

        At least `NEWEST_RUNS` runs of all pipelines are looked at: runs may overtake each other.
        """
        ids = {id_ for id_, name in self._pipelines.names().items() if name == pipeline}
        runs: list[RunState] = []
        for number, run in enumerate(self._newest(), 1):
            if run.pipeline_id in ids:
                runs.append(run)
            # Each failure since the last success doubles the wait, so all of them are needed.
            if number >= NEWEST_RUNS and any(each.state == SUCCEEDED for each in runs):
                break
        return runs

    def page(self, run_id: str) -> str | None:
        """Address of a run in KFP's user interface; None where that is not known."""
        pages = self._pages or (self._connection.endpoint if self._connection.has_pages else "")
        return f"{pages}/#/runs/details/{run_id}" if pages else None

    def workflow(self, run_id: str) -> Workflow | None:
        """The Argo workflow of a run; None where KFP does not hand it out.

        Only the older API has it; v2beta1 has the names and states of its nodes alone.
        """
        answer = self._connection.text(f"/apis/v1beta1/runs/{quote(run_id, safe='')}")
        try:
            return read_workflow(json.loads(answer or "")["pipeline_runtime"]["workflow_manifest"])
        except (ValueError, LookupError, TypeError):
            return None

    def log(self, run_id: str, workflow: Workflow, pod: str) -> str:
        """The log of a pod of a run, from the pod or KFP's archive; empty where there is none.

        The user interface and the API server have it at different places.
        """
        if self._connection.has_pages:
            where = {"podname": pod, "runid": run_id, "podnamespace": workflow.namespace}
            return self._connection.text("/k8s/pod/logs", **where, createdat=workflow.created) or ""
        log = self._connection.text(f"/apis/v1alpha1/runs/{quote(run_id, safe='')}/nodes/{pod}/log")
        return log or ""

    def _newest(self) -> Iterator[RunState]:
        """The project's runs, the newest first; the next page is read when it is needed."""
        experiment_id = self._connection.experiment_id()
        if experiment_id is None:
            return
        runs = self._connection.all_items(
            "RunServiceApi",
            "run_service_list_runs",
            "runs",
            experiment_id=experiment_id,
            sort_by="created_at desc",
        )
        yield from map(run_state, runs)

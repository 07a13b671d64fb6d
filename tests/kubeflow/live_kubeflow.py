"""A Kubeflow Pipelines that runs: start runs of the project's pipelines, and see what they do."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from cluster.live_cluster import LiveCluster, wait_for
from parivision.errors import PipelineError
from parivision.kubeflow.access import KfpAccess
from parivision.kubeflow.client import Kubeflow, connect
from parivision.kubeflow.compiled import Compiled, compiled_file
from parivision.kubeflow.failure import check
from parivision.kubeflow.runs import RunState
from parivision.kubeflow.workflow import Workflow

Object = dict[str, Any]
COMMAND = Path(sys.executable).parent / "parivision"
RUN_S = 2400.0
"""A training on a node of two cores, with KFP beside it, takes a good quarter of an hour."""
POLL_S = 3.0


@dataclass(frozen=True)
class LiveKubeflow:
    """An endpoint, how it is asked, and the namespace in which its runs' pods are."""

    endpoint: str
    access: KfpAccess = field(default_factory=KfpAccess)
    namespace: str = "kubeflow"

    @property
    def client(self) -> Kubeflow:
        """Connected anew: a tunnel to it may have been opened again."""
        return connect(self.endpoint, self.access)

    @property
    def http(self) -> httpx.Client:
        """A client of everything that the endpoint serves, with the same credentials."""
        headers = {"Authorization": f"Bearer {self.access.token}"} if self.access.token else {}
        if self.access.cookies:
            headers["Cookie"] = self.access.cookies
        verify: Any = self.access.ca_file or True
        return httpx.Client(
            base_url=self.endpoint, headers=headers, timeout=60, verify=verify, trust_env=False
        )

    def start(self, pipeline: str, **arguments: Any) -> str:
        """Start a run of a committed pipeline; returns its id."""
        compiled, kubeflow = Compiled.read(compiled_file(pipeline)), self.client
        version = kubeflow.pipelines.upload(compiled)
        return kubeflow.runs.start(version, compiled.arguments(arguments))

    def ended(self, run_id: str, timeout_s: float = RUN_S) -> RunState:
        """The run, once it has ended."""

        def ask() -> RunState | None:
            try:
                run = self.client.runs.get(run_id)
            except PipelineError as error:  # away for a moment, as behind a tunnel
                raise AssertionError(str(error)) from error
            return run if run.has_ended else None

        return wait_for(f"the end of the run {run_id}", ask, timeout_s=timeout_s, poll_s=POLL_S)

    def succeeds(self, run_id: str, pipeline: str, timeout_s: float = RUN_S) -> RunState:
        """The run, once it has succeeded; raises PipelineError that says why it failed."""
        run = self.ended(run_id, timeout_s)
        check(run, pipeline, Compiled.read(compiled_file(pipeline)).tasks(), self.client.runs)
        assert run.state == "SUCCEEDED", run.state
        return run

    def workflow(self, run_id: str) -> Workflow:
        """The Argo workflow of a run."""
        found = self.client.runs.workflow(run_id)
        assert found is not None, f"{self.endpoint} gives no workflow of {run_id}"
        return found

    def recurring(self) -> list[Object]:
        """The runs that recurring runs started, the newest first, as API v2beta1 has them."""
        with self.http as client:
            query = {"page_size": "100", "sort_by": "created_at desc"}
            answer = client.get("/apis/v2beta1/runs", params=query)
        answer.raise_for_status()
        runs: list[Object] = answer.json().get("runs", [])
        return [run for run in runs if run.get("recurring_run_id")]

    def command(self, *arguments: str, timeout_s: float = RUN_S) -> tuple[int, str]:
        """A command of the project against this endpoint: its exit code, and what it printed."""
        environment = os.environ | {"PARIVISION_KFP": self.endpoint}
        done = subprocess.run(
            [str(COMMAND), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def pod(self, cluster: LiveCluster, run_id: str, stage: str, timeout_s: float = RUN_S) -> str:
        """The name of a pod of a stage of a run, once one runs."""
        labels = {"pipeline/runid": run_id, "app.kubernetes.io/component": stage}

        def ask() -> str | None:
            pods = cluster.core.list_namespaced_pod(
                self.namespace, label_selector=_selector(labels)
            ).items
            running = [pod.metadata.name for pod in pods if pod.status.phase == "Running"]
            return running[0] if running else None

        return wait_for(f"a pod of {stage}", ask, timeout_s=timeout_s)

    def log(self, cluster: LiveCluster, pod: str) -> str:
        """What a pod of a run has written so far."""
        arguments = ("logs", pod, "-n", self.namespace, "-c", "main")
        return cluster.kubectl(*arguments, check=False)


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in labels.items())

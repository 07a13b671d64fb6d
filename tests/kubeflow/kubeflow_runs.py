"""The pipelines of a cluster as runs of Kubeflow Pipelines."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cluster.pipeline_runs import Training
from kubeflow.live_kubeflow import LiveKubeflow
from parivision.errors import PipelineError
from parivision.kubeflow.compiled import Compiled, compiled_file
from parivision.kubeflow.failure import check
from parivision.kubeflow.runs import SUCCEEDED

NEWEST: Final = 20


@dataclass(frozen=True)
class KubeflowRuns:
    """Runs of the committed pipelines; `source` is what etl reads."""

    kubeflow: LiveKubeflow
    source: str

    def start(self, pipeline: str) -> str:
        """A run with the arguments that the schedule gives."""
        given = {"etl": {"source": self.source}}.get(pipeline, {"target": "kubernetes"})
        return self.kubeflow.start(pipeline, **given)

    def end_of(self, run: str) -> str:
        """By the run's state."""
        state = self.kubeflow.client.runs.get(run)
        if not state.has_ended:
            return ""
        return "Complete" if state.state == SUCCEEDED else "Failed"

    def log_of(self, run: str) -> str:
        """The sentence that `submit` ends with."""
        client = self.kubeflow.client
        state = client.runs.get(run)
        pipeline = state.name.removeprefix("parivision-").split("-")[0]
        try:
            check(state, pipeline, Compiled.read(compiled_file(pipeline)).tasks(), client.runs)
        except PipelineError as error:
            return str(error)
        return f"{state.name}: {state.state}"

    def did(self, run: str, stage: str) -> bool:
        """By the state of its node."""
        nodes = self.kubeflow.client.runs.get(run).nodes
        return any(node.name == stage and node.state == SUCCEEDED for node in nodes)

    def trainings(self) -> list[Training]:
        """By the pipeline's name; the cause is a parameter."""
        found: list[Training] = []
        with self.kubeflow.http as client:
            for run in self.kubeflow.client.runs.past("training")[:NEWEST]:
                answer: dict[str, Any] = client.get(f"/apis/v2beta1/runs/{run.run_id}").json()
                cause = answer["runtime_config"].get("parameters", {}).get("cause", "")
                assert run.created_at is not None
                found.append(Training(run.run_id, run.created_at, cause))
        return found

    def remove_since(self, began_at: datetime) -> None:
        """Terminates what goes on; Kubeflow keeps the runs, and retraining goes by them."""
        with self.kubeflow.http as client:
            for run in self.kubeflow.client.runs.recent(NEWEST):
                is_newer = run.created_at is not None and run.created_at >= began_at
                if is_newer and not run.has_ended:
                    client.post(f"/apis/v2beta1/runs/{run.run_id}:terminate").raise_for_status()

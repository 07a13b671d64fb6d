"""The project's recurring runs on Kubeflow Pipelines: list, create and delete them."""

from parivision.kubeflow.connection import TIMEOUT_S, KfpConnection
from parivision.kubeflow.responses import recurring_run
from parivision.kubeflow.schedule import RecurringRun, StoredRecurringRun


class RecurringRuns:
    """Changes recurring runs; `schedule.plan` says which changes. All raise PipelineError."""

    def __init__(self, connection: KfpConnection) -> None:
        self._connection = connection

    def list(self) -> list[StoredRecurringRun]:
        """The project's recurring runs."""
        experiment_id = self._connection.experiment_id()
        if experiment_id is None:
            return []
        runs = self._connection.all_items(
            "RecurringRunServiceApi",
            "recurring_run_service_list_recurring_runs",
            "recurring_runs",
            experiment_id=experiment_id,
        )
        return [recurring_run(run) for run in runs]

    def create(self, run: RecurringRun) -> None:
        """Create a recurring run: one at a time, and none for what was missed."""
        with self._connection.changing() as client:
            client.create_recurring_run(
                experiment_id=self._connection.ensure_experiment(client),
                job_name=run.name,
                params=dict(run.arguments),
                pipeline_id=run.pipeline_id,
                version_id=run.version_id,
                cron_expression=run.trigger.cron or None,
                interval_second=run.trigger.interval_s or None,
                max_concurrency=1,
                no_catchup=True,
            )

    def delete(self, recurring_id: str) -> None:
        """Remove a recurring run; its runs stay, one that goes on too.

        Kubernetes deletes what belongs to the recurring run together with it, unless it is told to
        leave that alone: the workflow of a run that goes on would be gone, and Kubeflow would call
        the run RUNNING for ever. The client of `kfp` cannot tell it so.
        """
        with self._connection.reading() as api:
            service = api.RecurringRunServiceApi(self._connection.api)
            service.recurring_run_service_delete_recurring_run(
                recurring_id, propagation_policy="ORPHAN", _request_timeout=TIMEOUT_S
            )

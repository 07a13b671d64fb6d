"""Kubeflow Pipelines: upload compiled pipelines, start runs and follow them, repeat them."""

from dataclasses import dataclass

from parivision.kubeflow import connection
from parivision.kubeflow.access import KfpAccess, checked_pages
from parivision.kubeflow.pipeline_runs import PipelineRuns
from parivision.kubeflow.pipeline_versions import PipelineVersions
from parivision.kubeflow.recurring_runs import RecurringRuns


@dataclass(frozen=True)
class Kubeflow:
    """A Kubeflow Pipelines that answers, made by `connect`."""

    pipelines: PipelineVersions
    runs: PipelineRuns
    recurring_runs: RecurringRuns


def connect(
    endpoint: str,
    access: KfpAccess = KfpAccess(),  # noqa: B008 - frozen
    pages: str = "",
) -> Kubeflow:
    """Kubeflow Pipelines at an endpoint; `pages` is where its user interface is, if not there.

    Raises SettingsError where the address, a credential or KFP's client is missing or wrong, and
    PipelineError that says why KFP cannot be used.
    """
    # Before a connection is made: a wrong setting is told even while KFP is away.
    pages = checked_pages(pages) if pages else ""
    connected = connection.connect(endpoint, access)
    pipelines = PipelineVersions(connected)
    return Kubeflow(pipelines, PipelineRuns(connected, pipelines, pages), RecurringRuns(connected))

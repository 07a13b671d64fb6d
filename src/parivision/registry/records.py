"""What the registry knows, as plain values: versions, drift reports and pipeline runs.

Apart from the registry itself, so that who only passes them on does not import MLflow.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"


@dataclass(frozen=True)
class RegisteredVersion:
    """A registered version: its number, the run it came from, its tags, and when it was made.

    One that was made just now does not know when. A champion may have lost its alias.
    """

    number: str
    run_id: str
    tags: Mapping[str, str]
    registered_at: datetime | None = None
    has_alias: bool = True

    @property
    def evaluation(self) -> str | None:
        """The run of the evaluation it was promoted by."""
        return self.tags.get("evaluation")


@dataclass(frozen=True)
class DriftReport:
    """A drift report as its run tells of it; `severities` by column."""

    at: datetime
    champion: str
    verdict: str
    severities: Mapping[str, float]
    log_loss: float | None
    promised_log_loss: float | None


class PipelineRun(NamedTuple):
    """A pipeline run: its pipeline, its state in Kubeflow's words, and when it ended."""

    pipeline: str
    state: str
    finished_at: datetime | None

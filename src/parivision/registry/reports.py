"""Runs that report: of drift, of rollouts, and of whole pipelines."""

import tempfile
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

from parivision import durable
from parivision.registry.records import FAILED, SUCCEEDED, DriftReport, PipelineRun
from parivision.registry.runs import Runs, moment

DRIFT: Final = "drift"
"""Value of the tag `kind` of drift reports."""
ROLLOUT: Final = "rollout"
"""The same of rollouts that came out."""
PIPELINE: Final = "pipeline"
"""The same of whole pipelines."""
SEVERITY: Final = "severity."
"""What the metrics of a drift report that tell of a column begin with."""
KNOWN_RUNS: Final = 500
"""How many pipeline runs are looked at; they are counted by those who watch, not archived."""
_LONGEST_REASON: Final = 1000
"""Characters of a failure that are kept: MLflow bounds a tag."""


class Reports(Runs):
    """Runs, and the reports among them."""

    def latest_drift(self) -> DriftReport | None:
        """The newest drift report, or None before the first."""
        newest = next(self._finished(DRIFT), None)
        if newest is None:
            return None
        metrics, tags = newest.data.metrics, newest.data.tags
        return DriftReport(
            at=moment(newest.info.end_time),
            champion=tags["champion"],
            verdict=tags["verdict"],
            severities={
                name.removeprefix(SEVERITY): value
                for name, value in metrics.items()
                if name.startswith(SEVERITY)
            },
            log_loss=metrics.get("log_loss"),
            promised_log_loss=metrics.get("promised_log_loss"),
        )

    def record_rollout(
        self,
        rollout: str,
        *,
        metrics: Mapping[str, float | int | None],
        tags: Mapping[str, str],
        document: Mapping[str, Any],
    ) -> None:
        """Keep how a rollout came out as a run, once for each `rollout` and outcome.

        `tags` has `outcome`; `document` becomes verdict.json of the run.
        """
        all_tags = {"kind": ROLLOUT, "rollout": rollout, **tags}
        same = " and ".join(f"tags.{k} = '{all_tags[k]}'" for k in ("kind", "rollout", "outcome"))
        with self._translated(f"record the rollout {rollout}"):
            if self._client.search_runs([self.prepare()], filter_string=same, max_results=1):
                return
        with tempfile.TemporaryDirectory() as scratch:
            page = Path(scratch) / "verdict.json"
            durable.put_json(page, document)
            self.log(f"rollout {rollout}", metrics=metrics, tags=all_tags, artifacts={"": page})

    def record_pipeline(self, pipeline: str, *, seconds: float, failure: str | None = None) -> None:
        """Keep how a pipeline run ended; `failure` says why it failed."""
        tags = {"kind": PIPELINE, "pipeline": pipeline, "state": SUCCEEDED}
        if failure is not None:
            tags |= {"state": FAILED, "reason": failure[:_LONGEST_REASON]}
        self.log(f"pipeline {pipeline}", metrics={"seconds": seconds}, tags=tags)

    def pipeline_runs(self) -> list[PipelineRun]:
        """The newest pipeline runs that were recorded, newest first."""
        return [
            PipelineRun(
                run.data.tags["pipeline"], run.data.tags["state"], moment(run.info.end_time)
            )
            for run in islice(self._finished(PIPELINE), KNOWN_RUNS)
        ]

"""What each stage's pod needs: resources, deadline, retries, user, and credentials from Secrets.

`kfp.local` ignores all of it but the retries. Nothing is cached: every stage reads or writes what
lies outside the pipeline, the lake or the registry.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from kfp import kubernetes
from kfp.dsl import PipelineTask

USER_ID: Final = 1000

LAKE: Final = "parivision-lake"
REGISTRY: Final = "parivision-mlflow"
SECRETS: Final = MappingProxyType(
    {
        LAKE: {"uri": "PARIVISION_LAKE"},
        REGISTRY: {
            "uri": "MLFLOW_TRACKING_URI",
            "username": "MLFLOW_TRACKING_USERNAME",
            "password": "MLFLOW_TRACKING_PASSWORD",
        },
    }
)
"""Secrets in the runs' namespace: their keys and the environment variables they become."""


@dataclass(frozen=True)
class Needs:
    """CPU and memory as (request, limit), the deadline, retries, and the Secrets it reads."""

    cpu: tuple[str, str]
    memory: tuple[str, str]
    timeout_s: int
    retries: int
    secrets: tuple[str, ...] = ()


STAGES: Final = MappingProxyType(
    {
        "ingest": Needs(("250m", "2"), ("512Mi", "4Gi"), 7200, 3, (LAKE,)),
        "refine": Needs(("500m", "2"), ("1Gi", "4Gi"), 3600, 2, (LAKE,)),
        "drift": Needs(("250m", "2"), ("1Gi", "4Gi"), 1800, 2, (REGISTRY,)),
        "train": Needs(("500m", "2"), ("1Gi", "8Gi"), 7200, 2, (REGISTRY,)),
        "evaluate": Needs(("250m", "2"), ("1Gi", "8Gi"), 3600, 2, (REGISTRY,)),
        "promote": Needs(("250m", "2"), ("1Gi", "4Gi"), 1800, 2, (REGISTRY,)),
        "package": Needs(("250m", "1"), ("512Mi", "2Gi"), 900, 2),
        # A rollout that failed was judged: trying the same champion again would be no news.
        "deploy": Needs(("100m", "1"), ("256Mi", "1Gi"), 7200, 0),
    }
)


def configure(task: PipelineTask, stage: str) -> PipelineTask:
    """Give a task what its stage needs; returns the task."""
    needs = STAGES[stage]
    task.set_caching_options(enable_caching=False)
    task.set_cpu_request(needs.cpu[0]).set_cpu_limit(needs.cpu[1])
    task.set_memory_request(needs.memory[0]).set_memory_limit(needs.memory[1])
    if needs.retries:
        task.set_retry(needs.retries, backoff_duration="15s", backoff_max_duration="300s")
    kubernetes.set_timeout(task, needs.timeout_s)
    kubernetes.set_security_context(
        task, run_as_user=USER_ID, run_as_group=USER_ID, run_as_non_root=True
    )
    for secret in needs.secrets:
        kubernetes.use_secret_as_env(task, secret, dict(SECRETS[secret]))
    return task

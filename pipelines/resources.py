"""What each stage's pod needs: resources, deadline, retries, user, and credentials from Secrets.

`kfp.local` ignores all of it but the retries. Nothing is cached: every stage reads or writes what
lies outside the pipeline, the lake or the registry. A read-only root is what kfp-kubernetes 2.17
cannot ask for; the stages write to a volume at /tmp and to the places of their artifacts only.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from kfp import kubernetes
from kfp.dsl import PipelineTask

USER_ID: Final = 1000
BACKOFF_S: Final = 15
SCRATCH: Final = "/tmp"  # noqa: S108 - a volume of the pod's own
SCRATCH_SIZE: Final = "8Gi"

LAKE: Final = "parivision-lake"
PREDICTIONS: Final = "parivision-prediction-log"
REGISTRY: Final = "parivision-mlflow"
IMAGES: Final = "parivision-images"
SECRETS: Final = MappingProxyType(
    {
        LAKE: {"uri": "PARIVISION_LAKE"},
        PREDICTIONS: {"uri": "PARIVISION_PREDICTION_LOG"},
        REGISTRY: {
            "uri": "MLFLOW_TRACKING_URI",
            "username": "MLFLOW_TRACKING_USERNAME",
            "password": "MLFLOW_TRACKING_PASSWORD",
        },
        IMAGES: {
            "push": "PARIVISION_IMAGES_PUSH",
            "pull": "PARIVISION_IMAGES_PULL",
            "username": "PARIVISION_IMAGES_USERNAME",
            "password": "PARIVISION_IMAGES_PASSWORD",
        },
    }
)
"""Secrets in the runs' namespace: their keys and the environment variables they become.

A pod is started without them too: the stage then fails at once and names the Secret that it lacks,
where a required one would keep the pod waiting until its deadline. `PARIVISION_POD` sees to it that
no stage makes do with a lake or a registry inside its pod.
"""


@dataclass(frozen=True)
class Needs:
    """CPU and memory as (request, limit), the deadline, retries, and the Secrets it reads.

    Retries are for pods that were lost or deleted: upstream's workflow controller sets the policy
    OnError for all, so a container that ended with an error has one attempt. What passes by itself,
    such as a server that is away, the stage waits for (PARIVISION_PATIENCE_S).
    """

    cpu: tuple[str, str]
    memory: tuple[str, str]
    timeout_s: int
    retries: int
    secrets: tuple[str, ...] = ()

    @property
    def retried_for_s(self) -> int:
        """How long all attempts may take together.

        KFP gives the longest backoff to Argo, where it bounds the time since the first attempt
        began: one that is shorter than an attempt forbids the retry or cuts it off.
        """
        pauses_s: int = BACKOFF_S * (2**self.retries - 1)
        return (self.retries + 1) * self.timeout_s + pauses_s


# Little CPU is requested: under pressure a node shares it by requests, and what serves predictions
# comes first. The limits let a run take what nobody else wants.
STAGES: Final = MappingProxyType(
    {
        "ingest": Needs(("100m", "2"), ("512Mi", "4Gi"), 7200, 3, (LAKE,)),
        "refine": Needs(("100m", "2"), ("1Gi", "4Gi"), 3600, 2, (LAKE, PREDICTIONS)),
        "drift": Needs(("100m", "2"), ("1Gi", "4Gi"), 1800, 2, (REGISTRY,)),
        "train": Needs(("100m", "2"), ("768Mi", "8Gi"), 7200, 2, (REGISTRY,)),
        "evaluate": Needs(("100m", "2"), ("1Gi", "8Gi"), 3600, 2, (REGISTRY,)),
        "promote": Needs(("100m", "2"), ("1Gi", "4Gi"), 1800, 2, (REGISTRY,)),
        "package": Needs(("100m", "1"), ("512Mi", "2Gi"), 900, 2, (IMAGES,)),
        # It may be judged for hours. A rollout that failed was judged: trying the same champion
        # again would be no news.
        "deploy": Needs(("100m", "1"), ("256Mi", "1Gi"), 43200, 0),
    }
)


def configure(task: PipelineTask, stage: str) -> PipelineTask:
    """Give a task what its stage needs; returns the task."""
    needs = STAGES[stage]
    task.set_caching_options(enable_caching=False)
    task.set_cpu_request(needs.cpu[0]).set_cpu_limit(needs.cpu[1])
    task.set_memory_request(needs.memory[0]).set_memory_limit(needs.memory[1])
    if needs.retries:
        longest = f"{needs.retried_for_s}s"
        task.set_retry(
            needs.retries, backoff_duration=f"{BACKOFF_S}s", backoff_max_duration=longest
        )
    for secret in needs.secrets:
        kubernetes.use_secret_as_env(task, secret, dict(SECRETS[secret]), optional=True)
    return _in_its_pod(task, stage, needs)


def _in_its_pod(task: PipelineTask, stage: str, needs: Needs) -> PipelineTask:
    """What only Kubernetes knows of: deadline, user, image, labels, scratch space, own name."""
    kubernetes.set_timeout(task, needs.timeout_s)
    kubernetes.set_security_context(
        task, run_as_user=USER_ID, run_as_group=USER_ID, run_as_non_root=True
    )
    kubernetes.set_image_pull_policy(task, "IfNotPresent")
    kubernetes.add_pod_label(task, "app.kubernetes.io/part-of", "parivision")
    kubernetes.add_pod_label(task, "app.kubernetes.io/component", stage)
    kubernetes.empty_dir_mount(task, "scratch", SCRATCH, size_limit=SCRATCH_SIZE)
    kubernetes.use_field_path_as_env(task, "PARIVISION_POD", "metadata.name")
    return task

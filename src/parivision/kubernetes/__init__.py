"""The champion's image and the training's Jobs. The only package that knows Kubernetes."""

from parivision.kubernetes.api import AwayError
from parivision.kubernetes.canary import CanaryState, canary_state
from parivision.kubernetes.cluster import Cluster, DeploymentTarget, connect
from parivision.kubernetes.cron_jobs import CronJobRuns, cron_job_runs
from parivision.kubernetes.deploy import await_rollout
from parivision.kubernetes.follow import deploy
from parivision.kubernetes.release import Release
from parivision.kubernetes.rollout_target import RolloutTarget

__all__ = [
    "AwayError",
    "CanaryState",
    "Cluster",
    "CronJobRuns",
    "DeploymentTarget",
    "Release",
    "RolloutTarget",
    "await_rollout",
    "canary_state",
    "connect",
    "cron_job_runs",
    "deploy",
]

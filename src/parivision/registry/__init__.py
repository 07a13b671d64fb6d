"""The model registry: runs, versions and the alias `champion`. The only package that knows MLflow.

A run is kept for every training, evaluation, promotion, drift report and pipeline. A version is
made only of a bundle that takes the alias; its tags say why.
"""

from parivision.registry.client_settings import impatient, quiet, steady
from parivision.registry.records import DriftReport, PipelineRun, RegisteredVersion
from parivision.registry.reports import DRIFT, PIPELINE, ROLLOUT, SEVERITY
from parivision.registry.runs import EXPERIMENT, TRAINING
from parivision.registry.versions import ALIAS, MODEL_NAME, Registry

__all__ = [
    "ALIAS",
    "DRIFT",
    "EXPERIMENT",
    "MODEL_NAME",
    "PIPELINE",
    "ROLLOUT",
    "SEVERITY",
    "TRAINING",
    "DriftReport",
    "PipelineRun",
    "RegisteredVersion",
    "Registry",
    "impatient",
    "quiet",
    "steady",
]

"""What a pipeline component does: settings and paths in, files and what the UI shows out.

One function a component. Each imports what it needs when it is called: a component is a process of
its own, and MLflow alone takes seconds to import.
"""

import json
import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from parivision import strict_json
from parivision.errors import ServiceError, SettingsError, StoreError
from parivision.settings import Settings
from parivision.stages.heartbeat import logs_heartbeat
from parivision.stages.termination_message import writes_termination_message

if TYPE_CHECKING:
    from parivision.lake import Lake
    from parivision.models.training import Recipe
    from parivision.packaging.bento import Bento
    from parivision.packaging.oci import ImageRegistry
    from parivision.registry import Registry
    from parivision.stages.drift import DriftOutcome
    from parivision.stages.views import ConfusionMatrix, RocPoints

Counts = Mapping[str, int]
_logger = logging.getLogger(__name__)
TARGETS: Final = ("auto", "local", "kubernetes")
"""Where a champion can be deployed to."""


@dataclass(frozen=True)
class Refined:
    """Records by what became of them, why some were refused (Markdown), rows of the snapshot."""

    counts: Counts
    refused: str
    rows: int


@dataclass(frozen=True)
class Trained:
    """The model's name in tables, its run, and numbers on its training."""

    name: str
    run_id: str
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class Evaluated:
    """The best model, the report, and what of it the UI shows."""

    best: str
    report: Path
    table: str
    metrics: Mapping[str, float]
    roc: "RocPoints"
    confusion: "ConfusionMatrix"


@dataclass(frozen=True)
class Promoted:
    """The decision; version and family of who is champion now, empty while nobody is."""

    promoted: bool
    version: str
    family: str
    reason: str
    table: str


@dataclass(frozen=True)
class Packaged:
    """The champion's Bento, and its image by digest; empty where no registry is named."""

    bento: "Bento"
    image: str


@writes_termination_message
@logs_heartbeat
def ingest(settings: Settings, source: str) -> Counts:
    """Bring new records of a source into bronze; see `parivision.lake.ingest`.

    Raises FilesError when files of it cannot be used; what the others hold is in bronze then.
    """
    from parivision.lake.ingest import ingest as run
    from parivision.sources.open import open_source

    report = run(open_source(source), _lake(settings))
    return {
        "records": report.records,
        "new": report.new,
        "duplicates": report.duplicates,
        "conflicts": report.conflicts,
        "faulty": report.faulty,
        "games_without_miss": report.games_without_miss,
    }


@writes_termination_message
@logs_heartbeat
def refine(settings: Settings, until: str, shots: Path) -> Refined:
    """Refine what is new in bronze and write the snapshot; `until` is a day or empty."""
    from parivision.lake.refine import refine as run
    from parivision.lake.snapshot import write_snapshot
    from parivision.stages import views

    last = _day(until)
    lake = _lake(settings)
    report = run(lake)
    snapshot = write_snapshot(lake, shots, until=last)
    told, trouble = _tell_outcomes(settings, lake)
    counts = {
        "records": report.records,
        "silver": report.silver,
        "quarantined": report.quarantined,
        "duplicates": report.duplicates,
        "snapshot": snapshot.rows,
        "games_left_out": len(snapshot.doubted.left_out),
        "outcomes": told,
    }
    remarks = (report.strangers_sentence, snapshot.doubted.sentence)
    said = "".join(f"\n{words}\n" for words in remarks if words)
    refused = views.counts_text(report.reasons)
    return Refined(counts, refused + said + trouble, snapshot.rows)


def _tell_outcomes(settings: Settings, lake: "Lake") -> tuple[int, str]:
    """Tell the prediction log how shots ended; how many, and what went wrong.

    Silver and snapshot are whole without it and the next run catches up, so a log that is away does
    not fail the stage.
    """
    from parivision.prediction_log import open_store
    from parivision.stages.outcomes import publish

    if not settings.prediction_log:
        return 0, ""
    try:
        with closing(open_store(settings.prediction_log)) as store:
            return publish(lake, store), ""
    except StoreError as error:
        _logger.warning("no outcomes were told: %s", error)
        return 0, f"\nNo outcomes were told to the prediction log: {error}\n"


@writes_termination_message
@logs_heartbeat
def drift(settings: Settings, shots: Path, out: Path) -> "DriftOutcome":
    """Compare the snapshot's current shots with the champion's training data; files go to `out`."""
    from parivision.stages.drift import drift_stage

    return drift_stage(shots, _registry(settings), settings.cache, out)


@writes_termination_message
@logs_heartbeat
def train(settings: Settings, shots: Path, recipe: "Recipe", out: Path) -> Trained:
    """Train one model on the snapshot and write its bundle to `out`."""
    from parivision.stages import models as stages

    bundle = stages.train_model(shots, recipe, out, _registry(settings))
    metrics = {"shots_fitted": float(bundle.card["shots_fitted"]), "seed": float(recipe.seed)}
    return Trained(recipe.name, bundle.card["run_id"], metrics)


@writes_termination_message
@logs_heartbeat
def evaluate(
    settings: Settings, shots: Path, models: Mapping[str, Path], judged: Path, best: Path
) -> Evaluated:
    """Judge models on the snapshot's later games and put the best one's bundle to `best`.

    Without models the champion is judged against itself recalibrated, and is the best.
    """
    import polars as pl

    from parivision.promotion.holdout import Judgement
    from parivision.stages import models as stages
    from parivision.stages import views

    registry = _registry(settings)
    scores = stages.evaluate_models(shots, models, registry, settings.cache, judged)
    name = json.loads((judged / stages.EVALUATED).read_text())["best"]
    champion = None if name in models else registry.champion()
    bundle = registry.fetch(champion.number, settings.cache) if champion else models[name]
    shutil.copytree(bundle, best, dirs_exist_ok=True)
    losses = {f"{model}_log_loss": score.log_loss for model, score in scores.items()}
    own = scores[name].to_dict()
    judgement = Judgement.from_frame(pl.read_parquet(judged / stages.JUDGEMENT))
    return Evaluated(
        best=name,
        report=judged / stages.EVALUATION,
        table=views.models_table(scores, name),
        metrics=strict_json.finite(own | losses),
        roc=views.roc_points(judgement, name),
        confusion=views.confusion(scores[name]),
    )


@writes_termination_message
@logs_heartbeat
def promote(
    settings: Settings,
    shots: Path,
    judged: Path,
    best: Mapping[str, Path],
    out: Path,
    cause: str = "",
) -> Promoted:
    """Decide by an evaluation; the champion's bundle goes to `out`, if there is a champion.

    `best` names the evaluation's best model and where its bundle is; `cause` is why this is done,
    and is recorded with the decision.
    """
    from parivision.stages import models as stages
    from parivision.stages import views

    registry, tags = _registry(settings), {"cause": cause} if cause else {}
    result = stages.promote(judged, shots, best, registry, settings.cache, out, tags=tags)
    version = result.champion.number if result.champion else ""
    return Promoted(
        promoted=result.decision.promoted,
        version=version,
        family=result.champion.tags.get("family", "") if result.champion else "",
        reason=result.decision.reason,
        table=views.decision_text(result.decision, version),
    )


@writes_termination_message
@logs_heartbeat
def package(settings: Settings, bundle: Path, version: str, out: Path) -> "Packaged":
    """Build the champion's Bento, keep it in the home folder and copy it to `out`.

    Where a registry of images is named, the champion's image is made and pushed too.
    """
    from parivision.packaging import bento as packing

    bento = packing.build(bundle, version=version, store=settings.bentos)
    shutil.copytree(bento.path, out, dirs_exist_ok=True)
    return Packaged(bento, push(settings, bento.path) if settings.images_push else "")


def push(settings: Settings, bento: Path) -> str:
    """Make the image of a Bento and push it; returns how the cluster's nodes pull it."""
    from parivision.packaging.oci import push_bento

    with image_registry(settings) as registry:
        place = urlsplit(settings.images_push)
        repository = place.path.strip("/")
        pull = settings.images_pull or f"{place.netloc}/{repository}"
        image = push_bento(
            bento, registry, repository=repository, runtime=settings.runtime_image, pull=pull
        )
    return image.reference


def image_registry(settings: Settings) -> "ImageRegistry":
    """The registry that the champion's image is pushed to."""
    from parivision.packaging.oci import ImageRegistry

    if not settings.images_push:
        raise SettingsError(
            "PARIVISION_IMAGES_PUSH is not set: expected the repository for the champion's image, "
            "in a pod the key `push` of the Secret parivision-images"
        )
    place = urlsplit(settings.images_push)
    login = (settings.images_username, settings.images_password)
    return ImageRegistry(f"{place.scheme}://{place.netloc}", *login)


@writes_termination_message
@logs_heartbeat
def deploy(
    settings: Settings,
    bento: Path,
    tag: str,
    digest: str,
    image: str,
    target: str,
    say: Callable[[str], None] = _logger.info,
) -> str:
    """Serve a Bento, or its image, and return its address.

    `target` says where: local, kubernetes, or auto, which is the cluster where this runs in one.
    Where a canary rolls it out, this follows it to its end and tells `say` how it goes.
    """
    if is_for_cluster(settings, target):
        return _deploy_in_cluster(settings, tag, digest, image, say)
    return _deploy_here(settings, bento, tag)


def is_for_cluster(settings: Settings, target: str) -> bool:
    """Whether a target means a cluster, and not this machine."""
    if target not in TARGETS:
        raise SettingsError(f"target is {target!r}: expected {', '.join(TARGETS)}")
    return target == "kubernetes" or (target == "auto" and settings.is_in_cluster)


def _deploy_in_cluster(
    settings: Settings, tag: str, digest: str, image: str, say: Callable[[str], None]
) -> str:
    from parivision import kubernetes

    if not image:
        raise ServiceError(
            f"{tag} has no image, and a cluster serves images: set PARIVISION_IMAGES_PUSH, in a "
            "pod by the Secret parivision-images, and package it again; or run with target=local"
        )
    return kubernetes.deploy(
        kubernetes.Release(image, tag.partition(":")[2], digest),
        settings.deployment,
        timeout_s=settings.deploy_timeout_s,
        rollout_s=settings.rollout_timeout_s,
        cluster=kubernetes.connect(),
        say=say,
    )


def _deploy_here(settings: Settings, bento: Path, tag: str) -> str:
    """Serve the home folder's copy if there is one: it outlives the files of the run."""
    from parivision.packaging import local_deployment

    kept = settings.bentos.joinpath("bentos", *tag.split(":"))
    place = kept if kept.is_dir() else bento
    return local_deployment.start(place, port=settings.port, state_dir=settings.serving).url


def _lake(settings: Settings) -> "Lake":
    from parivision.lake import open_lake

    return open_lake(_named(settings.lake, "PARIVISION_LAKE", "parivision-lake"))


def _registry(settings: Settings) -> "Registry":
    # Before MLflow's import, which takes seconds.
    _named(settings.tracking_uri, "MLFLOW_TRACKING_URI", "parivision-mlflow")
    from parivision.registry import Registry, quiet

    quiet()
    settings.home.mkdir(parents=True, exist_ok=True)
    return Registry(settings.tracking_uri, settings.artifacts, settings.tracking_login)


def _named(value: str, name: str, secret: str) -> str:
    if not value:
        raise SettingsError(
            f"{name} is not set in this pod: expected the key `uri` of the Secret {secret} in the "
            "namespace of the runs (docs/kubeflow.md says how to make it)"
        )
    return value


def _day(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError(f"until is {text!r}: expected a day such as 2023-04-10") from error

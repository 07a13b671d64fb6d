"""A rollout as Flagger sees it: the Canary, the Deployment that it rolls out, and the primary."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from parivision import strict_json
from parivision.kubernetes.cluster import Cluster, DeploymentTarget, MissingError
from parivision.kubernetes.release import Release, change, served, template_key

SAID: Final = "parivision.dev/verdict"
"""On the Canary: what the verdict service has to say, as JSON."""
ORDER: Final = "parivision.dev/order"
"""On the Canary: what a person ordered for one rollout, as JSON: `key`, `order`, `by`."""
FORCED: Final = "parivision.dev/forced-for"
"""On the Canary: the name of the only release that Flagger was told to promote unasked."""
RUNNING: Final = frozenset(
    {"Progressing", "Waiting", "WaitingPromotion", "Promoting", "Finalising"}
)
AT_REST: Final = frozenset({"Initialized", "Succeeded", "Failed"})
FAILED: Final = "Failed"
SUCCEEDED: Final = "Succeeded"
WAITING: Final = "Waiting"
"""It waits for leave to begin; no pod runs."""
TAKING_OVER: Final = frozenset({"Promoting", "Finalising"})
"""The challenger has won, and the primary is being replaced."""


@dataclass(frozen=True)
class Look:
    """How a rollout stands in the cluster.

    `weight` is the share of requests that the canary gets, from 0 to 1. `key` names the target's
    template; `is_forced` says that Flagger promotes without asking, and `forced_for` the name of
    the release that this is meant for, "" for any.
    """

    phase: str
    weight: float
    is_suspended: bool
    is_forced: bool
    is_mirrored: bool
    uid: str
    target: Release
    primary: Release | None
    key: str
    said: Mapping[str, Any] = field(default_factory=dict)
    ordered: Mapping[str, Any] = field(default_factory=dict)
    forced_for: str = ""

    @property
    def is_stray(self) -> bool:
        """Whether Flagger would promote, unasked, what that was not meant for."""
        return self.is_forced and self.forced_for not in {"", self.target.name}

    @property
    def is_new(self) -> bool:
        """Whether Flagger has not taken the Deployment over yet."""
        return self.phase in {"", "Initializing"}

    @property
    def is_running(self) -> bool:
        """Whether a rollout is under way, or waits to begin."""
        return self.phase in RUNNING

    @property
    def is_settled(self) -> bool:
        """Whether nothing is under way, and nothing is about to be."""
        return self.phase in AT_REST and self.target.is_same(self.primary)


def primary_of(place: DeploymentTarget) -> DeploymentTarget:
    """The Deployment that serves, which Flagger makes."""
    return DeploymentTarget(place.namespace, f"{place.name}-primary")


def look(cluster: Cluster, place: DeploymentTarget) -> Look | None:
    """How the rollout of a Deployment stands; None where no Canary rolls it out."""
    canary = cluster.canary(place)
    if canary is None:
        return None
    target = cluster.deployment(place)
    primary = None
    with suppress(MissingError):
        primary = served(cluster.deployment(primary_of(place)))
    found = _of_canary(canary, served(target), primary, template_key(target))
    return replace(found, weight=_canarys_share(cluster.route(place), place))


def _canarys_share(route: Mapping[str, Any] | None, place: DeploymentTarget) -> float:
    """The share of the requests that the route sends to the canary.

    The Canary's own status forgets it while Flagger waits for leave to promote.
    """
    rules = route["spec"].get("rules", ()) if route else ()
    split = [rule["backendRefs"] for rule in rules if len(rule.get("backendRefs", ())) > 1]
    if not split:
        return 0.0
    weights = {one["name"]: one.get("weight", 1) for one in split[0]}
    return float(weights.get(f"{place.name}-canary", 0) / (sum(weights.values()) or 1))


def _of_canary(
    canary: Mapping[str, Any], target: Release, primary: Release | None, key: str
) -> Look:
    spec, status = canary.get("spec", {}), canary.get("status", {})
    notes = canary["metadata"].get("annotations") or {}
    return Look(
        phase=status.get("phase", ""),
        weight=0.0,
        is_suspended=bool(spec.get("suspend")),
        is_forced=bool(spec.get("skipAnalysis")),
        is_mirrored=bool(spec.get("analysis", {}).get("mirror")),
        uid=str(canary["metadata"].get("uid", "")),
        target=target,
        primary=primary,
        key=key,
        said=_read(notes.get(SAID)),
        ordered=_read(notes.get(ORDER)),
        forced_for=notes.get(FORCED, ""),
    )


def say(cluster: Cluster, place: DeploymentTarget, said: Mapping[str, Any]) -> None:
    """Keep on the Canary what the verdict service has to say."""
    _annotate(cluster, place, SAID, said)


def order(cluster: Cluster, place: DeploymentTarget, ordered: Mapping[str, Any]) -> None:
    """Keep on the Canary what a person ordered."""
    _annotate(cluster, place, ORDER, ordered)


def suspend(cluster: Cluster, place: DeploymentTarget, *, wanted: bool) -> None:
    """Let Flagger leave the Deployment alone, or not."""
    cluster.patch_canary(place, {"spec": {"suspend": wanted}})


def force(cluster: Cluster, place: DeploymentTarget, release: Release | None) -> None:
    """Let Flagger promote a release without any analysis; None for none any more."""
    notes = {"annotations": {FORCED: release.name if release else None}}
    patch = {"metadata": notes, "spec": {"skipAnalysis": release is not None}}
    cluster.patch_canary(place, patch)


def serve(cluster: Cluster, place: DeploymentTarget, release: Release) -> None:
    """Make a release the target; Flagger rolls it out, unless it is what was promoted last."""
    cluster.patch(place, change(release, None))


def _annotate(
    cluster: Cluster, place: DeploymentTarget, name: str, values: Mapping[str, Any]
) -> None:
    text = strict_json.text(values, sort_keys=True)
    cluster.patch_canary(place, {"metadata": {"annotations": {name: text}}})


def _read(text: str | None) -> Mapping[str, Any]:
    """What an annotation says; nothing when somebody wrote nonsense into it."""
    with suppress(ValueError):
        found = json.loads(text or "{}")
        return found if isinstance(found, dict) else {}
    return {}

"""A rollout as Flagger sees it: the Canary, the Deployment that it rolls out, and the primary."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from parivision import strict_json
from parivision.kubernetes.api import MissingError
from parivision.kubernetes.cluster import Cluster, DeploymentTarget
from parivision.kubernetes.release import Release, change, served, template_key

STATUS: Final = "parivision.dev/verdict"
"""On the Canary: the verdict service's status, as JSON (`parivision.canary.views.status_of`)."""
ORDER: Final = "parivision.dev/order"
"""On the Canary: what a person ordered, as JSON: `order`, `by`; and of which rollout, by its `key`,
or which version is to return (`parivision.kubernetes.returns`)."""
FORCED: Final = "parivision.dev/forced-for"
"""On the Canary: the name of the only release that Flagger was told to promote unasked."""
RUNNING: Final = frozenset(
    {"Progressing", "Waiting", "WaitingPromotion", "Promoting", "Finalising"}
)
AT_REST: Final = frozenset({"Initialized", "Succeeded", "Failed"})
FAILED: Final = "Failed"
SUCCEEDED: Final = "Succeeded"
WAITING: Final = "Waiting"
"""It waits for approval to begin; no pod runs."""
TAKING_OVER: Final = frozenset({"Promoting", "Finalising"})
"""The challenger has won, and the primary is being replaced."""


@dataclass(frozen=True)
class CanaryState:
    """How a rollout stands in the cluster, at the moment when it was read.

    `weight` is the share of requests that the canary gets, from 0 to 1. `key` names the target's
    template; `is_forced` says that Flagger promotes without asking, and `forced_for` the name of
    the release that this is meant for, "" for any. `status` is the verdict service's, `ordered` a
    person's order; both are empty when there is none.
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
    status: Mapping[str, Any] = field(default_factory=dict)
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
    def is_judged(self) -> bool:
        """Whether a rollout is under way that Flagger asks the verdict service about."""
        return self.is_running and not self.is_forced

    @property
    def is_at_rest(self) -> bool:
        """Whether nothing is under way, and nothing is about to be."""
        return self.phase in AT_REST and self.target.is_same(self.primary)


def primary_of(target: DeploymentTarget) -> DeploymentTarget:
    """The Deployment that serves, which Flagger makes."""
    return DeploymentTarget(target.namespace, f"{target.name}-primary")


def canary_state(cluster: Cluster, target: DeploymentTarget) -> CanaryState | None:
    """How the rollout of a Deployment stands; None where no Canary rolls it out."""
    canary = cluster.canary(target)
    if canary is None:
        return None
    deployment = cluster.deployment(target)
    primary = None
    with suppress(MissingError):
        primary = served(cluster.deployment(primary_of(target)))
    state = _of_canary(canary, served(deployment), primary, template_key(deployment))
    return replace(state, weight=_canarys_share(cluster.route(target), target))


def _canarys_share(route: Mapping[str, Any] | None, target: DeploymentTarget) -> float:
    """The share of the requests that the route sends to the canary.

    The Canary's own status forgets it while Flagger waits for approval to promote.
    """
    rules = route["spec"].get("rules", ()) if route else ()
    split = [rule["backendRefs"] for rule in rules if len(rule.get("backendRefs", ())) > 1]
    if not split:
        return 0.0
    weights = {backend["name"]: backend.get("weight", 1) for backend in split[0]}
    return float(weights.get(f"{target.name}-canary", 0) / (sum(weights.values()) or 1))


def _of_canary(
    canary: Mapping[str, Any], target: Release, primary: Release | None, key: str
) -> CanaryState:
    spec, status = canary.get("spec", {}), canary.get("status", {})
    annotations = canary["metadata"].get("annotations") or {}
    return CanaryState(
        phase=status.get("phase", ""),
        weight=0.0,
        is_suspended=bool(spec.get("suspend")),
        is_forced=bool(spec.get("skipAnalysis")),
        is_mirrored=bool(spec.get("analysis", {}).get("mirror")),
        uid=str(canary["metadata"].get("uid", "")),
        target=target,
        primary=primary,
        key=key,
        status=_read(annotations.get(STATUS)),
        ordered=_read(annotations.get(ORDER)),
        forced_for=annotations.get(FORCED, ""),
    )


def publish(cluster: Cluster, target: DeploymentTarget, status: Mapping[str, Any]) -> None:
    """Keep the verdict service's status on the Canary."""
    _annotate(cluster, target, STATUS, status)


def order(cluster: Cluster, target: DeploymentTarget, ordered: Mapping[str, Any]) -> None:
    """Keep on the Canary what a person ordered."""
    _annotate(cluster, target, ORDER, ordered)


def order_end(
    cluster: Cluster, target: DeploymentTarget, state: CanaryState, end: str, by: str
) -> None:
    """Order how the rollout that is under way ends, `abort` or `promote`; `by` is who wants it."""
    order(cluster, target, {"key": state.key, "order": end, "by": by})


def suspend(cluster: Cluster, target: DeploymentTarget, *, wanted: bool) -> None:
    """Let Flagger leave the Deployment alone, or not."""
    cluster.patch_canary(target, {"spec": {"suspend": wanted}})


def force(cluster: Cluster, target: DeploymentTarget, release: Release | None) -> None:
    """Let Flagger promote a release without any analysis; None for none any more."""
    metadata = {"annotations": {FORCED: release.name if release else None}}
    spec = {"skipAnalysis": release is not None}
    cluster.patch_canary(target, {"metadata": metadata, "spec": spec})


def serve(cluster: Cluster, target: DeploymentTarget, release: Release) -> None:
    """Make a release the target; Flagger rolls it out, unless it is what was promoted last."""
    cluster.patch(target, change(release, None))


def _annotate(
    cluster: Cluster, target: DeploymentTarget, name: str, values: Mapping[str, Any]
) -> None:
    text = strict_json.text(values, sort_keys=True)
    cluster.patch_canary(target, {"metadata": {"annotations": {name: text}}})


def _read(text: str | None) -> Mapping[str, Any]:
    """What an annotation says; nothing when somebody wrote nonsense into it."""
    with suppress(ValueError):
        # Anybody who may patch the Canary may write there, and a rollout must not stop for that.
        values = json.loads(text or "{}")
        return values if isinstance(values, dict) else {}
    return {}

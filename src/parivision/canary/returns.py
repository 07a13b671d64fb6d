"""Taking a person's order to bring a former champion back, or refusing it with the reason.

What follows is a rollout like any other: a record, Flagger, an end and its consequences. It is not
judged, unless the person asks for that: who orders a return knows that the champion is bad, and
evidence would take time in which users get bad answers. The traffic moves when pods of the returned
version are ready, so a version that does not start costs nobody anything.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Final

from parivision.canary.interfaces import Models, RolloutTargetLike
from parivision.canary.known_rollouts import KnownRollouts
from parivision.canary.record import Rollout
from parivision.errors import RegistryError
from parivision.kubernetes.canary import CanaryState
from parivision.kubernetes.release import Release
from parivision.kubernetes.returns import ReturnOrder, under_way
from parivision.promotion.ends import OUTCOME_TAG, REASON_TAG

STALE_S: Final = 300.0
"""An older order is refused: whoever gave it looks elsewhere by now, and may have done more."""


class ReturnTaker:
    """Makes the release that a person ordered back the target, once."""

    def __init__(self, known: KnownRollouts, target: RolloutTargetLike, models: Models) -> None:
        self._known = known
        self._target = target
        self._models = models

    def take(self, canary: CanaryState, now: float) -> None:
        """Carry out the order on the Canary, if there is a new one. Raises ServiceError.

        Cut off in the middle it is taken again, and the same release becomes the target.
        """
        order = ReturnOrder.read(canary.ordered)
        if order is None or order.refused or self._is_taken(order, canary):
            return
        refusal = self._refusal(order, canary, now)
        release = former_champion(self._known.all(), order.version)
        if release is None or refusal:
            refused = replace(order, refused=refusal or self._never_champion(order.version))
            self._target.order(refused.to_dict())
            return
        if not order.is_judged:
            # First: a target that Flagger sees before this would be judged.
            self._target.force(release)
        self._target.serve(replace(release, attempt=order.id))

    def _is_taken(self, order: ReturnOrder, canary: CanaryState) -> bool:
        # The order's id is the attempt of the release that it made the target, and stays in its
        # record.
        attempts = {rollout.release.attempt for rollout in self._known.all()}
        return order.id in {*attempts, canary.target.attempt}

    def _refusal(self, order: ReturnOrder, canary: CanaryState, now: float) -> str:
        """Why the order cannot be carried out now, whatever the version is; "" if it can."""
        age_s = order.age_s(now)
        if age_s is None or age_s > STALE_S:
            return f"the order is older than {STALE_S:g} s by the cluster's clock: order it again"
        if canary.is_suspended:
            return "the Canary is suspended: nothing is rolled out until `spec.suspend` is false"
        if canary.is_judged or (order.is_judged and not canary.is_at_rest):
            return under_way(canary)
        if canary.primary is not None and canary.primary.version == order.version:
            return f"version {order.version} is the champion already: it serves all users"
        return ""

    def _never_champion(self, version: str) -> str:
        """Why a version is none that users have had; MLflow may know more."""
        versions = sorted(champions(self._known.all()), key=_numeric)
        known = f"former champions are {', '.join(versions) or 'none'}"
        # Not worth a wait: a return must work while MLflow is away.
        with suppress(RegistryError):
            registered = self._models.version(version)
            if registered is None:
                return f"MLflow has no version {version}; {known}"
            outcome = registered.tags.get(OUTCOME_TAG, "").replace("_", " ")
            if outcome:
                reason = registered.tags.get(REASON_TAG, "")
                return f"version {version} was never champion ({outcome}: {reason}); {known}"
        return f"version {version} was never champion; {known}"


def champions(rollouts: Iterable[Rollout]) -> dict[str, Release]:
    """What users have been served, as it was served last, by version.

    A champion that was taken back counts: it served once, and a person may know better.
    """
    releases: dict[str, Release] = {}
    for rollout in rollouts:
        releases[rollout.former.version] = rollout.former
        if rollout.was_champion:
            releases[rollout.version] = rollout.release
    releases.pop("", None)
    return releases


def former_champion(rollouts: Iterable[Rollout], version: str) -> Release | None:
    """The release of a version that was champion; None when it never was."""
    return champions(rollouts).get(version)


def _numeric(version: str) -> tuple[int, str]:
    return (int(version), "") if version.isdecimal() else (0, version)

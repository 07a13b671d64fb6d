"""Deploy where Flagger rolls out: hand the release over, and follow what becomes of it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from parivision.errors import ServiceError
from parivision.kubernetes import canary
from parivision.kubernetes.api import AwayError
from parivision.kubernetes.canary import CanaryState
from parivision.kubernetes.cluster import Cluster, DeploymentTarget
from parivision.kubernetes.deploy import PATIENCE_S, POLL_S, Clock, Sleep, address, replace_pods
from parivision.kubernetes.release import Release
from parivision.kubernetes.rollout_target import RolloutTarget
from parivision.promotion.ends import SERVING_ENDS

ROLLOUT_S: Final = 8 * 3600.0
"""Twice the deadline after which the verdict's policy decides."""
Say = Callable[[str], None]

_logger = logging.getLogger(__name__)


def deploy(
    release: Release,
    deployment: str,
    *,
    timeout_s: float,
    rollout_s: float = ROLLOUT_S,
    patience_s: float = PATIENCE_S,
    cluster: Cluster,
    say: Say = _logger.info,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> str:
    """Serve a release and return the service's address once it is what users get.

    `deployment` is namespace/name. Without a Canary the Deployment's pods are replaced. With one
    the first champion is served at once and handed over to Flagger; each later one is rolled out
    by Flagger, judged, and followed here to its end. Raises ServiceError with the reason when it
    was rolled back, when another release took its place, and when it took too long; the rollout
    then goes on by itself, and the same call follows it again. `timeout_s` is for pods to get
    ready, `rollout_s` for the verdict, `patience_s` for a fault that could pass.
    """
    target = DeploymentTarget.parse(deployment)
    state = canary.canary_state(cluster, target)
    waits = RolloutWaits(timeout_s, rollout_s, patience_s)
    follower = RolloutFollower(release, target, waits, cluster, say, clock, sleep)
    if state is not None and not state.is_new:
        follower.roll_out(state)
        return address(target)
    service = replace_pods(
        release,
        deployment,
        timeout_s=timeout_s,
        patience_s=patience_s,
        cluster=cluster,
        clock=clock,
        sleep=sleep,
    )
    if state is not None:
        follower.hand_over()
    return service


@dataclass(frozen=True)
class RolloutWaits:
    """How long to wait, in seconds: for pods, for the verdict, for a fault that could pass."""

    pods_s: float
    rollout_s: float = ROLLOUT_S
    trouble_s: float = PATIENCE_S


@dataclass
class RolloutFollower:
    """Follows a release to what becomes of it; raises ServiceError as `deploy` does."""

    release: Release
    target: DeploymentTarget
    waits: RolloutWaits
    cluster: Cluster
    say: Say = _logger.info
    clock: Clock = time.monotonic
    sleep: Sleep = time.sleep
    key: str = ""
    trouble: str = ""
    last_line: str = ""

    def __post_init__(self) -> None:
        """What tells why its pods do not get ready."""
        self.rollout_target = RolloutTarget(self.cluster, self.target)

    def hand_over(self) -> None:
        """Let Flagger take the first champion over."""
        canary.suspend(self.cluster, self.target, wanted=False)
        deadline = self.clock() + self.waits.pods_s
        while True:
            state = self._state()
            if state is not None and not state.is_new:
                return
            self._tell("Flagger makes the primary")
            self._wait(deadline, "Flagger did not take the first champion over")

    def roll_out(self, state: CanaryState) -> None:
        """Make the release the target, unless it is, and follow it to its end."""
        if state.is_at_rest and self.release.is_same(state.primary):
            return
        # The release of a failed rollout gets a new attempt, and so another template: Flagger does
        # not try the same template again.
        if not self.release.is_same(state.target) or state.phase == canary.FAILED:
            self._let_pass(state)
            attempt = datetime.now(UTC).isoformat(timespec="milliseconds")
            canary.serve(self.cluster, self.target, replace(self.release, attempt=attempt))
        self.follow()

    def _let_pass(self, state: CanaryState | None) -> None:
        """Wait until what Flagger promotes unasked is promoted: nobody may take its place."""
        deadline = self.clock() + self.waits.pods_s
        while state is None or (state.is_forced and state.is_running):
            version = state.target.version if state else "none"
            self._tell(f"waits for version {version}, which is promoted without being judged")
            self._wait(deadline, f"version {version} was not promoted, which was ordered to be")
            state = self._state()

    def follow(self) -> None:
        """Tell how the rollout stands until the release is served; raises when it is not kept."""
        deadline = self.clock() + self.waits.rollout_s
        was_running, over_since = False, None
        while True:
            state = self._state()
            if state is not None:
                if self._is_served(state):
                    return
                # `Failed` may be left from the rollout before, until Flagger has begun this one.
                was_running = was_running or state.is_running
                is_over = not self.release.is_same(state.target) or (
                    was_running and state.phase == canary.FAILED
                )
                over_since = (over_since or self.clock()) if is_over else None
                # The verdict service says why within moments, if it is there.
                if over_since and self.clock() - over_since >= self.waits.trouble_s:
                    raise ServiceError(self._unexplained(state))
            self._wait(deadline, self._undecided())

    def _is_served(self, state: CanaryState) -> bool:
        """Whether it is what users get; raises ServiceError when it was rolled back."""
        if self.release.is_same(state.target):
            # Kept, because after a rollback the target is the former release, and has another key.
            self.key = state.key
        ended = state.status.get("ended", {}).get(self.key)
        if ended and ended["outcome"] not in SERVING_ENDS:
            raise ServiceError(
                f"version {self.release.version} was not kept on {self.target} "
                f"({ended['outcome'].replace('_', ' ')}): {ended['reason']}"
            )
        if self.release.is_same(state.primary) and state.phase == canary.SUCCEEDED:
            return True
        if state.is_running:
            self._note_trouble(state)
        # The log's end, which may follow the first line, belongs to the end of the story.
        trouble = self.trouble.partition("\n")[0]
        self._tell(_progress(state, self.key) + (f"; {trouble}" if trouble else ""))
        return False

    def _note_trouble(self, state: CanaryState) -> None:
        """Why the canary's pods do not get ready; Flagger says only that they do not."""
        if state.weight > 0:
            self.trouble = ""
            return
        self.trouble = self.rollout_target.trouble() or self.trouble

    def _unexplained(self, state: CanaryState) -> str:
        version = self.release.version
        is_former = state.target.version == state.status.get("former")
        if not self.release.is_same(state.target) and not is_former:
            other = state.target.version or "none"
            return f"version {version}: another rollout, of version {other}, took its place"
        warnings = self.trouble or "; ".join(self.rollout_target.warnings())
        why = warnings or "neither Flagger nor the verdict service says why"
        return f"version {version} was rolled back on {self.target}: {why}"

    def _undecided(self) -> str:
        return (
            f"version {self.release.version} was not decided on {self.target}: {self.last_line}. "
            "The rollout goes on; the same command follows it"
        )

    def _state(self) -> CanaryState | None:
        """How it stands; None while the API does not answer."""
        try:
            return canary.canary_state(self.cluster, self.target)
        except AwayError as error:
            self._tell(str(error))
            return None

    def _wait(self, deadline: float, why: str) -> None:
        if self.clock() >= deadline:
            raise ServiceError(f"{why} (waited as long as allowed)")
        self.sleep(POLL_S)

    def _tell(self, text: str) -> None:
        if text != self.last_line:
            self.say(text)
            self.last_line = text


def _progress(state: CanaryState, key: str) -> str:
    """A line on how it stands; it changes when something did."""
    if state.is_suspended:
        return "the Canary is suspended: nothing is rolled out until `spec.suspend` is false"
    # The status on the Canary may be of the rollout before, until the verdict service's next step.
    status = state.status if state.status.get("key") == key else {}
    share = "a copy of the traffic" if state.is_mirrored else f"{state.weight:.0%} of the traffic"
    missing = [c["name"] for c in status.get("checks", ()) if c["outcome"] != "pass"]
    answer = status.get("outcome", "no verdict yet")
    return f"{state.phase}, {share}: {answer}" + (f" ({', '.join(missing)})" if missing else "")

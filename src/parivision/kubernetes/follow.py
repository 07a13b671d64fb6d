"""Deploy where Flagger rolls out: hand the release over, and follow what becomes of it."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from parivision.errors import ServiceError
from parivision.kubernetes import canary
from parivision.kubernetes.canary import Look
from parivision.kubernetes.cluster import AwayError, Cluster, DeploymentTarget
from parivision.kubernetes.deploy import PATIENCE_S, POLL_S, Clock, Sleep, address, replace_pods
from parivision.kubernetes.release import Release
from parivision.kubernetes.rollout_target import RolloutTarget

GOOD_ENDS: Final = frozenset({"promoted", "confirmed", "served"})
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
    ready, `rollout_s` for the verdict, `patience_s` for a trouble that could pass.
    """
    place = DeploymentTarget.parse(deployment)
    seen = canary.look(cluster, place)
    waits = _Waits(timeout_s, rollout_s, patience_s)
    follower = _Follower(
        release, place, waits, cluster, say, clock, sleep, RolloutTarget(cluster, place)
    )
    if seen is not None and not seen.is_new:
        follower.roll_out(seen)
        return address(place)
    found = replace_pods(
        release,
        deployment,
        timeout_s=timeout_s,
        patience_s=patience_s,
        cluster=cluster,
        clock=clock,
        sleep=sleep,
    )
    if seen is not None:
        follower.hand_over()
    return found


@dataclass(frozen=True)
class _Waits:
    pods_s: float
    rollout_s: float
    trouble_s: float


@dataclass
class _Follower:
    release: Release
    place: DeploymentTarget
    waits: _Waits
    cluster: Cluster
    say: Say
    clock: Clock
    sleep: Sleep
    scene: RolloutTarget
    key: str = ""
    trouble: str = ""
    last_said: str = ""

    def hand_over(self) -> None:
        """Let Flagger take the first champion over."""
        canary.suspend(self.cluster, self.place, wanted=False)
        deadline = self.clock() + self.waits.pods_s
        while True:
            seen = self._look()
            if seen is not None and not seen.is_new:
                return
            self._tell("Flagger makes the primary")
            self._wait(deadline, "Flagger did not take the first champion over")

    def roll_out(self, seen: Look) -> None:
        """Make the release the target, unless it is, and follow it to its end."""
        if seen.is_settled and self.release.is_same(seen.primary):
            return
        if not self.release.is_same(seen.target) or seen.phase == canary.FAILED:
            self._let_pass(seen)
            attempt = datetime.now(UTC).isoformat(timespec="milliseconds")
            canary.serve(self.cluster, self.place, replace(self.release, attempt=attempt))
        self._follow()

    def _let_pass(self, seen: Look | None) -> None:
        """Wait until what Flagger promotes unasked is promoted: nobody may take its place."""
        deadline = self.clock() + self.waits.pods_s
        while seen is None or (seen.is_forced and seen.is_running):
            version = seen.target.version if seen else "none"
            self._tell(f"waits for version {version}, which is promoted without being judged")
            self._wait(deadline, f"version {version} was not promoted, which was ordered to be")
            seen = self._look()

    def _follow(self) -> None:
        deadline = self.clock() + self.waits.rollout_s
        was_running, over_since = False, None
        while True:
            seen = self._look()
            if seen is not None:
                if self._is_served(seen):
                    return
                was_running = was_running or seen.is_running
                is_over = not self.release.is_same(seen.target) or (
                    was_running and seen.phase == canary.FAILED
                )
                over_since = (over_since or self.clock()) if is_over else None
                # The verdict service says why within moments, if it is there.
                if over_since and self.clock() - over_since >= self.waits.trouble_s:
                    raise ServiceError(self._unexplained(seen))
            self._wait(deadline, self._undecided())

    def _is_served(self, seen: Look) -> bool:
        """Whether it is what users get; raises ServiceError when it was rolled back."""
        if self.release.is_same(seen.target):
            self.key = seen.key
        ended = seen.said.get("ended", {}).get(self.key)
        if ended and ended["outcome"] not in GOOD_ENDS:
            raise ServiceError(
                f"version {self.release.version} was not kept on {self.place} "
                f"({ended['outcome'].replace('_', ' ')}): {ended['reason']}"
            )
        if self.release.is_same(seen.primary) and seen.phase == canary.SUCCEEDED:
            return True
        if seen.is_running:
            self._note_trouble(seen)
        self._tell(_progress(seen, self.key))
        return False

    def _note_trouble(self, seen: Look) -> None:
        """Why the canary's pods do not get ready; Flagger says only that they do not."""
        if seen.weight > 0:
            self.trouble = ""
            return
        self.trouble = self.scene.trouble() or self.trouble

    def _unexplained(self, seen: Look) -> str:
        version = self.release.version
        if not self.release.is_same(seen.target) and seen.target.version != seen.said.get("former"):
            other = seen.target.version or "none"
            return f"version {version}: another rollout, of version {other}, took its place"
        said = self.trouble or "; ".join(self.scene.warnings())
        why = said or "neither Flagger nor the verdict service says why"
        return f"version {version} was rolled back on {self.place}: {why}"

    def _undecided(self) -> str:
        return (
            f"version {self.release.version} was not decided on {self.place}: {self.last_said}. "
            "The rollout goes on; the same command follows it"
        )

    def _look(self) -> Look | None:
        """How it stands; None while the API does not answer."""
        try:
            return canary.look(self.cluster, self.place)
        except AwayError as error:
            self._tell(str(error))
            return None

    def _wait(self, deadline: float, why: str) -> None:
        if self.clock() >= deadline:
            raise ServiceError(f"{why} (waited as long as allowed)")
        self.sleep(POLL_S)

    def _tell(self, text: str) -> None:
        if text != self.last_said:
            self.say(text)
            self.last_said = text


def _progress(seen: Look, key: str) -> str:
    """A line on how it stands; it changes when something did."""
    if seen.is_suspended:
        return "the Canary is suspended: nothing is rolled out until `spec.suspend` is false"
    said = seen.said if seen.said.get("key") == key else {}
    share = "a copy of the traffic" if seen.is_mirrored else f"{seen.weight:.0%} of the traffic"
    missing = [c["name"] for c in said.get("checks", ()) if c["outcome"] != "pass"]
    answer = said.get("outcome", "no verdict yet")
    return f"{seen.phase}, {share}: {answer}" + (f" ({', '.join(missing)})" if missing else "")

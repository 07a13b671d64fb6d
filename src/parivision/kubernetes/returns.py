"""A person's order to bring a former champion back: how it is given, and followed to its end.

The order lies on the Canary. The verdict service knows the releases of former champions, so it
takes the order or refuses it (`parivision.canary.returns`), and answers on the Canary too. So a
person needs no way to MongoDB, MLflow or the registry of images.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self

from parivision.errors import ServiceError
from parivision.kubernetes import canary
from parivision.kubernetes.canary import CanaryState
from parivision.kubernetes.cluster import Cluster, DeploymentTarget
from parivision.kubernetes.deploy import POLL_S, Clock, Sleep
from parivision.kubernetes.follow import ROLLOUT_S, RolloutFollower, RolloutWaits, Say

RETURN: Final = "return"
ANSWER_S: Final = 60.0
"""Six looks of the verdict service: one that has not answered by then does not run."""


@dataclass(frozen=True)
class ReturnOrder:
    """Which version a person (`by`) wants back, and `why`.

    `id` is the moment at which it was ordered, in ISO 8601. It becomes the release's attempt, so a
    rollout tells which order it follows. With `is_judged` it is rolled out as a canary. `refused`
    is the verdict service's answer, "" while there is none.
    """

    id: str
    version: str
    by: str
    why: str = ""
    is_judged: bool = False
    refused: str = ""

    @classmethod
    def new(cls, version: str, by: str, why: str, *, is_judged: bool) -> Self:
        """An order that is given now."""
        return cls(
            datetime.now(UTC).isoformat(timespec="milliseconds"), version, by, why, is_judged
        )

    @classmethod
    def read(cls, ordered: Mapping[str, Any]) -> Self | None:
        """The order that lies on a Canary; None where there is none, or another one."""
        if ordered.get("order") != RETURN:
            return None
        texts = {name: str(ordered.get(name, "")) for name in ("id", "version", "by", "why")}
        is_judged = bool(ordered.get("is_judged"))
        return cls(**texts, is_judged=is_judged, refused=str(ordered.get("refused", "")))

    def to_dict(self) -> dict[str, Any]:
        """As it lies on the Canary."""
        return {"order": RETURN, **asdict(self)}

    def age_s(self, now: float) -> float | None:
        """Seconds since it was given; None when its `id` is no moment."""
        try:
            return now - datetime.fromisoformat(self.id).timestamp()
        except ValueError:
            return None

    @property
    def sentence(self) -> str:
        """Who ordered what, for records and events."""
        why = f" ({self.why})" if self.why else ""
        return f"ordered by {self.by or 'somebody'}: return to version {self.version}{why}"


def is_returning(state: CanaryState) -> bool:
    """Whether the target is what a person ordered back, and is not served yet."""
    order = ReturnOrder.read(state.ordered)
    is_ordered = order is not None and order.id != "" and state.target.attempt == order.id
    return is_ordered and not state.is_at_rest


def bring_back(
    order: ReturnOrder,
    deployment: DeploymentTarget,
    *,
    cluster: Cluster,
    say: Say,
    timeout_s: float,
    rollout_s: float = ROLLOUT_S,
    answer_s: float = ANSWER_S,
    clock: Clock = time.monotonic,
    sleep: Sleep = time.sleep,
) -> None:
    """Give the order, and return once the version is what users get.

    A return to the same version that is under way is followed, and not ordered again. Raises
    ServiceError with the reason when the verdict service refuses the order or does not answer, and
    when the version did not start or was rolled back; what served before serves on then.
    """
    state = _state(cluster, deployment)
    if not (is_returning(state) and state.target.version == order.version):
        if state.is_judged:
            # An order for that rollout, such as `abort`, lies in the same place.
            raise ServiceError(under_way(state))
        canary.order(cluster, deployment, order.to_dict())
        say(f"ordered: return to version {order.version}")
        state = _answered(order, deployment, cluster, answer_s, clock, sleep)
    waits = RolloutWaits(timeout_s, rollout_s)
    RolloutFollower(state.target, deployment, waits, cluster, say, clock, sleep).follow()


def under_way(state: CanaryState) -> str:
    """That a rollout stands in the way, and what to do."""
    return (
        f"version {state.target.version or 'none'} is being rolled out ({state.phase}): end that "
        "first, with `parivision rollout abort`, or wait for it"
    )


def _answered(
    order: ReturnOrder,
    deployment: DeploymentTarget,
    cluster: Cluster,
    answer_s: float,
    clock: Callable[[], float],
    sleep: Sleep,
) -> CanaryState:
    """The Canary once the verdict service has taken the order."""
    deadline = clock() + answer_s
    while True:
        state = _state(cluster, deployment)
        if state.target.attempt == order.id:
            return state
        lying = ReturnOrder.read(state.ordered)
        if lying is None or lying.id != order.id:
            raise ServiceError(f"another order took the place of the return to {order.version}")
        if lying.refused:
            raise ServiceError(lying.refused)
        if clock() >= deadline:
            # Otherwise it would be carried out whenever the service is back.
            canary.order(cluster, deployment, {})
            raise ServiceError(
                f"the verdict service did not answer within {answer_s:g} s, so nothing was "
                f"changed: look at its pod and its log, then order the return to version "
                f"{order.version} again"
            )
        sleep(POLL_S)


def _state(cluster: Cluster, deployment: DeploymentTarget) -> CanaryState:
    state = canary.canary_state(cluster, deployment)
    if state is None:
        raise ServiceError(f"no Canary rolls {deployment} out any more")
    return state

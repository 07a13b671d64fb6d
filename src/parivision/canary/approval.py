"""Whether Flagger may take its next step now: an answer from what the last step of ours saw. Pure.

An approval holds for the pod template that was judged, at the weight that it was judged at, and
for a minute.
"""

from typing import Final, Literal

from parivision.canary.views import View
from parivision.kubernetes.canary import CanaryState

STALE_S: Final = 60.0
"""A ruling that is older approves nothing."""

Question = Literal["increase", "promote", "roll_back"]
Answer = tuple[bool, str]
"""Yes or no, and why."""


def answer(question: Question, view: View, canary: CanaryState | None, now: float) -> Answer:
    """What Flagger is told; `canary` is how it stands now, `view` what the last step saw."""
    if view.ruling is None or canary is None or view.ruled_key != canary.key:
        reason = "; ".join(view.troubles) or "this rollout has not been looked at yet"
        return False, f"hold: {reason}"
    if question == "roll_back":
        # A failure stays one, whatever the weight is and however old it is.
        return view.ruling.must_roll_back, view.ruling.reason
    # Flagger may have moved the weight since the last step: what that saw is of the former one.
    if view.canary is None or view.canary.weight != canary.weight:
        return False, "hold: the weight has just changed"
    age_s = now - view.at
    if age_s > STALE_S:
        return False, f"hold: the evidence is {age_s:.0f} s old"
    is_increase = question == "increase"
    approved = view.ruling.may_increase if is_increase else view.ruling.may_promote
    return approved, view.ruling.reason

"""How the rollout of a promoted version may end, and how its tags in the registry say so.

One vocabulary for who judges a rollout, who follows it in the cluster, and who asks the registry
for the last champion.
"""

from enum import StrEnum
from typing import Final


class End(StrEnum):
    """How a rollout ended; empty while it is judged."""

    NONE = ""
    PROMOTED = "promoted"
    CONFIRMED = "confirmed"
    """Promoted, and the watch is over."""
    SERVED = "served"
    """It was not judged: a former champion that was brought back, or a person's order."""
    ROLLED_BACK = "rolled_back"
    TAKEN_BACK = "taken_back"
    """It was champion: then it proved worse in the watch, or a person had it replaced."""
    SUPERSEDED = "superseded"


SERVING_ENDS: Final = frozenset({End.PROMOTED, End.CONFIRMED, End.SERVED})
"""Ends after which users got the release, and still get it unless another one came."""
LOST_ENDS: Final = frozenset({End.ROLLED_BACK, End.TAKEN_BACK})
"""Ends of a release that was worse, or that a person did not want."""

OUTCOME_TAG: Final = "rollout.outcome"
"""Tag of a version: the `End` of its rollout, or `NEVER_SERVED`."""
REASON_TAG: Final = "rollout.reason"
ID_TAG: Final = "rollout.id"
NEVER_SERVED: Final = "never_served"
"""The outcome of a version whose rollout never began."""

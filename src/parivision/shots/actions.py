"""Action types: the scorer's words reduced to a family and modifiers.

The list of words changed in 2016 and their meaning in 2018, so nothing here depends on the whole
word: an unknown one still has a family.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

FAMILIES: Final = ("not given", "dunk", "layup", "tip", "hook", "jump")
# First match wins: "tip dunk" is a dunk, "finger roll" a layup, what is left a jump shot.
_FAMILY_WORDS: Final = (
    ("dunk", "dunk"),
    ("layup", "layup"),
    ("finger roll", "layup"),
    ("tip", "tip"),
    ("hook", "hook"),
)
MODIFIERS: Final = {
    "driving": "driving",
    "running": "running",
    "cutting": "cutting",
    "putback": "putback",
    "follow_up": "follow up",
    "alley_oop": "alley oop",
    "reverse": "reverse",
    "pullup": "pull",
    "step_back": "step back",
    "turnaround": "turnaround",
    "fadeaway": "fadeaway",
    "floating": "floating",
    "bank": "bank",
    "finger_roll": "finger roll",
    "slam": "slam",
    "tip": "tip",
}


def family(action: str) -> str:
    """The family of a normalised action (`facts.normal_action`)."""
    return next((name for word, name in _FAMILY_WORDS if word in action), "jump")


def family_codes(actions: Sequence[str]) -> NDArray[np.int64]:
    """Indexes into FAMILIES, one per action; 0 is left for a shot without one."""
    return np.array([FAMILIES.index(family(action)) for action in actions], np.int64)


def modifier_flags(actions: Sequence[str]) -> NDArray[np.float64]:
    """Flags, shape (len(actions), len(MODIFIERS)): 1.0 where the modifier is in the words."""
    flags = [[float(word in action) for word in MODIFIERS.values()] for action in actions]
    return np.array(flags, np.float64).reshape(len(actions), len(MODIFIERS))

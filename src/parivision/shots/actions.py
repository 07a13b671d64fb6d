"""Action types: the scorer's words reduced to a family and modifiers.

The list of words changed in 2016 and their meaning in 2018, so nothing here depends on the whole
word: an unknown one still has a family.
"""

from typing import Final

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


def held_modifiers(action: str) -> tuple[float, ...]:
    """A flag for each of MODIFIERS: 1.0 where it is in the words of a normalised action."""
    return tuple(float(words in action) for words in MODIFIERS.values())

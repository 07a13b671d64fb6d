"""Expected points of a player from every place of the half court, against the league's.

The service answers for both: for the player, and for a shooter that it knows nothing of, who is
given the league's rates.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

STEP_FT: Final = 2.0
ACROSS: Final = tuple(-24.0 + STEP_FT * step for step in range(25))
ALONG: Final = tuple(-4.0 + STEP_FT * step for step in range(18))
SPOTS: Final = tuple((x_ft, y_ft) for y_ft in ALONG for x_ft in ACROSS)
# No player of the league has so low a number, so the service has never seen one.
SOMEBODY: Final = 1


def shots(shot: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The shot from every place, by its shooter and then by somebody nobody knows."""
    facts = {name: value for name, value in shot.items() if name != "action_type"}
    return [
        {**facts, "player_id": player, "x_ft": x_ft, "y_ft": y_ft}
        for player in (shot["player_id"], SOMEBODY)
        for x_ft, y_ft in SPOTS
    ]


def cells(answers: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """A row for each place: points of the shooter, and how many more than the league's.

    `answers` are to `shots`, in their order.
    """
    own, league = answers[: len(SPOTS)], answers[len(SPOTS) :]
    return [
        {
            # As the court is drawn: left is on the left.
            "x": -x_ft,
            "y": y_ft,
            "points": player["expected_points"],
            "more": player["expected_points"] - usual["expected_points"],
        }
        for (x_ft, y_ft), player, usual in zip(SPOTS, own, league, strict=True)
    ]

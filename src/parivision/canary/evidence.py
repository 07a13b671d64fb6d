"""Logged predictions and labelled shots as evidence: scored by both models of the registry."""

import hashlib
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np

from parivision.canary.record import Rollout, RolloutStage
from parivision.features.rows import lookup
from parivision.models.bundle import Bundle
from parivision.prediction_log.records import LabelledPrediction, ServedPrediction, shot_of
from parivision.shots.facts import Facts, from_records
from parivision.verdict import LabelledShots, LoggedPredictions, Segments

# 64 bits: that any two of a million shots share a number has a chance of 3 in 100 million.
SHOT_BYTES: Final = 8
MOST_SHOTS: Final = 1_000_000
"""Labelled shots that are told apart: 8 MB. Later ones are no evidence any more."""


def facts_of(served: Sequence[ServedPrediction]) -> Facts:
    """The facts as the service took them: a shot without a date gets the day of its request."""
    return from_records([_record(prediction) for prediction in served], date.min)


def _record(served: ServedPrediction) -> dict[str, Any]:
    day = served.facts.get("game_date") or served.at[:10]
    return {**served.facts, "game_date": date.fromisoformat(day)}


def of_predictions(
    rollout: Rollout, records: Sequence[ServedPrediction], champion: Bundle, challenger: Bundle
) -> LoggedPredictions | None:
    """Predictions as evidence; None if there is none in them.

    Two kinds are left out: what pods of an earlier rollout still answered, and what the primary
    answers with the challenger's model while Flagger promotes it.
    """
    kept = [prediction for prediction in records if _belongs(rollout, prediction)]
    if not kept:
        return None
    facts = facts_of(kept)
    by_challenger = np.array([_is_challengers(rollout, prediction) for prediction in kept])
    expected = np.where(by_challenger, rollout.version, rollout.former.version)
    return LoggedPredictions(
        p_served=np.array([prediction.p_made for prediction in kept], np.float64),
        p_champion=champion.predict(facts),
        p_challenger=challenger.predict(facts),
        by_challenger=by_challenger,
        same_version=np.array([prediction.version for prediction in kept]) == expected,
        segments=segments_of(facts, champion),
    )


def _belongs(rollout: Rollout, prediction: ServedPrediction) -> bool:
    if prediction.version in rollout.stale_versions:
        return False
    if rollout.stage is RolloutStage.WATCHING:
        return prediction.version in {rollout.version, rollout.former.version}
    is_taking_over = prediction.track == "primary" and prediction.version == rollout.version
    return rollout.is_same_model or not is_taking_over


def _is_challengers(rollout: Rollout, prediction: ServedPrediction) -> bool:
    if rollout.stage is RolloutStage.WATCHING:
        return prediction.version == rollout.version
    # `canary`, or `shadow` where the traffic is mirrored.
    return prediction.track != "primary"


def of_labelled(
    rollout: Rollout, records: Sequence[LabelledPrediction], champion: Bundle, challenger: Bundle
) -> LabelledShots | None:
    """Labelled shots as evidence, each once, and noted as seen in `rollout`; None without any.

    A shot is known by game and event, or else by its prediction. A corrected outcome comes too
    late: the shot has been counted.
    """
    seen = _unpacked(rollout.seen)
    kept = []
    for shot in records:
        number = _number(shot.served)
        if shot.was is None and number not in seen and len(seen) < MOST_SHOTS:
            seen.add(number)
            kept.append(shot)
    if not kept:
        return None
    # Sorted, so that equal sets are equal bytes in the stored record.
    rollout.seen = b"".join(sorted(seen))
    facts = facts_of([shot.served for shot in kept])
    return LabelledShots(
        p_champion=champion.predict(facts),
        p_challenger=challenger.predict(facts),
        made=np.array([shot.made for shot in kept], np.float64),
        segments=segments_of(facts, champion),
    )


def segments_of(facts: Facts, champion: Bundle) -> Segments:
    """Zone, period, and how well the champion knows the player."""
    volume = lookup(champion.form, facts, ("player_volume",))["player_volume"]
    return Segments.of_facts(facts.x_ft, facts.y_ft, facts.period, volume)


def _number(served: ServedPrediction) -> bytes:
    shot = shot_of({"facts": served.facts}) or served.id
    return hashlib.blake2b(shot.encode(), digest_size=SHOT_BYTES).digest()


def _unpacked(seen: bytes) -> set[bytes]:
    return {seen[at : at + SHOT_BYTES] for at in range(0, len(seen), SHOT_BYTES)}

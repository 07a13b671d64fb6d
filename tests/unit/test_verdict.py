"""The verdict: each bad model fails its own check, and thin evidence never passes."""

import json
import math
import time
from dataclasses import replace

import numpy as np
import pytest

from parivision.simulation.worlds import ZONE_SHARES, equal_worlds, worse_world
from parivision.verdict import (
    Action,
    Cause,
    CheckResult,
    LabelledShots,
    LoggedPredictions,
    Policy,
    Rules,
    Segments,
    State,
    VerdictStage,
    judge,
)
from parivision.verdict.quality import loss_bounds
from verdict_evidence import BAD, IDENTICAL, logged_predictions, rollout_state


def test_a_good_challenger_passes():
    """With enough of everything, an equal model passes each stage and is promoted."""
    for stage in VerdictStage:
        verdict = judge(rollout_state(), stage)
        assert verdict.outcome is CheckResult.PASS
        assert not verdict.failed()
    assert judge(rollout_state(), VerdictStage.TRAFFIC).action is Action.GO_ON
    assert judge(rollout_state()).action is Action.PROMOTE


@pytest.mark.parametrize(
    ("world", "cause", "check"),
    [
        (BAD["probabilities squared"], Cause.MISCALIBRATED, "prediction shift"),
        (BAD["answers the mean"], Cause.NO_SPREAD, "prediction shift"),
        (BAD["bad in corner threes"], Cause.SEGMENT, "prediction shift"),
        (BAD["outdated action types"], Cause.WORSE, "quality"),
        (worse_world(0.05, "slope"), Cause.MISCALIBRATED, "quality"),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_each_bad_model_is_named(world, cause, check):
    """The first reason is the right one, and serving is not blamed for a model."""
    verdict = judge(rollout_state(world))
    assert verdict.outcome is CheckResult.FAIL
    first = verdict.failed()[0]
    assert (first.cause, verdict.reason) == (cause, first.reason)
    assert check in [one.name for one in verdict.failed()]
    passed = {one.name for one in verdict.checks if one.outcome is CheckResult.PASS}
    assert {"parity", "errors", "latency", "sample ratio"} <= passed


def test_squared_probabilities_are_called_miscalibrated_by_labels_too():
    """Without the shift of predictions, quality and calibration name the same fault."""
    rules = Rules(mean_shift=1.0, mean_absolute_shift=1.0, segment_mean_shift=1.0)
    verdict = judge(rollout_state(BAD["probabilities squared"], rules=rules))
    causes = {one.name: one.cause for one in verdict.failed()}
    assert causes["calibration"] is causes["quality"] is Cause.MISCALIBRATED
    assert "miscalibrated" in verdict.reason


def test_a_segment_is_named_from_its_labels():
    """Bad in corner threes only: the class is named by the labelled shots as well."""
    rules = Rules(segment_mean_shift=1.0)
    verdict = judge(rollout_state(BAD["bad in corner threes"], n=9000, rules=rules))
    assert {one.segment for one in verdict.failed() if one.segment} == {"zone: corner 3"}
    assert "corner 3" in verdict.reason


def test_a_better_model_may_be_spread_differently():
    """The stability index fails only where it was given a limit: what knows more, says more."""
    shots = IDENTICAL.shots(np.random.default_rng(4), 3000)
    coarse = replace(shots, p_champion=np.round(shots.p_champion, 1))
    for limit, cause in ((None, []), (0.5, [Cause.SHIFTED])):
        state = State(Rules(stability_index=limit, same_ranking=1.0))
        state.add_predictions(logged_predictions(coarse))
        assert [check.cause for check in judge(state).failed()] == cause


def test_a_challenger_without_probabilities_fails():
    """NaN from the registry's model is a fault of its own."""
    shots = IDENTICAL.shots(np.random.default_rng(2), 400)
    broken = replace(shots, p_challenger=np.where(np.arange(400) < 5, np.nan, shots.p_challenger))
    state = State()
    state.add_labelled(broken)
    assert judge(state).failed()[0].cause is Cause.NO_PROBABILITY


def test_without_outcomes_traffic_grows_and_nobody_is_promoted():
    """Serving evidence is enough for the next weight; the final promotion waits for labels."""
    state = rollout_state(n=0)
    shots = IDENTICAL.shots(np.random.default_rng(1), 2000)
    state.add_predictions(logged_predictions(shots))
    assert judge(state, VerdictStage.TRAFFIC).outcome is CheckResult.PASS
    verdict = judge(state)
    assert verdict.outcome is CheckResult.NOT_YET
    assert "no labelled shots" in verdict.reason


def test_what_is_missing_is_said():
    """An undecided quality check tells how many shots are labelled, of about how many."""
    verdict = judge(rollout_state(equal_worlds()[1], n=1240, seed=3))
    assert verdict.outcome is CheckResult.NOT_YET
    assert "1,240 of about" in verdict.reason


@pytest.mark.parametrize(
    ("policy", "n", "action"),
    [
        (Policy.ROLL_BACK, 200, Action.ROLL_BACK),
        (Policy.HOLD, 200, Action.HOLD),
        (Policy.PROMOTE, 200, Action.ROLL_BACK),
        (Policy.PROMOTE, 4000, Action.PROMOTE),
    ],
)
def test_the_deadline_ends_what_is_undecided(policy, n, action):
    """The policy decides after the deadline, never on thin evidence, and nothing ends before it."""
    rules = Rules(policy=policy, deadline_s=100)
    state = rollout_state(n=n, windows=2, rules=rules)
    assert judge(state, elapsed_s=99.9).action is Action.HOLD
    late = judge(state, elapsed_s=100)
    assert (late.outcome, late.action) == (CheckResult.NOT_YET, action)
    assert "undecided after 100 s" in late.reason


def test_the_watch_compares_with_the_former_champion():
    """After a promotion only the models are compared: a worse one goes back, others stay."""
    rules = Rules(watch_s=1000)
    good = rollout_state(n=2000, windows=0, rules=rules)
    assert judge(good, VerdictStage.WATCH, elapsed_s=10).action is Action.GO_ON
    assert judge(good, VerdictStage.WATCH, elapsed_s=1000).action is Action.CONFIRM
    bad = rollout_state(worse_world(0.05), windows=0, rules=rules)
    assert judge(bad, VerdictStage.WATCH, elapsed_s=10).action is Action.ROLL_BACK


def test_worse_within_the_margin_is_no_failure():
    """A difference that is shown but too small to matter passes: it is what the margin is for."""
    n = 400_000
    rng = np.random.default_rng(0)
    p = rng.uniform(0.3, 0.65, n)
    q = np.clip(p + rng.choice([-0.03, 0.03], n), 0.01, 0.99)
    state = State()
    made = (rng.random(n) < p).astype(float)
    state.add_labelled(LabelledShots(p, q, made, Segments.unknown(n)))
    quality = next(check for check in judge(state).checks if check.name == "quality")
    assert 0 < quality.evidence["low"] < quality.evidence["high"] < Rules().margin
    assert quality.outcome is CheckResult.PASS


@pytest.mark.parametrize(("above", "outcome"), [(1e-6, "pass"), (-1e-6, "not yet")])
def test_quality_passes_below_its_margin_only(above, outcome):
    """The upper bound of the difference decides: just below the margin passes, above it waits."""
    high = loss_bounds(rollout_state(worse_world(0.0001), n=3000))[3]
    state = rollout_state(worse_world(0.0001), n=3000, rules=Rules(margin=high + above))
    assert next(c for c in judge(state).checks if c.name == "quality").outcome == outcome


@pytest.mark.parametrize(("n", "outcome"), [(250, "not yet"), (25_000, "fail")])
def test_a_shift_beyond_its_limit_must_be_beyond_chance(n, outcome):
    """A mean shift a little above the limit fails when its standard error is small enough."""
    p = np.full(n, 0.4) + np.where(np.arange(n) % 2, 0.05, -0.05)
    q = p + 0.106 + np.where(np.arange(n) // 2 % 2, 0.15, -0.15)
    flags = np.ones(n, bool)
    state = State()
    state.add_predictions(LoggedPredictions(q, p, q, flags, flags, Segments.unknown(n)))
    shift = next(check for check in judge(state).checks if check.name == "prediction shift")
    assert shift.outcome == outcome


def test_a_class_that_holds_most_shots_explains_nothing():
    """When nearly all shots are of one class the challenger is worse, and not worse in that."""
    shots = worse_world(0.05).shots(np.random.default_rng(1), 3000)
    one = np.full(3000, 4)
    state = State()
    state.add_labelled(replace(shots, segments=Segments(one, one - 1, one)))
    assert judge(state).failed()[0].cause is Cause.WORSE


def test_a_verdict_is_plain_json():
    """Every answer, also the empty one, can be sent and stored as it is."""
    for state in (
        State(),
        rollout_state(),
        rollout_state(BAD["probabilities squared"], off=math.nan),
    ):
        told = json.loads(json.dumps(judge(state).to_dict(), allow_nan=False))
        assert told["outcome"] in {"pass", "fail", "not yet"}
        assert len(told["checks"]) == 8
        assert told["reason"]


def test_a_verdict_on_many_predictions_takes_no_time():
    """Its time does not grow with the evidence: far below a second after 1,000,000."""
    n = 1_000_000
    rng = np.random.default_rng(0)
    p = rng.uniform(0.3, 0.65, n)
    zone = rng.choice(len(ZONE_SHARES), n, p=ZONE_SHARES)
    segments = Segments.of(zone, rng.integers(0, 5, n), rng.integers(0, 5, n))
    state = State()
    for start in range(0, n, 1000):
        rows = slice(start, start + 1000)
        said = p[rows]
        flags = np.ones(1000, bool)
        state.add_predictions(
            LoggedPredictions(said, said, said, flags, flags, segments.take(rows))
        )
    began_s = time.perf_counter()
    judge(state)
    assert time.perf_counter() - began_s < 0.2
    assert len(json.dumps(state.to_dict())) < 40_000

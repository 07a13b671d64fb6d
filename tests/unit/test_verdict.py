"""The verdict: each check fails on its own fault and no other, and thin evidence never passes."""

import json
import math
import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parivision.simulation.worlds import ZONE_SHARES, bad_worlds, equal_worlds, worse_world
from parivision.verdict import (
    Action,
    Cause,
    CheckResult,
    LabelledShots,
    LoggedPredictions,
    Policy,
    Rules,
    Segments,
    ServedWindow,
    State,
    Track,
    VerdictStage,
    judge,
)
from parivision.verdict.quality import loss_bounds
from parivision.verdict.traffic import percentile_s

BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25)
FAST = (0.50, 0.40, 0.08, 0.015, 0.005, 0.0, 0.0)
SLOW = (0.10, 0.40, 0.30, 0.10, 0.06, 0.04, 0.0)
IDENTICAL = equal_worlds()[0]
BAD = {world.name: world for world in bad_worlds()}
DEAD = Track(0, 0, (0,) * 7)


def _track(requests, error_rate=0.0, shares=FAST):
    counts = [round(requests * share) for share in shares]
    counts[0] += requests - sum(counts)
    return Track(requests, round(requests * error_rate), tuple(counts))


def _window(weight=0.25, requests=4000, share=None, **canary):
    n = round(requests * (weight if share is None else share))
    return ServedWindow(_track(requests - n, 0.002), _track(n, **canary), weight, BOUNDS_S)


def _logged(shots, *, off=0.0, other=False, by=0.25, wrong_primary=0.0):
    by_challenger = np.arange(len(shots)) % round(1 / by) == 0
    right = np.where(by_challenger, shots.p_challenger, shots.p_champion)
    return LoggedPredictions(
        p_served=right + np.where(by_challenger, off, wrong_primary),
        p_champion=shots.p_champion,
        p_challenger=shots.p_challenger,
        by_challenger=by_challenger,
        same_version=~by_challenger if other else np.ones(len(shots), bool),
        segments=shots.segments,
    )


def _state(world=IDENTICAL, n=4000, windows=8, seed=1, rules=None, served=None, **logged):
    """A rollout in which all went well but for what is asked for."""
    shots = world.shots(np.random.default_rng(seed), n)
    state = State(rules)
    for window in [_window()] * windows if served is None else served:
        state.add_served(window)
    state.add_predictions(_logged(shots, **logged))
    state.add_labelled(shots)
    return state


def _failed(state):
    return [(check.name, check.cause) for check in judge(state).failed()]


def test_a_good_challenger_passes():
    """With enough of everything, an equal model passes each stage and is promoted."""
    for stage in VerdictStage:
        verdict = judge(_state(), stage)
        assert verdict.outcome is CheckResult.PASS
        assert not verdict.failed()
    assert judge(_state(), VerdictStage.TRAFFIC).action is Action.GO_ON
    assert judge(_state()).action is Action.PROMOTE


FAULTS: dict[str, tuple[dict[str, Any], str, Cause]] = {
    "errors": ({"served": [_window(error_rate=0.05)] * 8}, "errors", Cause.ERRORS),
    "latency": ({"served": [_window(shares=SLOW)] * 8}, "latency", Cause.LATENCY),
    "too few": ({"served": [_window(share=0.2)] * 8}, "sample ratio", Cause.SAMPLE_RATIO),
    "too many": ({"served": [_window(share=0.3)] * 8}, "sample ratio", Cause.SAMPLE_RATIO),
    "parity": ({"off": 1e-3}, "parity", Cause.PARITY),
    "no number served": ({"off": math.nan}, "parity", Cause.PARITY),
    "version": ({"other": True}, "parity", Cause.OTHER_VERSION),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_in_serving_fails_its_own_check_alone(fault):
    """Errors, latency, a wrong share, other numbers and another version are each told apart."""
    how, check, cause = FAULTS[fault]
    assert _failed(_state(**how)) == [(check, cause)]
    for stage in VerdictStage:
        assert judge(_state(**how), stage).action is Action.ROLL_BACK


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
    verdict = judge(_state(world))
    assert verdict.outcome is CheckResult.FAIL
    first = verdict.failed()[0]
    assert (first.cause, verdict.reason) == (cause, first.reason)
    assert check in [one.name for one in verdict.failed()]
    passed = {one.name for one in verdict.checks if one.outcome is CheckResult.PASS}
    assert {"parity", "errors", "latency", "sample ratio"} <= passed


def test_squared_probabilities_are_called_miscalibrated_by_labels_too():
    """Without the shift of predictions, quality and calibration name the same fault."""
    rules = Rules(mean_shift=1.0, mean_absolute_shift=1.0, segment_mean_shift=1.0)
    verdict = judge(_state(BAD["probabilities squared"], rules=rules))
    causes = {one.name: one.cause for one in verdict.failed()}
    assert causes["calibration"] is causes["quality"] is Cause.MISCALIBRATED
    assert "miscalibrated" in verdict.reason


def test_a_segment_is_named_from_its_labels():
    """Bad in corner threes only: the class is named by the labelled shots as well."""
    rules = Rules(segment_mean_shift=1.0)
    verdict = judge(_state(BAD["bad in corner threes"], n=9000, rules=rules))
    assert {one.segment for one in verdict.failed() if one.segment} == {"zone: corner 3"}
    assert "corner 3" in verdict.reason


def test_a_better_model_may_be_spread_differently():
    """The stability index fails only where it was given a limit: what knows more, says more."""
    shots = IDENTICAL.shots(np.random.default_rng(4), 3000)
    coarse = replace(shots, p_champion=np.round(shots.p_champion, 1))
    for limit, cause in ((None, []), (0.5, [Cause.SHIFTED])):
        state = State(Rules(stability_index=limit, same_ranking=1.0))
        state.add_predictions(_logged(coarse))
        assert [check.cause for check in judge(state).failed()] == cause


def test_wrong_units_in_the_image_show_within_100_requests():
    """Served numbers that are not the registry's fail at once, before any outcome is known."""
    shots = IDENTICAL.shots(np.random.default_rng(2), 100)
    state = State()
    state.add_predictions(_logged(shots, off=0.02, by=0.05))
    verdict = judge(state, VerdictStage.TRAFFIC)
    assert verdict.outcome is CheckResult.FAIL
    assert verdict.failed()[0].cause is Cause.PARITY
    assert "5 of 5 answers differ, by up to 0.02" in verdict.reason


@pytest.mark.parametrize(("wrong", "outcome"), [(0, "pass"), (2, "not yet"), (3, "fail")])
def test_parity_at_and_around_its_threshold(wrong, outcome):
    """Three mismatches fail, fewer hold when they are a large share, none pass."""
    shots = IDENTICAL.shots(np.random.default_rng(2), 1000)
    logged = _logged(shots)
    served = logged.p_served.copy()
    served[np.flatnonzero(logged.by_challenger)[:wrong]] += 2e-6
    state = State()
    state.add_predictions(replace(logged, p_served=served))
    assert judge(state).checks[0].outcome == outcome


def test_a_primary_that_is_not_the_champion_fails_nobody():
    """When the primary disagrees with the registry there is no verdict, and no rollback."""
    verdict = judge(_state(wrong_primary=0.01))
    assert verdict.outcome is CheckResult.NOT_YET
    assert "primary" in verdict.reason


def test_a_challenger_without_probabilities_fails():
    """NaN from the registry's model is a fault of its own."""
    shots = IDENTICAL.shots(np.random.default_rng(2), 400)
    broken = replace(shots, p_challenger=np.where(np.arange(400) < 5, np.nan, shots.p_challenger))
    state = State()
    state.add_labelled(broken)
    assert judge(state).failed()[0].cause is Cause.NO_PROBABILITY


def test_one_slow_burst_is_no_fault_and_slow_from_then_on_is():
    """A slow window among quiet ones passes; windows that stay slow fail, also after many good."""
    state = State()
    latency = []
    for slow in [False] * 20 + [True] + [False] * 20 + [True] * 20:
        state.add_served(_window(shares=SLOW if slow else FAST))
        latency.append(judge(state).checks[2].outcome)
    assert latency[20] is CheckResult.NOT_YET
    assert latency[40] is CheckResult.PASS
    assert CheckResult.FAIL not in latency[:41]
    assert latency[-1] is CheckResult.FAIL


def test_errors_that_begin_late_are_found():
    """Four hundred thousand good requests do not buy a canary the right to fail later."""
    windows = [_window()] * 400 + [_window(error_rate=0.05)] * 2
    assert _failed(_state(served=windows)) == [("errors", Cause.ERRORS)]
    assert _failed(_state(served=windows[:-2])) == []


@pytest.mark.parametrize("requests", [400, 4000])
def test_errors_of_a_slow_canary_are_told_with_its_latency(requests):
    """Who has no time refuses: the reason names both, also while no window is full."""
    slow = [_window(requests=requests, error_rate=0.3, shares=(0, 0, 0, 0, 0, 0, 1.0))] * 2
    quick = [_window(requests=requests, error_rate=0.3)] * 2
    assert "latency" in judge(_state(served=slow)).reason
    assert "latency" not in judge(_state(served=quick)).reason
    assert judge(_state(served=slow)).checks[1].cause is Cause.ERRORS


def test_an_outage_of_both_is_nobodys_fault():
    """Errors of both tracks at the same time do not fail the canary, whatever the weights are."""
    outage = ServedWindow(_track(2000, 0.5), _track(2000, 0.5), 0.5, BOUNDS_S)
    assert _failed(_state(served=[_window(0.05)] * 20 + [outage])) == []


@pytest.mark.parametrize("served", [[], [ServedWindow(_track(4000), DEAD, None, BOUNDS_S)] * 5])
def test_no_traffic_is_no_pass(served):
    """Nothing on the canary holds every stage of a rollout."""
    for stage in (VerdictStage.TRAFFIC, VerdictStage.PROMOTION, VerdictStage.SHADOW):
        verdict = judge(_state(served=served), stage)
        assert verdict.outcome is CheckResult.NOT_YET
        assert verdict.action is Action.HOLD
        assert "no requests" in verdict.reason


def test_a_canary_that_gets_nothing_of_its_weight_fails():
    """Crashed at the start: requests meant for the canary reach the primary."""
    lost = ServedWindow(_track(2000), DEAD, 0.05, BOUNDS_S)
    assert judge(_state(served=[lost])).failed()[0].cause is Cause.SAMPLE_RATIO


def test_without_outcomes_traffic_grows_and_nobody_is_promoted():
    """Serving evidence is enough for the next weight; the final promotion waits for labels."""
    state = _state(n=0)
    shots = IDENTICAL.shots(np.random.default_rng(1), 2000)
    state.add_predictions(_logged(shots))
    assert judge(state, VerdictStage.TRAFFIC).outcome is CheckResult.PASS
    verdict = judge(state)
    assert verdict.outcome is CheckResult.NOT_YET
    assert "no labelled shots" in verdict.reason


def test_what_is_missing_is_said():
    """An undecided quality check tells how many shots are labelled, of about how many."""
    verdict = judge(_state(equal_worlds()[1], n=1240, seed=3))
    assert verdict.outcome is CheckResult.NOT_YET
    assert "1,240 of about" in verdict.reason


def test_mirrored_traffic_has_no_sample_ratio():
    """In shadow mode there is no weight: the promotion does without that check, and only that."""
    state = _state(served=[replace(_window(), weight=None)] * 8)
    assert judge(state, VerdictStage.SHADOW).outcome is CheckResult.PASS
    assert judge(state).outcome is CheckResult.NOT_YET


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
    state = _state(n=n, windows=2, rules=rules)
    assert judge(state, elapsed_s=99.9).action is Action.HOLD
    late = judge(state, elapsed_s=100)
    assert (late.outcome, late.action) == (CheckResult.NOT_YET, action)
    assert "undecided after 100 s" in late.reason


def test_the_watch_compares_with_the_former_champion():
    """After a promotion only the models are compared: a worse one goes back, others stay."""
    rules = Rules(watch_s=1000)
    good = _state(n=2000, windows=0, rules=rules)
    assert judge(good, VerdictStage.WATCH, elapsed_s=10).action is Action.GO_ON
    assert judge(good, VerdictStage.WATCH, elapsed_s=1000).action is Action.CONFIRM
    bad = _state(worse_world(0.05), windows=0, rules=rules)
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
    high = loss_bounds(_state(worse_world(0.0001), n=3000))[3]
    state = _state(worse_world(0.0001), n=3000, rules=Rules(margin=high + above))
    assert next(c for c in judge(state).checks if c.name == "quality").outcome == outcome


def test_more_errors_within_the_slack_are_no_fault():
    """A difference that is certain but smaller than the slack passes."""
    state = _state(served=[_window(error_rate=0.009)] * 20)
    errors = judge(state).checks[1]
    assert errors.evidence["log_e"] > errors.evidence["log_e_limit"]
    assert errors.outcome is CheckResult.PASS


def test_a_slow_window_now_and_then_is_no_fault():
    """One slow window in six, as noisy percentiles give, fails no canary however long it runs."""
    windows = [_window(shares=SLOW if place % 6 == 0 else FAST) for place in range(180)]
    assert _failed(_state(served=windows)) == []


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
    for state in (State(), _state(), _state(BAD["probabilities squared"], off=math.nan)):
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


@pytest.mark.parametrize(
    ("counts", "p99_s"),
    [((100, 0, 0), 0.0099), ((50, 50, 0), 0.0982), ((0, 0, 10), 0.1), ((0, 0, 0), math.nan)],
)
def test_percentiles_are_those_of_prometheus(counts, p99_s):
    """Straight inside a bucket; the last bound when beyond it; none of nothing."""
    assert percentile_s(counts, (0.01, 0.1)) == pytest.approx(p99_s, nan_ok=True)

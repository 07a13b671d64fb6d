"""The verdict on what is served: errors, latency, sample ratio and parity, each on its own."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from parivision.verdict import (
    Action,
    Cause,
    CheckResult,
    ServedWindow,
    State,
    VerdictStage,
    judge,
)
from parivision.verdict.traffic import percentile_s
from verdict_evidence import (
    BOUNDS_S,
    DEAD,
    FAST,
    IDENTICAL,
    SLOW,
    failed_checks,
    logged_predictions,
    rollout_state,
    served_track,
    served_window,
)

FAULTS: dict[str, tuple[dict[str, Any], str, Cause]] = {
    "errors": ({"served": [served_window(error_rate=0.05)] * 8}, "errors", Cause.ERRORS),
    "latency": ({"served": [served_window(shares=SLOW)] * 8}, "latency", Cause.LATENCY),
    "too few": ({"served": [served_window(share=0.2)] * 8}, "sample ratio", Cause.SAMPLE_RATIO),
    "too many": ({"served": [served_window(share=0.3)] * 8}, "sample ratio", Cause.SAMPLE_RATIO),
    "parity": ({"off": 1e-3}, "parity", Cause.PARITY),
    "no number served": ({"off": math.nan}, "parity", Cause.PARITY),
    "version": ({"other": True}, "parity", Cause.OTHER_VERSION),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_in_serving_fails_its_own_check_alone(fault):
    """Errors, latency, a wrong share, other numbers and another version are each told apart."""
    how, check, cause = FAULTS[fault]
    assert failed_checks(rollout_state(**how)) == [(check, cause)]
    for stage in VerdictStage:
        assert judge(rollout_state(**how), stage).action is Action.ROLL_BACK


def test_wrong_units_in_the_image_show_within_100_requests():
    """Served numbers that are not the registry's fail at once, before any outcome is known."""
    shots = IDENTICAL.shots(np.random.default_rng(2), 100)
    state = State()
    state.add_predictions(logged_predictions(shots, off=0.02, by=0.05))
    verdict = judge(state, VerdictStage.TRAFFIC)
    assert verdict.outcome is CheckResult.FAIL
    assert verdict.failed()[0].cause is Cause.PARITY
    assert "5 of 5 answers differ, by up to 0.02" in verdict.reason


@pytest.mark.parametrize(("wrong", "outcome"), [(0, "pass"), (2, "not yet"), (3, "fail")])
def test_parity_at_and_around_its_threshold(wrong, outcome):
    """Three mismatches fail, fewer hold when they are a large share, none pass."""
    shots = IDENTICAL.shots(np.random.default_rng(2), 1000)
    logged = logged_predictions(shots)
    served = logged.p_served.copy()
    served[np.flatnonzero(logged.by_challenger)[:wrong]] += 2e-6
    state = State()
    state.add_predictions(replace(logged, p_served=served))
    assert judge(state).checks[0].outcome == outcome


def test_a_primary_that_is_not_the_champion_fails_nobody():
    """When the primary disagrees with the registry there is no verdict, and no rollback."""
    verdict = judge(rollout_state(wrong_primary=0.01))
    assert verdict.outcome is CheckResult.NOT_YET
    assert "primary" in verdict.reason


def test_one_slow_burst_is_no_fault_and_slow_from_then_on_is():
    """A slow window among quiet ones passes; windows that stay slow fail, also after many good."""
    state = State()
    latency = []
    for slow in [False] * 20 + [True] + [False] * 20 + [True] * 20:
        state.add_served(served_window(shares=SLOW if slow else FAST))
        latency.append(judge(state).checks[2].outcome)
    assert latency[20] is CheckResult.NOT_YET
    assert latency[40] is CheckResult.PASS
    assert CheckResult.FAIL not in latency[:41]
    assert latency[-1] is CheckResult.FAIL


def test_errors_that_begin_late_are_found():
    """Four hundred thousand good requests do not buy a canary the right to fail later."""
    windows = [served_window()] * 400 + [served_window(error_rate=0.05)] * 2
    assert failed_checks(rollout_state(served=windows)) == [("errors", Cause.ERRORS)]
    assert failed_checks(rollout_state(served=windows[:-2])) == []


@pytest.mark.parametrize("requests", [400, 4000])
def test_errors_of_a_slow_canary_are_told_with_its_latency(requests):
    """Who has no time refuses: the reason names both, also while no window is full."""
    slow = [served_window(requests=requests, error_rate=0.3, shares=(0, 0, 0, 0, 0, 0, 1.0))] * 2
    quick = [served_window(requests=requests, error_rate=0.3)] * 2
    assert "latency" in judge(rollout_state(served=slow)).reason
    assert "latency" not in judge(rollout_state(served=quick)).reason
    assert judge(rollout_state(served=slow)).checks[1].cause is Cause.ERRORS


def test_an_outage_of_both_is_nobodys_fault():
    """Errors of both tracks at the same time do not fail the canary, whatever the weights are."""
    outage = ServedWindow(served_track(2000, 0.5), served_track(2000, 0.5), 0.5, BOUNDS_S)
    assert failed_checks(rollout_state(served=[served_window(0.05)] * 20 + [outage])) == []


@pytest.mark.parametrize(
    "served", [[], [ServedWindow(served_track(4000), DEAD, None, BOUNDS_S)] * 5]
)
def test_no_traffic_is_no_pass(served):
    """Nothing on the canary holds every stage of a rollout."""
    for stage in (VerdictStage.TRAFFIC, VerdictStage.PROMOTION, VerdictStage.SHADOW):
        verdict = judge(rollout_state(served=served), stage)
        assert verdict.outcome is CheckResult.NOT_YET
        assert verdict.action is Action.HOLD
        assert "no requests" in verdict.reason


def test_a_canary_that_gets_nothing_of_its_weight_fails():
    """Crashed at the start: requests meant for the canary reach the primary."""
    lost = ServedWindow(served_track(2000), DEAD, 0.05, BOUNDS_S)
    assert judge(rollout_state(served=[lost])).failed()[0].cause is Cause.SAMPLE_RATIO


def test_mirrored_traffic_has_no_sample_ratio():
    """In shadow mode there is no weight: the promotion does without that check, and only that."""
    state = rollout_state(served=[replace(served_window(), weight=None)] * 8)
    assert judge(state, VerdictStage.SHADOW).outcome is CheckResult.PASS
    assert judge(state).outcome is CheckResult.NOT_YET


def test_more_errors_within_the_slack_are_no_fault():
    """A difference that is certain but smaller than the slack passes."""
    state = rollout_state(served=[served_window(error_rate=0.009)] * 20)
    errors = judge(state).checks[1]
    assert errors.evidence["log_e"] > errors.evidence["log_e_limit"]
    assert errors.outcome is CheckResult.PASS


def test_a_slow_window_now_and_then_is_no_fault():
    """One slow window in six, as noisy percentiles give, fails no canary however long it runs."""
    windows = [served_window(shares=SLOW if place % 6 == 0 else FAST) for place in range(180)]
    assert failed_checks(rollout_state(served=windows)) == []


@pytest.mark.parametrize(
    ("counts", "p99_s"),
    [((100, 0, 0), 0.0099), ((50, 50, 0), 0.0982), ((0, 0, 10), 0.1), ((0, 0, 0), math.nan)],
)
def test_percentiles_are_those_of_prometheus(counts, p99_s):
    """Straight inside a bucket; the last bound when beyond it; none of nothing."""
    assert percentile_s(counts, (0.01, 0.1)) == pytest.approx(p99_s, nan_ok=True)

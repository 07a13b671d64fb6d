"""Is the canary served as well as the primary, to as many, and with the registry's numbers?"""

import math
from typing import Final

from parivision.verdict.bounds import log_mean
from parivision.verdict.check import Cause, Check, CheckResult
from parivision.verdict.state import Side, State
from parivision.verdict.traffic import UNIT

ERRORS: Final = "errors"
LATENCY: Final = "latency"
SAMPLE_RATIO: Final = "sample ratio"
PARITY: Final = "parity"


def check_errors(state: State) -> Check:
    """Canary's share of 5xx against the primary's in the same windows.

    Fails when the excess is larger than the slack, in all or since it began, and the test says that
    the canary fails more often; passes when there were enough requests and neither is the case.
    """
    rules, traffic = state.rules, state.traffic
    n_primary, n_canary = traffic.requests
    if not (n_primary and n_canary):
        return Check(ERRORS, CheckResult.NOT_YET, "no requests on both tracks at the same time")
    rate = traffic.errors[1] / n_canary
    usual = traffic.expected_errors / UNIT / n_canary
    beyond = traffic.errors_beyond / UNIT
    log_e = log_mean(traffic.error_logs)
    evidence = {
        "requests_primary": n_primary,
        "requests_canary": n_canary,
        "errors_primary": traffic.errors[0],
        "errors_canary": traffic.errors[1],
        "rate_canary": rate,
        "rate_primary": usual,
        "slack": rules.error_slack,
        "errors_beyond_slack": beyond,
        "log_e": log_e,
        "log_e_limit": -math.log(rules.alphas.errors),
    }
    text = (
        f"{rate:.2%} of {n_canary:,} requests failed on the canary, "
        f"{usual:.2%} on the primary at the same time"
        + (f", {beyond:.0f} errors beyond the slack since they began" if beyond >= 1 else "")
    )
    is_within = rate - usual <= rules.error_slack and beyond < rules.errors_beyond
    if not is_within and log_e >= -math.log(rules.alphas.errors):
        reason = f"errors: {text}{_slowness(state)}"
        return Check(ERRORS, CheckResult.FAIL, reason, evidence, Cause.ERRORS)
    enough = min(n_primary, n_canary) >= rules.min_requests
    if enough and is_within:
        return Check(ERRORS, CheckResult.PASS, text, evidence)
    missing = f"{min(n_primary, n_canary):,} of {rules.min_requests:,} requests on each track"
    more = "the excess may be chance" if enough else missing
    return Check(ERRORS, CheckResult.NOT_YET, f"{text}; {more}", evidence)


def _slowness(state: State) -> str:
    """What the latencies say to errors: who is too slow refuses what it has no time for."""
    primary_s, canary_s = state.latency.so_far_s()
    if not canary_s > state.latency.limit_s(primary_s, state.rules):
        return ""
    return (
        f"; its latency may be why: p99 {1000 * canary_s:.0f} ms, "
        f"the primary's {1000 * primary_s:.0f} ms"
    )


def check_latency(state: State) -> Check:
    """Canary's p99 against the primary's, window by window: one slow window is no fault."""
    rules, latency = state.rules, state.latency
    if not latency.windows:
        so_far = min(sum(latency.primary), sum(latency.canary))
        missing = f"{so_far:,} of {rules.min_window_requests:,} timed requests on each track"
        return Check(LATENCY, CheckResult.NOT_YET, missing)
    primary_s, canary_s = latency.p99_s
    evidence = {
        "windows": latency.windows,
        "slow_windows": latency.slow,
        "p99_primary_s": primary_s,
        "p99_canary_s": canary_s,
        "ratio_limit": rules.latency_ratio,
        "log_e": latency.log_e,
        "log_e_limit": -math.log(rules.alphas.latency),
    }
    text = (
        f"{latency.slow} of {latency.windows} windows slow; in the last one the canary's p99 was "
        f"{1000 * canary_s:.1f} ms, the primary's {1000 * primary_s:.1f} ms"
    )
    if latency.log_e >= -math.log(rules.alphas.latency):
        return Check(LATENCY, CheckResult.FAIL, f"latency: {text}", evidence, Cause.LATENCY)
    is_quiet = not latency.is_last_slow and latency.slow <= rules.slow_rate * latency.windows
    if latency.windows >= rules.min_windows and is_quiet:
        return Check(LATENCY, CheckResult.PASS, text, evidence)
    more = f"{rules.min_windows} windows are needed" if is_quiet else "not yet sustained"
    return Check(LATENCY, CheckResult.NOT_YET, f"{text}; {more}", evidence)


def check_sample_ratio(state: State) -> Check:
    """The share of requests that reached the canary against the weights at the time.

    A sample ratio mismatch says that the split itself is broken, and that no comparison of the two
    tracks can be trusted (Fabijan et al. 2019, "Diagnosing sample ratio mismatch in online
    controlled experiments", KDD).
    """
    rules, traffic = state.rules, state.traffic
    expected = traffic.expected_canary / UNIT
    if not expected:
        return Check(SAMPLE_RATIO, CheckResult.NOT_YET, "no requests that were split by a weight")
    share, weight = traffic.weighted_canary / traffic.weighted, expected / traffic.weighted
    log_e = log_mean([log / UNIT for log in traffic.ratio_logs])
    evidence = {
        "requests": traffic.weighted,
        "share": share,
        "weight": weight,
        "tolerance": rules.ratio_tolerance,
        "log_e": log_e,
        "log_e_limit": -math.log(rules.alphas.sample_ratio),
    }
    text = (
        f"the canary got {share:.2%} of {traffic.weighted:,} requests, its weight was {weight:.2%}"
    )
    is_within = abs(share - weight) <= rules.ratio_tolerance * weight
    if not is_within and log_e >= -math.log(rules.alphas.sample_ratio):
        reason = f"sample ratio: {text}"
        return Check(SAMPLE_RATIO, CheckResult.FAIL, reason, evidence, Cause.SAMPLE_RATIO)
    if is_within and traffic.weighted >= rules.min_requests:
        return Check(SAMPLE_RATIO, CheckResult.PASS, text, evidence)
    return Check(SAMPLE_RATIO, CheckResult.NOT_YET, f"{text}; more requests are needed", evidence)


def check_parity(state: State) -> Check:
    """Served probabilities against what the registry's model says to the same facts.

    The challenger's side decides. When the champion's side disagrees the comparison means nothing,
    and there is no verdict yet.
    """
    rules, side = state.rules, state.challenger
    evidence = {
        "predictions": side.n,
        "mismatches": side.mismatches,
        "largest_difference": side.largest,
        "other_version": side.other_version,
        "without_probability": state.unusable[1],
        "tolerance": rules.parity_tolerance,
        "champion_predictions": state.champion.n,
        "champion_mismatches": state.champion.mismatches,
        "champion_other_version": state.champion.other_version,
    }
    if failure := _mismatch(state):
        cause, text = failure
        return Check(PARITY, CheckResult.FAIL, f"{cause}: {text}", evidence, cause)
    if _matters(state.champion.mismatches, state.champion.n, state):
        text = "the primary's answers are not those of the registry's champion: " + _apart(
            state.champion
        )
        return Check(PARITY, CheckResult.NOT_YET, text, evidence)
    if side.n < rules.min_predictions:
        text = f"{side.n:,} of {rules.min_predictions:,} predictions compared"
        return Check(PARITY, CheckResult.NOT_YET, text, evidence)
    # One or two of few predictions: more than a pass allows, and too few to fail on.
    if side.mismatches > rules.parity_share * side.n:
        return Check(PARITY, CheckResult.NOT_YET, _apart(side), evidence)
    text = f"{side.n:,} served probabilities are the registry's, to {side.largest:.1g}"
    return Check(PARITY, CheckResult.PASS, text, evidence)


def _mismatch(state: State) -> tuple[Cause, str] | None:
    side, missing = state.challenger, state.unusable[1]
    # In the order of `Cause`: another version explains numbers that differ, and not the reverse.
    if _matters(side.other_version, side.n + side.other_version, state):
        text = f"{side.other_version:,} answers came from another model version"
        return Cause.OTHER_VERSION, text
    if _matters(side.mismatches, side.n, state):
        return Cause.PARITY, "served is not what the registry's model says: " + _apart(side)
    if _matters(missing, missing + int(state.scored()[0].sum()), state):
        return Cause.NO_PROBABILITY, f"the challenger gave none for {missing:,} shots"
    return None


def _matters(wrong: int, n: int, state: State) -> bool:
    rules = state.rules
    return wrong >= rules.parity_mismatches and wrong > rules.parity_share * n


def _apart(side: Side) -> str:
    return f"{side.mismatches:,} of {side.n:,} answers differ, by up to {side.largest:.3g}"

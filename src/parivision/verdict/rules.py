"""The numbers a verdict depends on, each with its default and why."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, Self

from parivision.errors import SettingsError

_SCALES: Final = ("fail_scales", "pass_scales", "calibration_scales")


class Policy(StrEnum):
    """What becomes of a rollout that is still undecided at its deadline."""

    ROLL_BACK = "roll_back"
    HOLD = "hold"
    PROMOTE = "promote"
    """Only if the quality check passed and none failed; rolled back otherwise."""


@dataclass(frozen=True)
class Alphas:
    """How the chance of a false alarm is split: their sum holds for the verdict as a whole.

    Each is the chance that the check ever fails in a rollout, however often it is looked at, when
    its null hypothesis is true. Parity and prediction shift test nothing and take no share: they
    fail on the size of an effect.
    """

    quality: float = 0.03
    segments: float = 0.008
    calibration: float = 0.005
    errors: float = 0.002
    latency: float = 0.003
    sample_ratio: float = 0.002

    @property
    def total(self) -> float:
        """Chance that any of the checks ever fails wrongly: at most the sum."""
        return float(sum(asdict(self).values()))


@dataclass(frozen=True)
class Rules:
    """All numbers of a verdict; a rollout is judged by the rules it began with."""

    # A limit on an effect says what matters, an alpha how sure one must be of it. A failure needs
    # both, so more traffic never turns a harmless difference into a failure.
    alphas: Alphas = field(default_factory=Alphas)

    min_requests: int = 500
    """Requests on each track before errors may pass."""
    error_slack: float = 0.01
    """By how much the canary's share of failed requests may exceed the primary's."""
    errors_beyond: float = 10.0
    """So many errors beyond the slack since they began fail too: a long good time before them must
    not hide them."""

    min_window_requests: int = 200
    """Requests on each track that make a window; smaller ones are put together."""
    min_windows: int = 3
    """Windows before latency may pass."""
    latency_ratio: float = 1.5
    """How many times slower than the primary's the canary's p99 may be, and by ..."""
    latency_floor_s: float = 0.005
    """... so many seconds on top; a window beyond that is slow."""
    slow_rate: float = 0.2
    """Share of slow windows that is still no fault: the null hypothesis of the test."""
    slow_rate_at_fault: float = 0.8
    """Share of slow windows that the test is made for."""

    ratio_tolerance: float = 0.1
    """Relative difference of the canary's share and its weight that matters."""

    min_predictions: int = 100
    """Logged predictions on the challenger's side before parity may pass."""
    parity_tolerance: float = 1e-6
    """How far the served probability may be from the registry's on the same facts."""
    parity_mismatches: int = 3
    """So many mismatches fail, ..."""
    parity_share: float = 0.001
    """... if they are also more than this share of the predictions."""

    min_shift: int = 200
    """Logged shots scored by both models before prediction shift is judged."""
    min_shift_segment: int = 100
    """The same in one class of zone, period or player volume."""
    mean_shift: float = 0.10
    """Limit of the difference of mean probabilities; a league's make rate moves by 0.003."""
    segment_mean_shift: float = 0.15
    """The same in one class."""
    mean_absolute_shift: float = 0.20
    """Limit of the mean absolute difference of both probabilities on a shot."""
    min_spread_ratio: float = 0.25
    """A challenger that spreads less than this part of the champion's spread says nothing."""
    stability_index: float | None = None
    """Limit of the PSI, if it is to have one: what knows more than a champion of few answers
    (LightGBM against the zone rate: 2.1) is spread differently and no worse for it."""
    same_ranking: float = 0.8
    """From this correlation on, probabilities that are off are called miscalibrated."""
    shift_allowance: float = 3.0
    """An effect must exceed its limit by so many standard errors."""

    min_labelled: int = 300
    """Labelled shots before quality may pass, and before calibration may pass or fail. Quality may
    fail on fewer: its bound holds at any number."""
    labelled_to_increase: int = 300
    """Labelled shots before the canary gets more than its first share of the traffic: where no
    outcome comes it stays there. With 0 how it serves decides alone."""
    margin: float = 0.005
    """How much worse in log loss (nats a shot) a challenger may be and still pass."""
    alpha_pass: float = 0.05
    """Chance that a challenger that is worse by the margin ever passes the quality check."""
    fail_bet: float = 0.3
    fail_scales: tuple[float, ...] = (50.0,)
    """Where the mixture against "not worse" bets, and how surely: a challenger that is worse by
    errors of its own is found with bets of 0.3 to 0.5 whatever their size; half is a guard for
    smaller differences."""
    pass_scales: tuple[float, ...] = (0.25, 4.0, 64.0)
    """Against "worse by the margin": models that hardly differ pass with little evidence."""

    min_segment: int = 100
    """Labelled shots that make a segment worth judging."""
    concentrated: float = 0.7
    """A segment with more than this part of all the loss explains the failure."""

    calibration_margin: float = 0.02
    """Difference of two models' calibration, in probability, that matters."""
    calibration_scales: tuple[float, ...] = (10.0,)
    """Precision of the mixture on the residuals: tightest after some 400 shots."""
    calibration_bound: float = 0.03
    """A challenger that is shown to be this near to calibrated passes whatever the champion is."""
    explained: float = 0.8
    """Part of the loss that recalibrating must mend for the challenger to be "miscalibrated"."""

    deadline_s: float = 4 * 3600.0
    """Seconds after which a rollout that is still undecided ends by the policy."""
    policy: Policy = Policy.ROLL_BACK
    watch_s: float = 24 * 3600.0
    """How long a new champion is watched against the former one."""

    def __post_init__(self) -> None:
        """Refuse rules that cannot judge."""
        if not (min(asdict(self.alphas).values()) > 0 and self.alphas.total < 1):
            raise SettingsError(
                f"the alphas are {asdict(self.alphas)}; give positive ones below 1 in all"
            )
        if not 0 < self.alpha_pass < 1:
            raise SettingsError(f"alpha_pass is {self.alpha_pass:g}; give a number between 0 and 1")
        if not self.margin > 0:
            raise SettingsError(f"margin is {self.margin:g}; give a positive log loss in nats")
        if not 0 < self.slow_rate < self.slow_rate_at_fault < 1:
            raise SettingsError(
                f"slow_rate is {self.slow_rate:g} and slow_rate_at_fault "
                f"{self.slow_rate_at_fault:g}; give 0 < slow_rate < slow_rate_at_fault < 1"
            )
        for name in _SCALES:
            scales = getattr(self, name)
            if not (scales and min(scales) > 0):
                raise SettingsError(f"{name} is {scales}; give one positive number or more")
        if not self.fail_bet >= 0:
            raise SettingsError(f"fail_bet is {self.fail_bet:g}; give 0 or more")

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        listed = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}
        return listed | {"policy": self.policy.value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `to_dict` gave, or a part of it; the rest has its default.

        Raises SettingsError for a name that is no rule, or for rules that cannot judge.
        """
        _refuse_unknown(cls, values)
        given = dict(values)
        for name in _SCALES:
            if name in given:
                given[name] = tuple(given[name])
        if "alphas" in given:
            _refuse_unknown(Alphas, given["alphas"])
            given["alphas"] = Alphas(**given["alphas"])
        if "policy" in given:
            given["policy"] = _policy(given["policy"])
        return cls(**given)


def _refuse_unknown(cls: type[Any], values: Mapping[str, Any]) -> None:
    known = [rule.name for rule in fields(cls)]
    if unknown := sorted(set(values) - set(known)):
        raise SettingsError(f"{', '.join(unknown)}: no such rule; known: {', '.join(known)}")


def _policy(name: str) -> Policy:
    try:
        return Policy(name)
    except ValueError as error:
        raise SettingsError(f"policy is {name!r}; give one of {', '.join(Policy)}") from error

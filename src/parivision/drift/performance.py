"""The labelled part: does a shot still go in as often as it used to, and as the champion says?

The features may look as ever while their meaning moves: between 2016 and 2018 scorers began to call
other shots "driving layup"; the column's stability index is 0.07 and a model trained before loses
0.09 of log loss. Only the outcomes show it. Three quantities are measured on them:

- the make rate by action type, zone and period, against the training data's. Where the champion
  answers for these shots and is as calibrated by that column as ever, and the column itself did not
  drift, it has learnt of the change (from the newest part of its training data, which the mean of
  all hides), and there is nothing to do;
- how much worse the champion's log loss is than its own probabilities promise. The promise is
  subtracted, so a change of the shots themselves (more threes, say) does not count;
- the champion's mean residual, overall and by segment, against its own later games.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from parivision.drift.columns import SEGMENT_COLUMNS
from parivision.drift.segments import (
    ALLOWANCE_Z,
    Levels,
    SegmentedColumn,
    SegmentLevel,
    segment_levels,
)
from parivision.drift.significance import normal_two_sided, normal_upper
from parivision.drift.sketch import FloatArray
from parivision.drift.summary import Performance, PerformanceCheck, TestResult
from parivision.errors import ModelError

MIN_LABELLED: Final = 1000
# Nats a shot: action types of another meaning cost 0.09 (docs/adr/0003-drift-by-effect-size.md).
EXCESS_LIMIT: Final = 0.010
RESIDUAL_LIMIT: Final = 0.015
RATE_NAMING_LIMIT: Final = 0.02
NAMING_LIMIT: Final = 0.03
NAMING_Z: Final = 1.0
"""Once a check is exceeded, a column given which the make rates moved by so much is named."""
LEARNT: Final = 0.5
"""A champion that is off by no more than this share of what is normal has learnt of a change."""
LABEL: Final = "made"
_P_EDGE: Final = 1e-6
# A week, as in `drift.reference`, which imports this module.
_BLOCK_SHOTS: Final = 9000


@dataclass(frozen=True)
class Level:
    """What is normal: a mean, its standard error, and how much weeks differ beyond chance."""

    mean: float
    error: float
    between_weeks: float


_CALIBRATED: Final = Level(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class PerformanceReference:
    """How the champion did on labelled games after its training, before anything drifted."""

    n: int
    log_loss: float
    excess: Level
    residual: Level
    segments: Levels


@dataclass(frozen=True)
class _Scored:
    """Shots whose outcome and probability are known: arrays of one entry a shot, and segments.

    `promised` is the log loss that is expected if the probability is right, `residual` is outcome
    minus probability. `ended_alike`: all went in, or none.
    """

    p: FloatArray
    log_loss: FloatArray
    promised: FloatArray
    residual: FloatArray
    segments: pl.DataFrame
    ended_alike: bool

    @property
    def excess(self) -> FloatArray:
        return self.log_loss - self.promised

    # How much a shot's value varies by chance. Where all shots ended alike they do not show it: by
    # one probability for all, nothing varies. Then it is what the probabilities themselves promise,
    # as in Wilson's interval: the outcome varies by p (1 - p), its log loss by that times the log
    # odds squared.

    @property
    def residual_variance(self) -> float:
        return float(self._promised_variance.mean() if self.ended_alike else self.residual.var())

    @property
    def excess_variance(self) -> float:
        if not self.ended_alike:
            return float(self.excess.var())
        log_odds = np.log(self.p) - np.log1p(-self.p)
        return float((self._promised_variance * log_odds**2).mean())

    @property
    def _promised_variance(self) -> FloatArray:
        return self.p * (1 - self.p)


def make_rates(values: pl.DataFrame) -> tuple[SegmentLevel | None, Levels]:
    """Make rate of the training shots, overall and by segment; None without labels."""
    made, segments = _labelled(values)
    if not len(made):
        return None, {}
    return SegmentLevel(len(made), float(made.mean())), segment_levels(segments, made)


def performance_reference(values: pl.DataFrame, p_made: ArrayLike) -> PerformanceReference | None:
    """The champion's level on labelled later games; None when fewer than `MIN_LABELLED`.

    `values` come from `monitored_values`; a shot without outcome or probability (NaN) is left out.
    """
    shots = _scored(values, p_made)
    if len(shots.residual) < MIN_LABELLED:
        return None
    return PerformanceReference(
        n=len(shots.residual),
        log_loss=float(shots.log_loss.mean()),
        excess=_level(shots.excess, shots.excess_variance),
        residual=_level(shots.residual, shots.residual_variance),
        segments=segment_levels(shots.segments, shots.residual),
    )


def judge_performance(
    values: pl.DataFrame,
    p_made: ArrayLike | None,
    *,
    rate: SegmentLevel | None,
    rates: Levels,
    reference: PerformanceReference | None,
    drifted: Collection[str] = (),
) -> Performance:
    """Compare how the current shots ended with the training data and the champion's probabilities.

    `rate` and `rates` are from `make_rates` on the training data. `p_made` has one probability a
    row of `values`; without it only the make rates are judged. Without `reference` the champion is
    taken for calibrated. `drifted` are the columns whose distribution moved. With fewer than
    `MIN_LABELLED` labelled shots the answer is "no data". ModelError if `p_made` does not fit.
    """
    made, segments = _labelled(values)
    scored = None if p_made is None else _scored(values, p_made)
    if len(made) < MIN_LABELLED or rate is None:
        return _performance(len(made), scored, reference)
    groups = [SegmentedColumn.of(segments[c], rates.get(c, {})) for c in SEGMENT_COLUMNS]
    checks = tuple(group.check("make rate", made) for group in groups)
    if scored is not None and len(scored.residual) >= MIN_LABELLED:
        of_champion = _champion_checks(scored, reference)
        of_rates = (_unless_learnt(check, of_champion, drifted) for check in checks)
        checks = (*of_champion, *of_rates)
    has_drifted = any(check.exceeded for check in checks)
    named = _moved_columns(made, rate.mean, groups) if has_drifted else ()
    return _performance(len(made), scored, reference, checks, named)


def _performance(
    n_labelled: int,
    scored: _Scored | None,
    reference: PerformanceReference | None,
    checks: tuple[PerformanceCheck, ...] = (),
    named: tuple[str, ...] = (),
) -> Performance:
    reasons = [f"{check.name}: {check.reason}" for check in checks if check.exceeded]
    thin = f"{n_labelled} labelled shots, {MIN_LABELLED} are needed"
    is_scored = scored is not None and len(scored.residual) > 0
    return Performance(
        n_labelled=n_labelled,
        n_scored=len(scored.residual) if scored else 0,
        log_loss=float(scored.log_loss.mean()) if scored and is_scored else None,
        promised_log_loss=float(scored.promised.mean()) if scored and is_scored else None,
        reference_log_loss=reference.log_loss if reference else None,
        checks=checks,
        concept_columns=named,
        verdict=("drift" if reasons else "quiet") if checks else "no data",
        reason=("; ".join(reasons) or "as usual") if checks else thin,
    )


def _labelled(values: pl.DataFrame) -> tuple[FloatArray, pl.DataFrame]:
    labelled = values.filter(pl.col(LABEL).is_finite())
    return labelled[LABEL].to_numpy(), labelled.select(SEGMENT_COLUMNS)


def _scored(values: pl.DataFrame, p_made: ArrayLike) -> _Scored:
    p = np.asarray(p_made, np.float64)
    if p.shape != (values.height,):
        raise ModelError(
            f"expected one probability a shot, {values.height}; an array of shape {p.shape} came"
        )
    if np.any((p < 0) | (p > 1)):
        raise ModelError("expected probabilities from 0 to 1; pass p_made, not scores or logits")
    made = values[LABEL].to_numpy()
    known = np.isfinite(made) & np.isfinite(p)
    # A probability of 0 or 1 would cost an infinite loss.
    made, p = made[known], np.clip(p[known], _P_EDGE, 1 - _P_EDGE)
    log_loss = -np.where(made == 1, np.log(p), np.log1p(-p))
    promised = -(p * np.log(p) + (1 - p) * np.log1p(-p))
    segments = values.select(SEGMENT_COLUMNS).filter(pl.Series(known))
    ended_alike = len(np.unique(made)) < 2
    return _Scored(p, log_loss, promised, made - p, segments, ended_alike)


def _level(values: FloatArray, variance: float) -> Level:
    """What is normal, from values of shots in the order of their games, and a value's variance.

    The variance of the blocks' means (weeks, about) is that of chance and that between weeks. What
    chance gives is subtracted; with fewer than three blocks the rest is not estimated.
    """
    blocks = np.arange(len(values)) * max(len(values) // _BLOCK_SHOTS, 1) // len(values)
    sizes = np.bincount(blocks)
    error = float(np.sqrt(variance / len(values)))
    if len(sizes) < 3:
        return Level(float(values.mean()), error, 0.0)
    means = np.bincount(blocks, weights=values) / sizes
    # Variances of independent parts add up; the rest may come out below 0 when weeks are alike.
    beyond_chance = means.var(ddof=1) - variance * (1 / sizes).mean()
    return Level(float(values.mean()), error, float(np.sqrt(max(beyond_chance, 0.0))))


def _champion_checks(
    shots: _Scored, reference: PerformanceReference | None
) -> tuple[PerformanceCheck, ...]:
    levels = reference.segments if reference else {}
    return (
        _log_loss_check(shots, reference.excess if reference else _CALIBRATED),
        _residual_check(shots, reference.residual if reference else _CALIBRATED),
        *(
            SegmentedColumn.of(shots.segments[column], levels.get(column, {}), 0.0).check(
                "calibration", shots.residual
            )
            for column in SEGMENT_COLUMNS
        ),
    )


def _unless_learnt(
    check: PerformanceCheck, of_champion: tuple[PerformanceCheck, ...], drifted: Collection[str]
) -> PerformanceCheck:
    """A make rate that moved does not count where the champion is as calibrated as ever."""
    # Only if all else is in order does good calibration by a column say that the change was learnt:
    # where the column's shots are others now, or the champion is off elsewhere, errors may cancel.
    is_off = any(other.exceeded for other in of_champion)
    if not check.exceeded or check.column in drifted or is_off:
        return check
    (calibration,) = (other for other in of_champion if other.column == check.column)
    if calibration.effect > LEARNT * calibration.threshold:
        return check
    learnt = f"the champion has learnt of it: its calibration is {calibration.reason}"
    reason = f"{check.reason}; {learnt}"
    return replace(check, exceeded=False, reason=reason)


def _standard_error(n: int, variance: float, usual: Level) -> float:
    """Of the difference between the mean of `n` values and the usual one."""
    return float(np.sqrt(variance / n + usual.error**2 + usual.between_weeks**2))


def _z(effect: float, error: float) -> float:
    """The effect in standard errors. Where nothing can vary (p is 0.5 for all) it is none."""
    return effect / error if error else 0.0


def _log_loss_check(shots: _Scored, usual: Level) -> PerformanceCheck:
    error = _standard_error(len(shots.excess), shots.excess_variance, usual)
    effect = float(shots.excess.mean()) - usual.mean
    current = float(shots.log_loss.mean())
    threshold = EXCESS_LIMIT + ALLOWANCE_Z * error
    z = _z(effect, error)
    return PerformanceCheck(
        name="log_loss",
        column=LABEL,
        current=current,
        usual=current - effect,
        effect=effect,
        threshold=threshold,
        test=TestResult(z, normal_upper(z)),
        exceeded=effect > threshold,
        reason=f"{current:.4f}, {effect:+.4f} against what the champion promises for these shots "
        f"and usually keeps (up to {threshold:+.4f} is normal)",
    )


def _residual_check(shots: _Scored, usual: Level) -> PerformanceCheck:
    error = _standard_error(len(shots.residual), shots.residual_variance, usual)
    current = float(shots.residual.mean())
    change = current - usual.mean
    threshold = RESIDUAL_LIMIT + ALLOWANCE_Z * error
    z = _z(change, error)
    return PerformanceCheck(
        name="calibration",
        column=LABEL,
        current=current,
        usual=usual.mean,
        effect=abs(change),
        threshold=threshold,
        test=TestResult(z, normal_two_sided(z)),
        exceeded=abs(change) > threshold,
        reason=f"the make rate is {current:+.3f} from what the champion says, usually "
        f"{usual.mean:+.3f} (a change of {threshold:.3f} is normal)",
    )


def _moved_columns(
    made: FloatArray, usual_rate: float, groups: list[SegmentedColumn]
) -> tuple[str, ...]:
    """The columns given which shots go in more or less often than in training.

    "made" when the make rate as a whole moved; the others are judged beyond that. Empty: the
    champion errs because its input moved, not because the game did.
    """
    change = float(made.mean()) - usual_rate
    allowance = NAMING_Z * float(made.std()) / float(np.sqrt(len(made)))
    named = [LABEL] if abs(change) > RATE_NAMING_LIMIT + allowance else []
    for group in groups:
        # The change that all shots have in common is taken off: it has its own name, `LABEL`.
        size, threshold = group.size(made - change, NAMING_LIMIT, NAMING_Z)
        named += [group.column] if size > threshold else []
    return tuple(named)

"""Season by season: what the promotion rule would have done, each time on what was known then.

Three policies answer every following season, all of them brought up to date every night: the
promotion rule, never retraining, and always taking the newest model whatever the judgement.

This is evaluation with a rolling origin (Tashman 2000, "Out-of-sample tests of forecasting
accuracy", International Journal of Forecasting 16(4)): the origin moves on by a season, and only
shots after it are scored.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl

from parivision.errors import DataError
from parivision.features import tables
from parivision.models.bundle import CARD, Bundle, blended
from parivision.models.training import History, Recipe, train
from parivision.promotion import decision as promotion
from parivision.promotion import holdout
from parivision.scoring import metrics
from parivision.shots.facts import NO_ACTION
from parivision.shots.split import TimeSplit, time_split

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class SeasonResult:
    """One season's decision and what each policy then scored on the next one (log loss)."""

    season: int
    next_season: int
    winner: str
    reason: str
    promoted_loss: float
    never_loss: float
    newest_loss: float

    @property
    def excess(self) -> float:
        """How much worse the rule did than the better of the two others; negative: better."""
        return self.promoted_loss - min(self.never_loss, self.newest_loss)


@dataclass(frozen=True)
class _Policies:
    """The champion of each policy, up to date on the eve of the next season."""

    promoted: Bundle
    never: Bundle
    newest: Bundle

    @property
    def champions(self) -> tuple[Bundle, Bundle, Bundle]:
        """In the order of `SeasonResult`'s losses."""
        return self.promoted, self.never, self.newest


def by_season(
    shots: pl.DataFrame,
    families: Sequence[str],
    seed: int = 0,
    progress: Progress | None = None,
    keep: Path | None = None,
) -> Iterator[SeasonResult]:
    """Run the training pipeline's judgement at the end of every season but the last.

    `shots` are canonical; yields one result a season as soon as it is known. Models found in the
    folder `keep` are not trained again, so that a run that died goes on where it ended; it is for
    one set of shots and one seed. Raises DataError for fewer than two seasons, or a season of too
    few days.
    """
    shots = tables.in_time_order(shots)
    history = History.of(tables.facts_from_shots(shots), tables.made_array(shots))
    seasons = shots["season"].to_numpy()
    known_seasons = np.unique(seasons)
    if len(known_seasons) < 2:
        raise DataError(
            f"expected at least two seasons, one to learn from and one to be judged on, got "
            f"{len(known_seasons)}: give more games"
        )
    # Then no shot asks the part without an action, and half of the training can be left out.
    has_all_actions = not (history.facts.action == NO_ACTION).any()
    recipe = partial(Recipe, seed=seed, untold=not has_all_actions)
    policies: _Policies | None = None
    for index, (season, next_season) in enumerate(pairwise(known_seasons.tolist())):
        end, next_end = np.searchsorted(seasons, [season, next_season], "right").tolist()
        # One walk over all seasons serves every origin: a shot's form depends on earlier days only.
        then = history.upto(end)
        split = time_split(then.facts.day)
        bundles = {
            name: _trained(then, split, recipe(name), keep and keep / f"{name}_{season}")
            for name in families
        }
        decision, policies = _decided(shots[:end], then, split, bundles, policies)
        losses = [_loss(bundle, history, slice(end, next_end)) for bundle in policies.champions]
        yield SeasonResult(season, next_season, str(decision.winner), decision.reason, *losses)
        if progress:
            progress(index + 1, len(known_seasons) - 1)


def to_frame(results: Sequence[SeasonResult]) -> pl.DataFrame:
    """The results as a table, with the rule's excess over the better of the others."""
    return pl.DataFrame([{**vars(result), "excess": result.excess} for result in results])


def summary(table: pl.DataFrame) -> dict[str, float]:
    """Mean next-season log loss of the three policies, and the rule's largest excess."""
    return {
        "promotion_rule": float(table["promoted_loss"].to_numpy().mean()),
        "never_retraining": float(table["never_loss"].to_numpy().mean()),
        "always_newest": float(table["newest_loss"].to_numpy().mean()),
        "largest_excess": float(table["excess"].to_numpy().max()),
    }


def _trained(history: History, split: TimeSplit, recipe: Recipe, kept: Path | None) -> Bundle:
    if kept is not None and (kept / CARD).is_file():
        return Bundle.load(kept)
    bundle = train(history, split, recipe)
    if kept is not None:
        bundle.save(kept)
    return bundle


def _decided(
    shots: pl.DataFrame,
    then: History,
    split: TimeSplit,
    bundles: Mapping[str, Bundle],
    former: _Policies | None,
) -> tuple[promotion.Decision, _Policies]:
    """What the rule decides at the end of a season, and whom each policy serves from then on.

    `shots` and `then` end with the season. `former` is None at the first end: never retraining
    then begins with the rule's own champion.
    """
    champion = former.promoted if former else None
    judgement = holdout.judge(shots, then, split, bundles, champion)
    decision = holdout.decide(judgement)
    best = holdout.best_of(judgement.made, {n: judgement.predictions[n] for n in bundles})
    newest = bundles[best or next(iter(bundles))]
    promoted = _crown(decision, newest, champion, then)
    # All three begin with the same model, so that they differ by policy alone.
    never = former.never if former else promoted
    return decision, _Policies(
        promoted=promoted,
        never=never.refreshed(then.facts, then.made),
        newest=newest.refreshed(then.facts, then.made),
    )


def _crown(
    decision: promotion.Decision, newest: Bundle, champion: Bundle | None, history: History
) -> Bundle:
    """The champion after a decision, up to date; while nothing is served the newest stands in."""
    fresh = newest.refreshed(history.facts, history.made)
    if champion is None:
        return fresh
    # Two models of a blend must know the same games, so both are brought up to date.
    old = champion.refreshed(history.facts, history.made)
    if decision.winner == promotion.BLENDED:
        return blended(fresh, old)
    return old if decision.winner in {None, promotion.CHAMPION, promotion.RECALIBRATED} else fresh


def _loss(bundle: Bundle, history: History, rows: slice) -> float:
    facts, made = history.facts.take(rows), history.made[rows]
    features = history.features.take(rows)
    return metrics.log_loss(made, bundle.copy().follow(facts, made, features))

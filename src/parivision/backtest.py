"""Season by season: what the promotion rule would have done, each time on what was known then.

Three policies answer every following season, all of them brought up to date every night: the
promotion rule, never retraining, and always taking the newest model whatever the judgement.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from parivision import judge, metrics, promotion, tables
from parivision.errors import DataError
from parivision.models.bundle import Bundle
from parivision.models.training import History, Recipe, train
from parivision.split import time_split

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def by_season(
    shots: pl.DataFrame,
    families: Sequence[str],
    seed: int = 0,
    progress: Progress | None = None,
) -> Iterator[SeasonResult]:
    """Run the training pipeline's judgement at the end of every season but the last.

    `shots` are canonical; yields one result a season as soon as it is known. Raises DataError for
    fewer than two seasons, or a season of too few days.
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
    champion: Bundle | None = None
    first: Bundle | None = None
    for index, season in enumerate(known_seasons[:-1]):
        past = slice(0, int(np.searchsorted(seasons, season, "right")))
        then = _upto(history, past)
        bundles, decision, newest = _retrain(shots[past], then, families, seed, champion)
        champion = _crown(decision, bundles, champion, then)
        first = first or champion
        next_season = known_seasons[index + 1]
        rows = slice(past.stop, int(np.searchsorted(seasons, next_season, "right")))
        never = first.refreshed(then.facts, then.made)
        newest = newest.refreshed(then.facts, then.made)
        losses = [_loss(bundle, history, rows) for bundle in (champion, never, newest)]
        yield SeasonResult(
            int(season), int(next_season), str(decision.winner), decision.reason, *losses
        )
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


def figure(table: pl.DataFrame) -> "Figure":
    """Next-season log loss of the three policies, season by season."""
    from parivision import plots

    losses = {
        "promotion rule": table["promoted_loss"],
        "never retraining": table["never_loss"],
        "always the newest": table["newest_loss"],
    }
    return plots.lines_plot(table["next_season"], losses, x_label="season", y_label="log loss")


def _upto(history: History, rows: slice) -> History:
    # The form of a shot depends on earlier days only, so one walk serves every season's end.
    form = {name: values[rows] for name, values in history.form_columns.items()}
    return History(history.facts.take(rows), history.made[rows], form)


def _retrain(
    shots: pl.DataFrame,
    history: History,
    families: Sequence[str],
    seed: int,
    champion: Bundle | None,
) -> tuple[Mapping[str, Bundle], promotion.Decision, Bundle]:
    split = time_split(history.facts.day)
    bundles = {name: train(history, split, Recipe(name, seed=seed)) for name in families}
    judgement = judge.judge(shots, history, split, bundles, champion)
    decision = judge.decide(judgement)
    newest = min(bundles.keys() & decision.scores, key=lambda n: (decision.scores[n].log_loss, n))
    return bundles, decision, bundles[newest]


def _crown(
    decision: promotion.Decision,
    bundles: Mapping[str, Bundle],
    champion: Bundle | None,
    history: History,
) -> Bundle:
    winner = champion if decision.winner not in bundles else bundles[str(decision.winner)]
    if winner is None:  # nothing is served yet: the first model stands in for it
        winner = next(iter(bundles.values()))
    return winner.refreshed(history.facts, history.made)


def _loss(bundle: Bundle, history: History, rows: slice) -> float:
    facts, made = history.facts.take(rows), history.made[rows]
    form = {name: values[rows] for name, values in history.form_columns.items()}
    return metrics.log_loss(made, bundle.copy().follow(facts, made, form))

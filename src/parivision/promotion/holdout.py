"""Judging: all models answer the same later games, each as it would be served.

Form and recalibration stop where judging begins; nothing is learnt on the way. `exam` is the other
view: games never seen before, with the state brought up to date every night, as in production.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np
import polars as pl

from parivision.errors import DataError
from parivision.features import tables
from parivision.features.form import Form
from parivision.features.rows import walk
from parivision.models.bundle import WITH_ACTION, Bundle, blended
from parivision.models.families import BASELINES
from parivision.models.training import History, Recipe, train
from parivision.promotion import decision
from parivision.scoring import metrics, scores
from parivision.scoring.scores import Scores
from parivision.shots.facts import EPOCH, Facts, Floats, Ints
from parivision.shots.split import TimeSplit

PREFIX: Final = "p_"


@dataclass(frozen=True)
class Judgement:
    """Shots judged on and what each model said: `predictions` maps a name to shape (n,).

    `shots` are canonical rows in time order; `player_volume` counts the shooter's decayed attempts.
    """

    shots: pl.DataFrame
    made: Floats
    games: Ints
    player_volume: Floats
    predictions: Mapping[str, Floats]

    def scores(self) -> dict[str, Scores]:
        """Scores of every model."""
        return {
            name: scores.scores(self.made, p, self.games) for name, p in self.predictions.items()
        }

    def segments(self) -> dict[str, pl.Series]:
        """Zone, period and player volume of every shot."""
        return scores.segments_of(self.shots, self.player_volume)

    def to_frame(self) -> pl.DataFrame:
        """One table of shots and predictions (`p_NAME`), for a file."""
        extra = {PREFIX + name: p for name, p in self.predictions.items()}
        return self.shots.with_columns(
            pl.Series("player_volume", self.player_volume),
            *(pl.Series(name, p) for name, p in extra.items()),
        )

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> "Judgement":
        """Read what `to_frame` gave."""
        names = [name for name in frame.columns if name.startswith(PREFIX)]
        return cls(
            shots=frame.drop("player_volume", *names),
            made=tables.made_array(frame),
            games=frame["game_id"].to_numpy(),
            player_volume=frame["player_volume"].to_numpy(),
            predictions={name.removeprefix(PREFIX): frame[name].to_numpy() for name in names},
        )


def judge(
    shots: pl.DataFrame,
    history: History,
    split: TimeSplit,
    bundles: Mapping[str, Bundle],
    champion: Bundle | None = None,
    form: Form | None = None,
) -> Judgement:
    """Let challengers, baselines and the champion answer the games after `split.stop_through`.

    `shots` and `history` are the same rows in time order. The champion answers as it is served, and
    recalibrated: the same estimators with the state of the morning of the first game judged. A
    champion that knows some of the games answers only in that second way, as the champion. It also
    answers together with the best of the challengers. The baselines are trained here, with the
    `form` of a model of the same history and split where one is at hand (see `train`).
    """
    facts, made = history.facts, history.made
    known, later = slice(0, split.stop(facts.day).stop), split.later(facts.day)
    baselines: dict[str, Bundle] = {}
    for name in BASELINES:
        baselines[name] = train(history, split, Recipe(name), form=form)
        form = baselines[name].form
    rows = shots[later]
    games_facts = facts.take(later)
    asked: dict[str, Bundle] = {**baselines, **bundles}
    predictions = {name: model.predict(games_facts) for name, model in asked.items()}
    if champion is not None:
        rebuilt = champion.rebuilt(facts.take(known), made[known])
        predictions |= _incumbents(champion, rebuilt, split, games_facts)
        best = best_of(made[later], {name: predictions[name] for name in bundles})
        if best is not None:
            together = blended(bundles[best], rebuilt).predict(games_facts)
            predictions[decision.BLENDED] = together
    return Judgement(
        shots=rows,
        made=made[later],
        games=rows["game_id"].to_numpy(),
        player_volume=history.features.take(later)["player_volume"],
        predictions=predictions,
    )


def best_of(made: Floats, predictions: Mapping[str, Floats]) -> str | None:
    """The name of the lowest log loss; None when nothing here is a probability."""
    losses = {
        name: metrics.log_loss(made, p)
        for name, p in predictions.items()
        if decision.are_probabilities(p)
    }
    # Of equal losses the first name, so that the same models give the same decision.
    return min(losses, key=lambda name: (losses[name], name), default=None)


def _incumbents(
    champion: Bundle, rebuilt: Bundle, split: TimeSplit, facts: Facts
) -> dict[str, Floats]:
    known = champion.form.as_of_day
    # Its form and recalibration have counted outcomes of the games judged on, so as it is served it
    # would answer with what it should not know.
    if known is not None and known > split.stop_through:
        return {decision.CHAMPION: rebuilt.predict(facts)}
    return {
        decision.CHAMPION: champion.predict(facts),
        decision.RECALIBRATED: rebuilt.predict(facts),
    }


def judge_refresh(shots: pl.DataFrame, history: History, champion: Bundle) -> Judgement:
    """Would the champion have done better with its state refreshed every night?

    Judged on the games it does not know: as it is served, against brought up to date after every
    day of games. Raises DataError when there are no such games.
    """
    facts, made = history.facts, history.made
    later = facts.after(champion.form.as_of_day)
    if later.start == later.stop:
        last = champion.card.get("known_through")
        raise DataError(f"there are no games after {last}: the champion knows all of them")
    features = history.features.take(later)
    rows, games_facts = shots[later], facts.take(later)
    return Judgement(
        shots=rows,
        made=made[later],
        games=rows["game_id"].to_numpy(),
        player_volume=features["player_volume"],
        predictions={
            "zone_rate": features["rate_zone"],
            decision.CHAMPION: champion.predict(games_facts),
            # A copy, since following moves its state on; each day is answered before it is counted.
            decision.RECALIBRATED: champion.copy().follow(games_facts, made[later], features),
        },
    )


def decide(judgement: Judgement, rule: decision.Rule | None = None) -> decision.Decision:
    """The promotion that follows from a judgement."""
    predictions = dict(judgement.predictions)
    champion = predictions.pop(decision.CHAMPION, None)
    recalibrated = predictions.pop(decision.RECALIBRATED, None)
    baselines = {name: predictions.pop(name) for name in BASELINES if name in predictions}
    return decision.decide(
        judgement.made,
        judgement.games,
        predictions,
        baselines.get("zone_rate"),
        champion=champion,
        recalibrated=recalibrated,
        rule=rule,
    )


def exam(
    shots: pl.DataFrame, champion: Bundle, others: Mapping[str, Bundle] | None = None
) -> Judgement:
    """Let the champion and other models answer games that none of them has seen.

    State moves on after every day of games, as it does when the champion is refreshed every night.
    The champion also answers as it is (`champion, frozen`) and without being told the action types
    (`champion, no action`). Raises DataError when a model knows some of the games: what it has seen
    would flatter it.
    """
    shots = tables.in_time_order(shots)
    facts, made = tables.facts_from_shots(shots), tables.made_array(shots)
    asked = {decision.CHAMPION: champion, **(others or {})}
    for name, bundle in asked.items():
        _refuse_known(name, bundle, facts)
    form = champion.form.copy()
    # Before the walk: the league's mean as it was known when the games began.
    mean = float(form.tallies["zone"].successes.sum() / form.tallies["zone"].attempts.sum())
    features = walk(form, facts, made)
    predictions = {
        name: bundle.copy().follow(facts, made, features) for name, bundle in asked.items()
    }
    predictions[f"{decision.CHAMPION}, frozen"] = champion.predict(facts)
    if WITH_ACTION in champion.parts:
        untold = champion.copy().follow(facts.without_action(), made, features)
        predictions[f"{decision.CHAMPION}, no action"] = untold
    predictions["zone_rate"] = features["rate_zone"]
    predictions["league_mean"] = np.full(len(facts), mean)
    return Judgement(
        shots, made, shots["game_id"].to_numpy(), features["player_volume"], predictions
    )


def unseen(shots: pl.DataFrame, bundle: Bundle) -> pl.DataFrame:
    """The shots of days after the last one the model knows."""
    if bundle.form.as_of_day is None:
        return shots
    return shots.filter(pl.col("game_date").cast(pl.Int32) > bundle.form.as_of_day)


def _refuse_known(name: str, bundle: Bundle, facts: Facts) -> None:
    known = bundle.form.as_of_day
    if known is not None and len(facts) and facts.day[0] <= known:
        last = EPOCH + timedelta(days=known)
        raise DataError(f"{name} knows all games up to {last}: give it later ones")

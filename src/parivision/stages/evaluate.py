"""What each stage does, between files: components and the CLI call these, one call a stage.

Every function may be run again: it writes the same files once more and nothing twice.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from parivision import strict_json
from parivision.drift import build_reference
from parivision.drift.reference import REFERENCE_SHOTS
from parivision.errors import DataError, ModelError
from parivision.features import tables
from parivision.lake.snapshot import read_snapshot
from parivision.models.bundle import PLAYERS, Bundle, blended
from parivision.models.training import History, Recipe, train
from parivision.promotion import decision as promotion
from parivision.promotion import holdout
from parivision.promotion.holdout import Judgement
from parivision.registry import TRAINING, RegisteredVersion, Registry
from parivision.reports import eda, evaluation
from parivision.reports.drift import sample
from parivision.scoring.scores import Scores, reliability
from parivision.shots.split import time_split

DRIFT_REFERENCE: Final = "drift_reference.json"
DRIFT_TRAINING: Final = "drift_training.parquet"
DRIFT_LATER: Final = "drift_later.parquet"
P_MADE: Final = "p_made"
SAMPLE_SEED: Final = 0
JUDGEMENT: Final = "judgement.parquet"
EVALUATION: Final = "evaluation.html"
EXPLORED: Final = "eda.html"
EVALUATED: Final = "evaluated.json"


@dataclass(frozen=True)
class Promotion:
    """What promotion did: the decision, and the version that is champion now (None: nobody)."""

    decision: promotion.Decision
    champion: RegisteredVersion | None
    bundle: Path | None


def read_history(path: Path) -> tuple[pl.DataFrame, History]:
    """Shots of a snapshot and the same ready for training."""
    shots = read_snapshot(path)
    return shots, History.of(tables.facts_from_shots(shots), tables.made_array(shots))


def train_model(shots: Path, recipe: Recipe, out: Path, registry: Registry) -> Bundle:
    """Train one model on a snapshot, keep it as a run, and write its bundle to `out`."""
    _, history = read_history(shots)
    bundle = train(history, time_split(history.facts.day), recipe)
    bundle.save(out)
    card = {"family": recipe.family, "feature_set": recipe.feature_set, **bundle.card}
    params = {key: value for key, value in card.items() if key != "params"}
    for part, values in bundle.card["params"].items():
        params |= {f"{part}.{key}": value for key, value in values.items()}
    bundle.card["run_id"] = registry.log(
        f"train {recipe.name}",
        params=params,
        tags={"kind": TRAINING, "model": recipe.name},
        artifacts={"bundle": out},
    )
    bundle.save(out)
    return bundle


def evaluate_models(
    shots: Path, models: Mapping[str, Path], registry: Registry, cache: Path, out: Path
) -> dict[str, Scores]:
    """Let models, baselines and the champion answer the same later games; write what they said.

    Without models the champion is compared with itself recalibrated. Writes the predictions
    (`judgement.parquet`), what `promote` must know of the evaluation (`evaluated.json`), the report
    (`evaluation.html`) and that on the shots (`eda.html`) to `out`, and keeps scores and reports in
    the models' runs and in a run of its own.
    """
    champion = registry.champion_bundle(cache)
    bundles = {name: Bundle.load(path) for name, path in models.items()}
    rivals = bundles or _alone(champion)
    rows, history = read_history(shots)
    judgement = _judged(rows, history, bundles, champion[1] if champion else None)
    out.mkdir(parents=True, exist_ok=True)
    judgement.to_frame().write_parquet(out / JUDGEMENT)
    scores = judgement.scores()
    best = min(rivals.keys() & scores.keys(), key=lambda name: (scores[name].log_loss, name))
    report = evaluation.write(
        out / EVALUATION,
        judgement.made,
        judgement.predictions,
        judgement.games,
        champion=best,
        segments=judgement.segments(),
        importances=rivals[best].importances(),
    )
    for name, bundle in bundles.items():
        if "run_id" in bundle.card:
            registry.extend(bundle.card["run_id"], metrics=scores[name].to_dict())
    run_id = registry.log(
        "evaluation",
        tags={"kind": "evaluation", "best": best},
        metrics={f"{name}.log_loss": score.log_loss for name, score in scores.items()},
        artifacts={"": report},
    )
    registry.extend(run_id, artifacts={"": eda.write(rows, out / EXPLORED)})
    version = champion[0].number if champion else None
    strict_json.write(out / EVALUATED, {"run_id": run_id, "champion": version, "best": best})
    return scores


def _judged(
    shots: pl.DataFrame,
    history: History,
    bundles: Mapping[str, Bundle],
    champion: Bundle | None,
) -> Judgement:
    """What there is to judge: new models, or else whether the champion should be refreshed."""
    if not bundles and champion is not None and len(holdout.unseen(shots, champion)):
        return holdout.judge_refresh(shots, history, champion)
    return holdout.judge(shots, history, time_split(history.facts.day), bundles, champion)


def examine(
    everything: pl.DataFrame, registry: Registry, cache: Path, out: Path, title: str
) -> Judgement:
    """Let the champion and the newest trained models answer games of theirs; see `judge.exam`.

    Games that the champion knows are left out, and models that know some of the others. Writes the
    report to `out`.
    """
    champion = registry.champion_bundle(cache)
    if champion is None:
        raise ModelError("there is no champion yet: run `parivision demo`, or train and promote")
    shots = holdout.unseen(everything, champion[1])
    if shots.is_empty():
        raise DataError(
            f"the champion (version {champion[0].number}) knows all of these games: they end on "
            f"{everything['game_date'].max()!s}, it knows them through "
            f"{champion[1].card.get('known_through')}. Give it later games"
        )
    others = {
        name: bundle
        for name, bundle in registry.trained(cache).items()
        if len(holdout.unseen(shots, bundle)) == len(shots)
    }
    judgement = holdout.exam(shots, champion[1], others)
    out.mkdir(parents=True, exist_ok=True)
    evaluation.write(
        out / EVALUATION,
        judgement.made,
        judgement.predictions,
        judgement.games,
        champion=promotion.CHAMPION,
        segments=judgement.segments(),
        importances=champion[1].importances(),
        title=title,
    )
    return judgement


def promote(
    judged: Path,
    shots: Path,
    models: Mapping[str, Path],
    registry: Registry,
    cache: Path,
    out: Path,
    rule: promotion.Rule | None = None,
    tags: Mapping[str, str] | None = None,
) -> Promotion:
    """Decide, and if a challenger wins make it the champion with its state brought up to date.

    Writes the winner's bundle, with the drift reference it will be watched by, to `out`; `tags` are
    recorded with the decision. A run that died behind the promotion finds it done. Raises
    ModelError when the champion is another than the one that was evaluated, and DataError when
    nothing was.
    """
    if not (judged / EVALUATED).is_file():
        raise DataError(f"there is no evaluation in {judged}: run `parivision evaluate` first")
    judgement = Judgement.from_frame(pl.read_parquet(judged / JUDGEMENT))
    evaluated = json.loads((judged / EVALUATED).read_text())
    decision = holdout.decide(judgement, rule)
    champion = registry.champion_bundle(cache)
    if champion is not None and not champion[0].has_alias:
        registry.point_alias(champion[0].number)
    if champion is not None and champion[0].evaluation == evaluated["run_id"]:
        return Promotion(decision, champion[0], _copied(champion[0], registry, cache, out))
    _refuse_other_champion(evaluated["champion"], champion[0] if champion else None)
    if not decision.promoted:
        registry.record(decision, None, None, tags)
        if champion is None:
            return Promotion(decision, None, None)
        return Promotion(decision, champion[0], _copied(champion[0], registry, cache, out))
    rows = read_snapshot(shots)
    best = Bundle.load(models[evaluated["best"]]) if evaluated["best"] in models else None
    fresh = _winner(str(decision.winner), best, champion[1] if champion else None, rows)
    winner = str(decision.winner)
    fresh.card["scores"] = decision.scores[winner].to_dict()
    said = judgement.predictions[winner]
    fresh.card["reliability"] = reliability(judgement.made, said).to_dicts()
    fresh.save(out)
    _keep_references(rows, judgement, winner, out)
    strict_json.write(out / PLAYERS, {"players": tables.shooters(rows)})
    tags = {"evaluation": evaluated["run_id"], **(tags or {})}
    before = champion[0] if champion else None
    version = registry.record(decision, out, fresh.card.get("run_id"), tags, against=before)
    return Promotion(decision, version, out)


def _winner(
    winner: str, best: Bundle | None, champion: Bundle | None, shots: pl.DataFrame
) -> Bundle:
    """The winning model, brought up to date; `best` is the best of those newly trained."""
    facts, made = tables.facts_from_shots(shots), tables.made_array(shots)
    names = {promotion.RECALIBRATED: (champion,), promotion.BLENDED: (best, champion)}
    fresh = [
        model.refreshed(facts, made) for model in names.get(winner, (best,)) if model is not None
    ]
    return blended(*fresh) if winner == promotion.BLENDED else fresh[0]


def _alone(champion: tuple[RegisteredVersion, Bundle] | None) -> dict[str, Bundle]:
    if champion is None:
        raise ModelError(
            "there is nothing to evaluate: train models first, there is no champion either"
        )
    return dict.fromkeys((promotion.CHAMPION, promotion.RECALIBRATED), champion[1])


def _refuse_other_champion(evaluated: str | None, champion: RegisteredVersion | None) -> None:
    number = champion.number if champion else None
    if evaluated != number:
        raise ModelError(
            f"the champion is version {number} now, the evaluation knows version {evaluated}: "
            "evaluate once more"
        )


def _copied(version: RegisteredVersion, registry: Registry, cache: Path, out: Path) -> Path:
    for old in out.glob("*.model"):  # parts that another bundle had
        old.unlink()
    return Path(shutil.copytree(registry.fetch(version.number, cache), out, dirs_exist_ok=True))


def _keep_references(shots: pl.DataFrame, judgement: Judgement, winner: str, out: Path) -> None:
    """Put what later shots will be compared with beside the bundle."""
    first = judgement.shots["game_date"].min()
    training = shots.filter(pl.col("game_date") < first)
    p_made = judgement.predictions[winner]
    reference = build_reference(training, judgement.shots, p_made, champion=winner)
    reference.save(out / DRIFT_REFERENCE)
    later = judgement.shots.with_columns(pl.Series(P_MADE, p_made))
    sample(training.tail(REFERENCE_SHOTS), SAMPLE_SEED).write_parquet(out / DRIFT_TRAINING)
    sample(later, SAMPLE_SEED).write_parquet(out / DRIFT_LATER)

"""The stage `evaluate`: models, baselines and the champion answer the same later games."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from parivision import durable, strict_json
from parivision.errors import ModelError
from parivision.features import tables
from parivision.lake.snapshot import read_snapshot
from parivision.models.bundle import Bundle
from parivision.models.training import History
from parivision.promotion import decision as promotion
from parivision.promotion import holdout
from parivision.promotion.holdout import Judgement
from parivision.registry import RegisteredVersion, Registry
from parivision.reports import eda
from parivision.scoring.scores import Scores
from parivision.settings import Settings
from parivision.shots.split import time_split
from parivision.stages import details, stores
from parivision.stages.files import EVALUATED, EXPLORED, JUDGEMENT
from parivision.stages.heartbeat import logs_heartbeat
from parivision.stages.one_league import refuse_other_league
from parivision.stages.termination_message import writes_termination_message


@dataclass(frozen=True)
class Evaluation:
    """What every model predicted, its scores, the best model's name, and that model's details."""

    judgement: Judgement
    scores: Mapping[str, Scores]
    best: str
    details: Sequence[Path]

    @property
    def report(self) -> Path:
        """The page of the evaluation, the first of the `details`."""
        return self.details[0]

    @property
    def metrics(self) -> dict[str, float]:
        """The best model's scores, and every model's log loss."""
        losses = {f"{name}_log_loss": score.log_loss for name, score in self.scores.items()}
        return strict_json.finite(self.scores[self.best].to_dict() | losses)


@writes_termination_message
@logs_heartbeat
def evaluate(
    settings: Settings,
    shots: Path,
    models: Mapping[str, Path],
    out: Path,
    best: Path | None = None,
) -> Evaluation:
    """Let models, baselines and the champion answer the later games of a snapshot.

    Without models the champion is compared with itself recalibrated. Writes the predictions
    (`judgement.parquet`), what `promote` must know of the evaluation (`evaluated.json`), the report
    (`evaluation.html`), the best model's confusion matrix and importances (`details.write`) and the
    report on the shots (`eda.html`) to `out`, and keeps scores and reports in a run of its own. The
    best model's bundle is copied to `best`.
    """
    registry = stores.registry(settings)
    champion = registry.champion_bundle(settings.cache)
    rivals = _rivals(models, champion[0] if champion else None, registry, settings.cache)
    bundles = {name: Bundle.load(path) for name, path in models.items()}
    rows = read_snapshot(shots)
    refuse_other_league(rows, {**bundles, "champion": champion[1] if champion else None})
    judgement = _judged(rows, bundles, champion[1] if champion else None)
    number = champion[0].number if champion else None
    evaluation = _reported(judgement, rivals, number, out)
    run_id = _recorded(evaluation, eda.write(rows, out / EXPLORED), registry)
    notes = {"run_id": run_id, "champion": number, "best": evaluation.best}
    durable.put_json(out / EVALUATED, notes)
    if best is not None:
        shutil.copytree(rivals[evaluation.best], best, dirs_exist_ok=True)
    return evaluation


def _rivals(
    models: Mapping[str, Path], champion: RegisteredVersion | None, registry: Registry, cache: Path
) -> Mapping[str, Path]:
    """Folders of those that may be the best: new models, or else the champion in both states."""
    if models:
        return models
    if champion is None:
        raise ModelError(
            "there is nothing to evaluate: train models first, there is no champion either"
        )
    folder = registry.fetch(champion.number, cache)
    # Both states have the same files: recalibrating changes the state and not the estimators.
    return dict.fromkeys((promotion.CHAMPION, promotion.RECALIBRATED), folder)


def _judged(
    shots: pl.DataFrame, bundles: Mapping[str, Bundle], champion: Bundle | None
) -> Judgement:
    """What there is to judge: new models, or else whether the champion should be refreshed."""
    history = History.of(tables.facts_from_shots(shots), tables.made_array(shots))
    # With games that the champion does not know it is judged on these; otherwise on the split.
    if not bundles and champion is not None and len(holdout.unseen(shots, champion)):
        return holdout.judge_refresh(shots, history, champion)
    return holdout.judge(shots, history, time_split(history.facts.day), bundles, champion)


def _tiles(best: str, champion: str | None) -> dict[str, str]:
    """What the report's first tiles say: who is best here, and who is champion.

    The best new model is not the champion: only a promotion makes it that, and it may even lose
    against the champion.
    """
    is_champion = best in (promotion.CHAMPION, promotion.RECALIBRATED)
    label = "champion's better state" if is_champion else "best new model"
    return {label: best, "champion": f"version {champion}" if champion else "none yet"}


def _reported(
    judgement: Judgement, rivals: Mapping[str, Path], champion: str | None, out: Path
) -> Evaluation:
    """Write the predictions and the report to `out`, with the best of the rivals in detail."""
    out.mkdir(parents=True, exist_ok=True)
    judgement.to_frame().write_parquet(out / JUDGEMENT)
    scores = judgement.scores()
    # Of equal losses the first name, so that a repeated evaluation finds the same.
    best = min(rivals.keys() & scores.keys(), key=lambda name: (scores[name].log_loss, name))
    tiles = _tiles(best, champion)
    files = details.write(out, judgement, best, Bundle.load(rivals[best]), tiles=tiles)
    return Evaluation(judgement, scores, best, files)


def _recorded(evaluation: Evaluation, explored: Path, registry: Registry) -> str:
    """Keep scores and reports in a run of its own; returns its id."""
    return registry.log(
        "evaluation",
        tags={"kind": "evaluation", "best": evaluation.best},
        metrics={f"{name}.log_loss": score.log_loss for name, score in evaluation.scores.items()},
        artifacts={"": [*evaluation.details, explored]},
    )

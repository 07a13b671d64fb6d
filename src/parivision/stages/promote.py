"""The stage `promote`: does a challenger take the champion's place?"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from parivision import durable
from parivision.drift import build_reference
from parivision.drift.reference import REFERENCE_SHOTS
from parivision.errors import DataError, ModelError
from parivision.features import tables
from parivision.lake.snapshot import read_snapshot
from parivision.models.bundle import PLAYERS, Bundle, blended
from parivision.promotion import decision as promotion
from parivision.promotion import holdout
from parivision.promotion.decision import Decision, Rule
from parivision.promotion.holdout import Judgement
from parivision.registry import RegisteredVersion, Registry
from parivision.reports.drift import sample
from parivision.scoring.scores import reliability
from parivision.settings import Settings
from parivision.stages import stores
from parivision.stages.files import (
    DRIFT_LATER,
    DRIFT_REFERENCE,
    DRIFT_TRAINING,
    EVALUATED,
    JUDGEMENT,
    P_MADE,
)
from parivision.stages.heartbeat import logs_heartbeat
from parivision.stages.termination_message import writes_termination_message

_SAMPLE_SEED = 0


@dataclass(frozen=True)
class Promotion:
    """What promotion did: the decision, and the version that is champion now (None: nobody)."""

    decision: Decision
    champion: RegisteredVersion | None
    bundle: Path | None

    @property
    def version(self) -> str:
        """The champion's version; empty while there is none."""
        return self.champion.number if self.champion else ""

    @property
    def family(self) -> str:
        """The champion's family, or how it was made of another champion; empty without one."""
        return self.champion.tags.get("family", "") if self.champion else ""


@writes_termination_message
@logs_heartbeat
def promote(
    settings: Settings,
    shots: Path,
    judged: Path,
    models: Mapping[str, Path],
    out: Path,
    *,
    cause: str = "",
    rule: Rule | None = None,
) -> Promotion:
    """Decide, and if a challenger wins make it the champion with its state brought up to date.

    `judged` is what `evaluate` wrote, `models` has the folder of its best model at least. Writes
    the champion's bundle to `out`, a new one with the drift reference it will be watched by.
    `cause` is why this is done, and is recorded with the decision. A run that died behind the
    promotion finds it done. Raises ModelError when the champion is another than the one that was
    evaluated, and DataError when nothing was.
    """
    judgement, evaluated = _evaluation(judged)
    decision = holdout.decide(judgement, rule)
    registry = stores.registry(settings)
    champion = _champion(registry, settings.cache)
    version = champion[0] if champion else None
    # A task that Kubernetes starts again finds its own work here, and must not promote twice.
    if version is not None and version.evaluation == evaluated["run_id"]:
        return Promotion(decision, version, _copied(version, registry, settings.cache, out))
    _refuse_other_champion(evaluated["champion"], version)
    tags = {"cause": cause} if cause else {}
    if not decision.promoted:
        registry.record(decision, None, None, tags)
        return Promotion(decision, version, _copied(version, registry, settings.cache, out))
    rows = read_snapshot(shots)
    best = Bundle.load(models[evaluated["best"]]) if evaluated["best"] in models else None
    winner = _winner(str(decision.winner), best, champion[1] if champion else None, rows)
    _write(winner, decision, judgement, rows, out)
    tags["evaluation"] = evaluated["run_id"]
    run_id = winner.card.get("run_id")
    return Promotion(decision, registry.record(decision, out, run_id, tags, against=version), out)


def _evaluation(judged: Path) -> tuple[Judgement, dict[str, Any]]:
    """What `evaluate` wrote: the predictions, and its notes for promotion."""
    if not (judged / EVALUATED).is_file():
        raise DataError(f"there is no evaluation in {judged}: run `parivision evaluate` first")
    judgement = Judgement.from_frame(pl.read_parquet(judged / JUDGEMENT))
    return judgement, json.loads((judged / EVALUATED).read_text())


def _champion(registry: Registry, cache: Path) -> tuple[RegisteredVersion, Bundle] | None:
    """The champion; one whose alias somebody took away gets it back."""
    champion = registry.champion_bundle(cache)
    if champion is not None and not champion[0].has_alias:
        registry.point_alias(champion[0].number)
    return champion


def _refuse_other_champion(evaluated: str | None, champion: RegisteredVersion | None) -> None:
    number = champion.number if champion else None
    if evaluated != number:
        raise ModelError(
            f"the champion is version {number} now, the evaluation knows version {evaluated}: "
            "evaluate once more"
        )


def _copied(
    version: RegisteredVersion | None, registry: Registry, cache: Path, out: Path
) -> Path | None:
    """The champion's files in `out`; None while there is no champion."""
    if version is None:
        return None
    for old in out.glob("*.model"):  # parts that another bundle had
        old.unlink()
    return Path(shutil.copytree(registry.fetch(version.number, cache), out, dirs_exist_ok=True))


def _winner(
    winner: str, best: Bundle | None, champion: Bundle | None, shots: pl.DataFrame
) -> Bundle:
    """The winning model, brought up to date; `best` is the best of those newly trained."""
    facts, made = tables.facts_from_shots(shots), tables.made_array(shots)
    # Both members of a blend are brought up to the same last game, as `blended` asks.
    members = {promotion.RECALIBRATED: (champion,), promotion.BLENDED: (best, champion)}
    refreshed = [
        model.refreshed(facts, made) for model in members.get(winner, (best,)) if model is not None
    ]
    return blended(*refreshed) if winner == promotion.BLENDED else refreshed[0]


def _write(
    winner: Bundle, decision: Decision, judgement: Judgement, shots: pl.DataFrame, out: Path
) -> None:
    """Write a new champion with all that it will need: scores, reference, the league's players."""
    name = str(decision.winner)
    winner.card["scores"] = decision.scores[name].to_dict()
    bins = reliability(judgement.made, judgement.predictions[name])
    winner.card["reliability"] = bins.to_dicts()
    winner.save(out)
    _write_references(shots, judgement, name, out)
    durable.put_json(out / PLAYERS, {"players": tables.shooters(shots)})


def _write_references(shots: pl.DataFrame, judgement: Judgement, winner: str, out: Path) -> None:
    """Put what later shots will be compared with beside the bundle."""
    first = judgement.shots["game_date"].min()
    # Up to the games judged on. Those say how well the champion does on games it was not fitted on.
    training = shots.filter(pl.col("game_date") < first)
    p_made = judgement.predictions[winner]
    reference = build_reference(training, judgement.shots, p_made, champion=winner)
    reference.save(out / DRIFT_REFERENCE)
    later = judgement.shots.with_columns(pl.Series(P_MADE, p_made))
    # From the shots that the reference was made from, so that report and verdict show the same.
    sample(training.tail(REFERENCE_SHOTS), _SAMPLE_SEED).write_parquet(out / DRIFT_TRAINING)
    sample(later, _SAMPLE_SEED).write_parquet(out / DRIFT_LATER)

"""An exam: the champion and other models answer games that none of them has seen."""

from pathlib import Path

import polars as pl

from parivision.errors import DataError, ModelError
from parivision.promotion import decision as promotion
from parivision.promotion import holdout
from parivision.promotion.holdout import Judgement
from parivision.settings import Settings
from parivision.stages import details, stores
from parivision.stages.one_league import refuse_other_league


def examine(settings: Settings, everything: pl.DataFrame, out: Path, title: str) -> Judgement:
    """Let the champion and the newest trained models answer games of theirs; see `holdout.exam`.

    Games that the champion knows are left out, and models that know some of the others. Writes the
    report and the other files of `details.write` to `out`.
    """
    registry = stores.registry(settings)
    champion = registry.champion_bundle(settings.cache)
    if champion is None:
        raise ModelError("there is no champion yet: run `parivision demo`, or train and promote")
    version, bundle = champion
    refuse_other_league(everything, {"champion": bundle})
    shots = holdout.unseen(everything, bundle)
    if shots.is_empty():
        raise DataError(
            f"the champion (version {version.number}) knows all of these games: they end on "
            f"{everything['game_date'].max()!s}, it knows them through "
            f"{bundle.card.get('known_through')}. Give it later games"
        )
    # A model that knows a part of the games would be flattered by it, so it is left out.
    others = {
        name: trained
        for name, trained in registry.trained(settings.cache).items()
        if len(holdout.unseen(shots, trained)) == len(shots)
    }
    judgement = holdout.exam(shots, bundle, others)
    tiles = {"champion": f"version {version.number}, {bundle.family}"}
    details.write(out, judgement, promotion.CHAMPION, bundle, tiles=tiles, title=title)
    return judgement

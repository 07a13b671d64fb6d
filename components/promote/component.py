"""Promote: does a challenger take the champion's place?"""

from components.image import IMAGE
from kfp import dsl
from kfp.dsl import Dataset, Input, Markdown, Model, Output


# The decision is the output `Output` and not one of a name, because `kfp.local` 2.17 finds no other
# in a condition.
@dsl.component(base_image=IMAGE, install_kfp_package=False)
def promote(
    shots: Input[Dataset],
    judged: Input[Dataset],
    best: Input[Model],
    model: Output[Model],
    table: Output[Markdown],
    version: dsl.OutputPath(str),
    family: dsl.OutputPath(str),
    reason: dsl.OutputPath(str),
    cause: str = "",
) -> bool:
    """Decide by an evaluation, and move the alias if a challenger is shown to be better.

    Args:
        shots: The snapshot that `refine` wrote.
        judged: What `evaluate` wrote.
        best: The evaluation's best model.
        model: The champion's bundle, old or new; nothing while there is none.
        table: The decision, its numbers and its reason.
        version: The champion's version; empty while there is none.
        family: The champion's family, or champion_recalibrated.
        reason: Why it was decided so.
        cause: Why the run was started, to be recorded with the decision; empty for no record.

    Returns:
        Whether there is a new champion.
    """
    import os
    from pathlib import Path

    from parivision import settings
    from parivision.stages import promote as stage
    from parivision.stages import views

    challenger = {best.metadata["name"]: Path(best.path)}
    paths = (Path(shots.path), Path(judged.path), challenger, Path(model.path))
    promotion = stage.promote(settings.read(os.environ), *paths, cause=cause)
    model.metadata.update({"version": promotion.version, "family": promotion.family})
    Path(table.path).write_text(views.decision_text(promotion.decision, promotion.version))
    Path(version).write_text(promotion.version)
    Path(family).write_text(promotion.family)
    Path(reason).write_text(promotion.decision.reason)
    return promotion.decision.promoted

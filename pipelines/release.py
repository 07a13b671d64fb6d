"""The end that pipelines share: what was promoted is packaged and deployed."""

from components.deploy.component import deploy
from components.package.component import package
from kfp import dsl
from kfp.dsl import PipelineTask
from pipelines.resources import configure


def release(promotion: PipelineTask, target: str) -> None:
    """Package and deploy the new champion, if there is one."""
    # The compiler reads the comparison; `is` or nothing would not reach it.
    with dsl.If(promotion.outputs["Output"] == True, name="promoted"):  # noqa: E712
        packed = package(model=promotion.outputs["model"], version=promotion.outputs["version"])
        configure(packed, "package")
        built = {name: packed.outputs[name] for name in ("bento", "image")}
        configure(deploy(**built, target=target), "deploy")

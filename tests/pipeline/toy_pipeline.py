"""A small pipeline for tests of local runs: `python toy_pipeline.py FILE` compiles it."""
# ruff: noqa: T201 - what a component prints is its log

import sys

from kfp import compiler, dsl
from kfp.dsl import Input, Markdown, Metrics, Model, Output


@dsl.component(base_image="toy-python", install_kfp_package=False)
def build(size: int, model: Output[Model], metrics: Output[Metrics]) -> str:
    """Write a model of a size and say which port the settings name."""
    import os
    from pathlib import Path

    Path(model.path).mkdir(parents=True)
    Path(model.path, "size").write_text(str(size))
    model.metadata["size"] = size
    metrics.log_metric("size", size)
    return os.environ["PARIVISION_PORT"]


@dsl.component(base_image="toy-python", install_kfp_package=False)
def judge(
    how: str, model: Input[Model], table: Output[Markdown], note: dsl.OutputPath(str)
) -> bool:
    """Say yes or no, or fail in the way that `how` names."""
    import os
    import time
    from pathlib import Path

    from parivision.errors import DataError

    print("judging", Path(model.path, "size").read_text())
    if how == "raise":
        raise DataError("no shots at all:\n  ingest some")
    if how == "divide":
        print(1 / 0)
    if how == "exit":
        print("nothing to see")
        raise SystemExit(3)
    if how == "die":
        os.kill(os.getpid(), 9)
    if how == "wait":
        print(f"waiting as {os.getpid()}", flush=True)
        time.sleep(600)
    Path(table.path).write_text("# judged")
    Path(note).write_text("true")
    return how == "yes"


@dsl.component(base_image="toy-python", install_kfp_package=False)
def ship(model: Input[Model]) -> float:
    """Half the model's size."""
    return float(model.metadata["size"]) / 2


@dsl.pipeline(name="toy")
def toy(size: int = 3, how: str = "yes") -> None:
    """Build, judge and, if the judgement is yes, ship."""
    built = build(size=size).set_display_name("build it")
    judged = judge(how=how, model=built.outputs["model"]).set_retry(3, backoff_duration="600s")
    judged.set_cpu_limit("1")
    with dsl.If(judged.outputs["Output"] == True):  # noqa: E712 - read by the compiler
        ship(model=built.outputs["model"])


if __name__ == "__main__":
    compiler.Compiler().compile(toy, sys.argv[1])

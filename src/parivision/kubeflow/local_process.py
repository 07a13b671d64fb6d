"""A process that runs one compiled pipeline with `kfp.local`; `local_runs` starts it.

KFP keeps global state, prints and rewires the root logger, and its tasks inherit the environment
of the process: so it gets a process of its own. The order comes on standard input, as JSON, since
settings may hold credentials.
"""

import json
import os
import sys
import warnings
from typing import IO


def run(order_stream: IO[str]) -> None:
    """Run the pipeline that the order names; raises RuntimeError when a task failed."""
    order = json.load(order_stream)
    os.environ.update(order["environment"])
    # KFP warns that resources and names have no effect here.
    warnings.simplefilter("ignore")
    from kfp import local
    from kfp.components import load_component_from_file

    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=order["root"],
        workspace_root=order["workspace"],
    )
    load_component_from_file(order["file"])(**order["arguments"])


if __name__ == "__main__":
    run(sys.stdin)

"""The stages before training on seasons as files, each in a process of its own: time and memory.

`python -m bench.history STAGE DATA WORK` does one stage and prints its figures as JSON.
"""

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.stages import Tick, feature_rows, timed
from parivision import lake
from parivision.lake import ingest, refine, snapshot
from parivision.sources.open import open_source

STAGES = ("ingest", "refine", "features")


def measure(data: Path, work: Path, tick: Tick) -> list[dict[str, Any]]:
    """The figures of each stage, one after the other, into an empty lake of files."""
    found = []
    for stage in STAGES:
        tick(f"{stage} of {data.name}")
        command = [sys.executable, "-m", "bench.history", stage, str(data), str(work)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append({"stage": stage, **json.loads(done.stdout)})
    return found


def _do(stage: str, data: str, work: Path) -> int:
    """Do one stage; rows."""
    shots = work / "shots.parquet"
    if stage == "features":
        return int(feature_rows(snapshot.read_snapshot(shots))["rows"])
    store = lake.open_lake(str(work / "lake"))
    if stage == "ingest":
        return ingest.ingest(open_source(data), store).records
    rows = refine.refine(store).records
    snapshot.write_snapshot(store, shots)
    return rows


if __name__ == "__main__":
    rows, seconds = timed(lambda: _do(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
    figures = {
        "rows": rows,
        "seconds": seconds,
        "cpu_s": time.process_time(),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    sys.stdout.write(json.dumps(figures))

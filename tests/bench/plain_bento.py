"""BentoML as it comes, with the same trees: `bentoml serve bench.plain_bento:Plain`."""

import os
from pathlib import Path

import bentoml
import lightgbm
import numpy as np


@bentoml.service
class Plain:
    """One method, and every default."""

    def __init__(self) -> None:
        """Load the trees."""
        self.booster = lightgbm.Booster(model_file=str(Path(os.environ["BENCH_MODEL"])))

    @bentoml.api
    def predict(self, row: list[float]) -> dict[str, float]:
        """The probability."""
        return {"p_made": float(self.booster.predict(np.array([row]), num_threads=1)[0])}

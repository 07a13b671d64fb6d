"""Names of the files that stages leave for each other."""

from typing import Final

JUDGEMENT: Final = "judgement.parquet"
"""What every model predicted for the later games; see `promotion.holdout.Judgement`."""
EVALUATED: Final = "evaluated.json"
"""What `promote` must know of an evaluation: its run, the champion it saw, the best model."""
EVALUATION: Final = "evaluation.html"
EXPLORED: Final = "eda.html"
CONFUSION: Final = "confusion_matrix"
"""The confusion matrix of a model, as .json and as .svg; see `stages.details`."""
IMPORTANCES: Final = "importances"
"""The importances of a model's features, in the same two files."""

# Beside a champion's bundle: what later shots are compared with.
DRIFT_REFERENCE: Final = "drift_reference.json"
DRIFT_TRAINING: Final = "drift_training.parquet"
DRIFT_LATER: Final = "drift_later.parquet"
P_MADE: Final = "p_made"
"""Column of `DRIFT_LATER`: what the champion predicted."""

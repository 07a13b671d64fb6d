"""What people read for the names of scores. It needs no tables: the page's image has none."""

from typing import Final

LABELS: Final = {
    "log_loss": "log loss",
    "log_loss_low": "from",
    "log_loss_high": "to",
    "brier": "Brier",
    "ece": "ECE",
    "ece_noise": "ECE by chance",
    "roc_auc": "ROC-AUC",
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "made_rate": "made",
    "mean_p_made": "predicted",
    "n_shots": "shots",
    "n_games": "games",
}
"""What people read for a column of `scores.scores_row`."""
SHOWN: Final = ("log_loss", "brier", "ece", "roc_auc", "accuracy", "precision", "recall", "f1")
"""The scores of a table of models, in the order of its columns."""

"""Which settings are credentials."""

from typing import Final

ADDRESSES: Final = (
    "PARIVISION_LAKE",
    "MLFLOW_TRACKING_URI",
    "PARIVISION_PREDICTION_LOG",
    "PARIVISION_IMAGES_PUSH",
    "PARIVISION_PROMETHEUS",
    "PARIVISION_KFP",
)
"""What may hold a password: user:password@host."""
PASSWORDS: Final = (
    "MLFLOW_TRACKING_PASSWORD",
    "PARIVISION_IMAGES_PASSWORD",
    "PARIVISION_ALERTS_TOKEN",
    "PARIVISION_OUTCOMES_TOKEN",
)
USERNAMES: Final = ("MLFLOW_TRACKING_USERNAME", "PARIVISION_IMAGES_USERNAME")
CREDENTIALS: Final = (*ADDRESSES, *PASSWORDS, *USERNAMES)
"""What no message shows."""
IN_HEAD: Final = (
    "MLFLOW_TRACKING_USERNAME",
    "MLFLOW_TRACKING_PASSWORD",
    "PARIVISION_ALERTS_TOKEN",
    "PARIVISION_OUTCOMES_TOKEN",
)
"""Sent in the head of a request as they are, or by a client that knows no other letters."""

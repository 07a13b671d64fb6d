"""How long MLflow's client waits, and what it prints: settings of the process."""

import logging

from mlflow.environment_variables import (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
)


def impatient(seconds: int) -> None:
    """Let a server answer within `seconds` or not at all, for those who will ask again anyway."""
    MLFLOW_HTTP_REQUEST_TIMEOUT.set(seconds)  # type: ignore[no-untyped-call]
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(0)  # type: ignore[no-untyped-call]


def quiet() -> None:
    """Keep MLflow's and alembic's chatter out of a command's output; warnings still show."""
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)  # type: ignore[no-untyped-call]
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It misses pip in environments that uv made; nothing here is installed by pip.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)

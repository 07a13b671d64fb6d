"""How long MLflow's client waits, and what it prints: settings of the process."""

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from mlflow.environment_variables import (
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
)

from parivision.errors import RegistryError

_STEADY: Final = ((MLFLOW_HTTP_REQUEST_TIMEOUT, 60), (MLFLOW_HTTP_REQUEST_MAX_RETRIES, 4))
"""What long work waits for an answer, and how often it asks again: six minutes at most."""
_given: dict[str, int] = {}
"""What the user had set before this process changed it; `_changed` says whether it has."""
_changed: list[bool] = []


def impatient(seconds: int) -> None:
    """Let a server answer within `seconds` or not at all, for those who will ask again anyway."""
    if not _changed:
        for variable, _ in _STEADY:
            if variable.is_set():  # type: ignore[no-untyped-call]
                _given[variable.name] = variable.get()  # type: ignore[no-untyped-call]
        _changed.append(True)
    MLFLOW_HTTP_REQUEST_TIMEOUT.set(seconds)  # type: ignore[no-untyped-call]
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(0)  # type: ignore[no-untyped-call]


def steady() -> None:
    """Ask a server again for some minutes, so that a restart of it loses no hours of work.

    Each new attempt is told in the log. MLflow's own settings count where they are set.
    """
    for variable, value in _STEADY:
        variable.set(_given.get(variable.name, value))  # type: ignore[no-untyped-call]


def within(seconds: float, ask: Callable[[], object], trouble: str) -> None:
    """Ask, and raise a RegistryError with `trouble` when there is no answer within `seconds`.

    What the asking raises is raised. Names that nobody resolves and answers that drip are not
    bounded by the client's own timeout.
    """
    came: list[Any] = []

    def run() -> None:
        try:
            ask()
        except RegistryError as error:
            came.append(error)

    thread = threading.Thread(target=run, name="ask MLflow", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise RegistryError(trouble)
    if came:
        raise came[0]


def quiet() -> None:
    """Keep MLflow's and alembic's chatter out of a command's output; warnings still show."""
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)  # type: ignore[no-untyped-call]
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It misses pip in environments that uv made; nothing here is installed by pip.
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)

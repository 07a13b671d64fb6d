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

_VARIABLES: Final = (MLFLOW_HTTP_REQUEST_TIMEOUT, MLFLOW_HTTP_REQUEST_MAX_RETRIES)
_TIMEOUT_S: Final = 60
"""How long work that is not watched waits for an answer."""
_MOST_RETRIES: Final = 10
"""MLflow's client allows no more."""
_BACKOFF_S: Final = 2
_LONGEST_BACKOFF_S: Final = 120
"""MLflow's own, and urllib3's: no wait before the first retry, then twice as long each time."""
_given: dict[str, int] = {}
"""What the user had set before this process changed it; `_changed` says whether it has."""
_changed: list[bool] = []


def impatient(seconds: int) -> None:
    """Let a server answer within `seconds` or not at all, for those who will ask again anyway."""
    _remember()
    MLFLOW_HTTP_REQUEST_TIMEOUT.set(seconds)  # type: ignore[no-untyped-call]
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(0)  # type: ignore[no-untyped-call]


def steady(within_s: float) -> None:
    """Ask a server that is away again for so long, so that a restart of it loses no hours of work.

    MLflow's client asks by itself, and tells each new attempt in the log: this is how often it does
    so in that time. MLflow's own settings count where they are set.
    """
    _remember()
    for variable, value in zip(_VARIABLES, (_TIMEOUT_S, _retries(within_s)), strict=True):
        variable.set(_given.get(variable.name, value))  # type: ignore[no-untyped-call]


def _remember() -> None:
    """Keep what the user has set, before this process sets anything."""
    if not _changed:
        for variable in _VARIABLES:
            if variable.is_set():  # type: ignore[no-untyped-call]
                _given[variable.name] = variable.get()  # type: ignore[no-untyped-call]
        _changed.append(True)


def _retries(within_s: float) -> int:
    """How many retries wait for at most so many seconds together."""
    waited_s, retries = 0.0, 1
    while retries < _MOST_RETRIES:
        waited_s += min(_BACKOFF_S * 2.0**retries, _LONGEST_BACKOFF_S)
        if waited_s > within_s:
            break
        retries += 1
    return retries if within_s else 0


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

    # A daemon: a question that hangs must not keep the process from ending.
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

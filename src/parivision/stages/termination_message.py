"""What a failed task says to Kubernetes: its error, where the kubelet looks for it.

The kubelet puts a container's termination message into the pod's status, so `kubectl describe pod`
says why a task failed without anybody reading logs.
"""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from parivision.errors import PariVisionError
from parivision.settings import CREDENTIALS, Settings, as_environment
from parivision.settings.redaction import Redactor

FILE: Final = Path("/dev/termination-log")
"""Where Kubernetes mounts the file unless a container asks for another place."""
_MOST_BYTES: Final = 4096  # The kubelet cuts what is longer.

P = ParamSpec("P")
R = TypeVar("R")


def writes_termination_message(
    step: Callable[Concatenate[Settings, P], R],
) -> Callable[Concatenate[Settings, P], R]:
    """A step that, when it fails in the pod of a pipeline's task, leaves its error behind.

    Neither there nor in the log, where KFP puts the traceback, is a secret of the settings shown.
    """

    @wraps(step)
    def told(settings: Settings, /, *args: P.args, **kwargs: P.kwargs) -> R:
        clear = Redactor.of(as_environment(settings), CREDENTIALS)
        try:
            with clear.everywhere():
                return step(settings, *args, **kwargs)
        except Exception as error:
            if settings.pod and FILE.exists():
                # Only where the kubelet has mounted it: on another machine nothing is left behind.
                FILE.write_bytes(clear(_sentence(error)).encode()[:_MOST_BYTES])
            cleared = clear.cleared(error)
            if cleared is error:
                raise
            # `from None`: the chain of causes would show the secret after all.
            raise cleared from None

    return told


def _sentence(error: Exception) -> str:
    """The error as people read it; one that was not foreseen is told with its kind."""
    return str(error) if isinstance(error, PariVisionError) else f"{type(error).__name__}: {error}"

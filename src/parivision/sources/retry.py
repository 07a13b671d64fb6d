"""Reading a source that may be away for a moment."""

from collections.abc import Callable
from typing import TypeVar

from parivision.errors import SourceError
from parivision.settings.retry import Retry, TransientError

T = TypeVar("T")


def ask(retry: Retry, call: Callable[[], T], what: str) -> T:
    """The call's result; raises SourceError when it failed with TransientError for so long.

    `what` names the source for the message.
    """
    try:
        return retry.run(call, what)
    except TransientError as error:
        raise SourceError(
            f"{what} gave nothing within {retry.within_s:g} s, at last because of: {error}. Check "
            "that it can be reached from here and try again later; what was read is kept."
        ) from error

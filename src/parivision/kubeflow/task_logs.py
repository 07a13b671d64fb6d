"""The exception that a task's log ends with."""

import re
from collections.abc import Sequence
from typing import Final

# How a traceback's last line begins: the exception's class, perhaps with its modules in front.
_RAISED: Final = re.compile(r"^(?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Interrupt)\b")
_MODULE: Final = re.compile(r"^(?:[a-z_]\w*\.)+(?=[A-Z])")


def last_exception(lines: Sequence[str]) -> int | None:
    """The number of the line with the last exception; None where there is none."""
    return next((n for n in reversed(range(len(lines))) if _RAISED.match(lines[n])), None)


def without_module(text: str) -> str:
    """The exception's text without the modules in front of its class."""
    return _MODULE.sub("", text)

"""Waiting for what other threads and processes do."""

import time
from collections.abc import Callable

POLL_S = 0.005


def wait_for(
    condition: Callable[[], bool], what: str = "the condition", timeout_s: float = 60.0
) -> None:
    """Wait until a condition holds; past the deadline the test fails and names `what`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come in {timeout_s} s"
        time.sleep(POLL_S)

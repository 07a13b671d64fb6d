"""Request bodies: small ones are answered at once, large ones in a thread and few at a time."""

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

from parivision.serving.asgi import (
    DRAINED_BYTES,
    Receive,
    Scope,
    check_headers,
    declared_size,
    read,
    too_large,
)
from parivision.serving.requests import Refusal

Result = TypeVar("Result")

INLINE_BYTES: Final = 32 * 2**10
"""Bodies beyond this are answered in a thread, so that health checks and small requests go on."""
MAX_LARGE: Final = 8
"""How many bodies beyond that are held at a time: what more would do is make all wait."""
READ_S: Final = 30.0
"""How long a body may take to arrive."""
TOO_MUCH: Final = "The service has more to do than it can; try again in a second."
TOO_SLOW: Final = "The request did not arrive in time."


class BodyProcessor:
    """Reads bodies and has them answered; bounds how many large ones are held at a time."""

    def __init__(self) -> None:
        self.large = 0
        self._pool: ThreadPoolExecutor | None = None

    async def answered(
        self,
        answer: Callable[[bytes], Result],
        scope: Scope,
        receive: Receive,
        *,
        inline: int = INLINE_BYTES,
    ) -> Result:
        """What `answer` makes of the request's body, in a thread if it is larger than `inline`.

        Of large ones only so many are held at a time, from their first byte on.
        """
        size = declared_size(scope)
        # More than is read of a body that is too large: refused before any of it comes.
        if DRAINED_BYTES < size < math.inf:
            raise too_large()
        if size <= inline:
            body = await _read_in_time(receive)
            check_headers(scope)
            return answer(body)
        if self.large >= MAX_LARGE:
            raise Refusal(503, TOO_MUCH)
        self.large += 1
        try:
            body = await _read_in_time(receive)
            check_headers(scope)
            return await self.in_thread(answer, body)
        finally:
            self.large -= 1

    async def in_thread(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Run what takes long beside the event loop, one at a time."""
        if self._pool is None:
            # Made when it is needed: a service of single shots needs no thread.
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="large-requests")
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)


async def _read_in_time(receive: Receive) -> bytes:
    try:
        async with asyncio.timeout(READ_S):
            return await read(receive)
    except TimeoutError as error:
        raise Refusal(408, TOO_SLOW) from error

"""What a process's connections share: limits, the turn of the event loop, heads of answers."""

import asyncio
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from parivision.serving.app import App

Headers = list[tuple[bytes, bytes]]

# With a head that never ends on each they take some 270 MB; the pod has 512 MiB.
MAX_CONNECTIONS: Final = 4096
MAX_WAIT_S: Final = 0.25
"""A request that waited longer than this for its turn is refused."""
REQUEST_S: Final = 10.0
"""A request must be there, or a good part more of it, within this time."""
ANSWER_S: Final = 30.0
"""A client must take its answer within this time."""
LINGER_S: Final = 0.5
"""How long an idle connection is kept when the service stops: a request may be on its way."""


@dataclass
class ProcessState:
    """What the connections of one process share.

    `turn_began` is when the event loop began to answer what had come in meanwhile; 0 between turns.
    `waiting_bytes` is how many bytes came that are not parsed yet.
    """

    app: App
    max_connections: int = MAX_CONNECTIONS
    max_wait_s: float = MAX_WAIT_S
    request_s: float = REQUEST_S
    answer_s: float = ANSWER_S
    linger_s: float = LINGER_S
    turn_began: float = 0.0
    waiting_bytes: int = 0
    _response_heads: dict[int, bytes] = field(default_factory=dict)
    _headers: Headers = field(default_factory=list)

    def is_late(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Whether the requests of this turn have waited too long by now.

        All of them had come in when the turn began, so the last ones waited for all the others.
        """
        now = time.perf_counter()
        if not self.turn_began:
            self.turn_began = now
            # The loop comes to this when all that had come in by now is done.
            loop.call_soon(self._end_turn)
        return now - self.turn_began > self.max_wait_s

    def _end_turn(self) -> None:
        self.turn_began = 0.0

    def response_head(self, status: int, headers: Headers) -> bytes:
        """An answer's first lines up to its length; `headers` are uvicorn's, new every second."""
        if headers is not self._headers:
            self._headers = headers
            self._response_heads.clear()
        head = self._response_heads.get(status)
        if head is None:
            lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
            lines += [name + b": " + value for name, value in headers]
            head = b"\r\n".join([*lines, b"content-type: application/json", b"content-length: "])
            self._response_heads[status] = head
        return head

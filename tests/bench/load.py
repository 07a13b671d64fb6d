"""A client that costs little: requests over kept connections, as fast or as often as asked.

One that waits for each answer measures capacity. One that sends by the clock measures what clients
see: a request's time counts from when it was due, so that a stall is not hidden by sending less.
"""

import asyncio
import ctypes
import os
import sys
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import numpy as np

_TIMEOUT_S = 10.0


@dataclass
class Seen:
    """What clients saw: seconds to each answer, statuses, and requests without an answer.

    `exchanges` are the seconds since a request was really sent.
    """

    wall_s: float = 0.0
    exchanges: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    lost: int = 0

    @property
    def answers(self) -> int:
        """Requests that were answered, whatever the status."""
        return len(self.seconds)

    @property
    def a_second(self) -> float:
        """Answers a second."""
        return self.answers / self.wall_s

    def quantile_ms(self, q: float) -> float:
        """A quantile of the time to answer, in milliseconds."""
        return float(np.quantile(self.seconds, q)) * 1e3 if self.seconds else float("nan")


class Connection(asyncio.Protocol):
    """A kept connection that asks one thing at a time."""

    def __init__(self, on_answer: Callable[["Connection", int], None]) -> None:
        self._on_answer = on_answer
        self._received = b""
        self._end = 0
        self._status = 0
        self._transport: asyncio.WriteTransport | None = None
        self.due = self.sent = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def ask(self, request: bytes, due: float) -> None:
        """Send a request that was due then."""
        assert self._transport is not None
        self.due, self.sent = due, time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Note an answer when it is there whole; it must say its length."""
        self._received += data
        if not self._end:
            head, found, _ = self._received.partition(b"\r\n\r\n")
            if not found:
                return
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
            self._status = int(head[9:12])
            self._end = len(head) + 4 + int(length or b"0")
        if len(self._received) >= self._end:
            self._received, self._end = b"", 0
            self._on_answer(self, self._status)

    def connection_lost(self, error: Exception | None) -> None:
        """A lost connection answers with the status 0."""
        self._on_answer(self, 0)

    def close(self) -> None:
        """Close it without a word."""
        self._on_answer = lambda _connection, _status: None
        if self._transport is not None:
            self._transport.abort()


def http_request(host: str, path: str, body: bytes, kind: str = "application/json") -> bytes:
    """The bytes of a POST over a kept connection."""
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def closed(port: int, request: bytes, clients: int, duration_s: float) -> Seen:
    """So many clients, each of which asks again as soon as it has its answer."""
    seen = Seen()
    started = time.perf_counter()
    until = started + duration_s

    def on_answer(connection: Connection, status: int) -> None:
        now = time.perf_counter()
        _note(seen, status, now - connection.due)
        if now < until and status:
            connection.ask(request, now)

    connections = await _connect(port, clients, on_answer)
    started = time.perf_counter()
    until = started + duration_s
    for connection in connections:
        connection.ask(request, time.perf_counter())
    await asyncio.sleep(until - time.perf_counter())
    seen.wall_s = time.perf_counter() - started
    for connection in connections:
        connection.close()
    return seen


async def by_the_clock(
    port: int, request: bytes, clients: int, rate: float, duration_s: float
) -> Seen:
    """So many requests a second, whatever comes back; those that find no free client wait."""
    seen = Seen()
    waiting: deque[float] = deque()
    free: list[Connection] = []

    def on_answer(connection: Connection, status: int) -> None:
        now = time.perf_counter()
        seen.exchanges.append(now - connection.sent)
        _note(seen, status, now - connection.due)
        if not status:
            return
        if waiting:
            connection.ask(request, waiting.popleft())
        else:
            free.append(connection)

    def on_tick(due: float) -> None:
        if free:
            free.pop().ask(request, due)
        else:
            waiting.append(due)

    connections = await _connect(port, clients, on_answer)
    free += connections
    begun = time.perf_counter()
    await _tick(rate, round(rate * duration_s), on_tick)
    deadline = time.perf_counter() + _TIMEOUT_S
    while len(free) < clients and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    seen.wall_s = time.perf_counter() - begun
    seen.lost += clients - len(free) + len(waiting)
    for connection in connections:
        connection.close()
    return seen


async def _tick(rate: float, times: int, on_tick: Callable[[float], None]) -> None:
    """Call so many times a second with the moment at which it was due, by a timer of the kernel.

    An event loop's own timers are of milliseconds. Turning until it is time would take a core,
    and a server waits longer on a machine of two with one of them taken.
    """
    loop, done, count = asyncio.get_running_loop(), asyncio.Event(), 0
    with _Timer() as timer:

        def on_readable() -> None:
            nonlocal count
            passed = min(timer.passed(), times - count)
            for number in range(count + 1, count + passed + 1):
                on_tick(begun + number / rate)
            count += passed
            if count == times:
                loop.remove_reader(timer)
                done.set()

        loop.add_reader(timer, on_readable)
        begun = time.perf_counter()
        timer.start(1 / rate)
        await done.wait()


class _Timer:
    """A timer of Linux, which is a file that can be read when time has passed."""

    _CLOCK_MONOTONIC = 1

    def __enter__(self) -> "_Timer":
        self._libc = ctypes.CDLL(None)
        self._file: int = self._libc.timerfd_create(self._CLOCK_MONOTONIC, os.O_NONBLOCK)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def fileno(self) -> int:
        """What an event loop waits for."""
        return self._file

    def start(self, interval_s: float) -> None:
        """Let it pass again and again."""
        seconds, rest = divmod(round(interval_s * 1e9), 1_000_000_000)
        every = (ctypes.c_long * 4)(seconds, rest, seconds, rest)
        self._libc.timerfd_settime(self._file, 0, every, None)

    def passed(self) -> int:
        """How often it has passed since one last asked."""
        return int.from_bytes(os.read(self._file, 8), sys.byteorder)


def _note(seen: Seen, status: int, seconds: float) -> None:
    if status:
        seen.seconds.append(seconds)
        seen.statuses[status] += 1
    else:
        seen.lost += 1


async def _connect(
    port: int, clients: int, on_answer: Callable[[Connection, int], None]
) -> list[Connection]:
    loop = asyncio.get_running_loop()
    connections = []
    for _ in range(clients):
        _, made = await loop.create_connection(lambda: Connection(on_answer), "127.0.0.1", port)
        connections.append(made)
    return connections

"""Users of the prediction service: requests at a steady rate, and what became of them.

Where it is known how the shots ended, the service is told so after its answers.
"""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Final

import httpx

from parivision.sources.synthetic import SyntheticConfig, generate

SHOT: Final = {"player_id": 201939, "period": 4, "clock_s": 24, "x_ft": -22.5, "y_ft": 3}
GAMES: Final = 80
"""Games a season of the league that a cluster's first champion is trained on."""
FACTS: Final = ("player_id", "period", "clock_s", "x_ft", "y_ft", "action_type", "made")
"""Columns of a shot that a user sends, and how it ended."""
OUTCOMES_AT_ONCE: Final = 100
"""Outcomes of one request."""
PATIENCE_S: Final = 20.0
"""Longer than the gateway itself waits: it must be the gateway that gives up."""


@dataclass
class Outcome:
    """Counts by status, with a transport error's name in the place of a status.

    An audience that tells outcomes also learns which versions of the model answered it.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    untold: int = 0

    @property
    def sent(self) -> int:
        """How many requests ended, well or not."""
        return self.statuses.total()

    @property
    def failed(self) -> dict[str, int]:
        """What was not answered with 200, by kind."""
        return {status: n for status, n in self.statuses.items() if status != "200"}


def new_season() -> list[dict[str, Any]]:
    """Shots of the season after those that a cluster's first champion knows, and how each ended."""
    config = SyntheticConfig(seed=1, seasons=(2024,), games_a_season=GAMES)
    return generate(config).select(FACTS).to_dicts()


class _Load(threading.Thread):
    """Open loop: a request is sent when it is due, not when the one before it has ended."""

    def __init__(
        self, url: str, per_second: float, shots: Sequence[Mapping[str, Any]], token: str
    ) -> None:
        super().__init__(name="load", daemon=True)
        self.outcome = Outcome()
        self._url, self._interval_s = url, 1 / per_second
        self._shots, self._token = cycle(shots), token
        self._ended: list[dict[str, object]] = []
        self._stopped = threading.Event()

    def run(self) -> None:
        asyncio.run(self._send_all())

    def stop(self) -> None:
        """Send no more; return when everything that was sent has ended."""
        self._stopped.set()
        self.join()

    async def _send_all(self) -> None:
        # A bound would make requests wait for each other, and the load no longer an open loop.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=50)
        async with (
            httpx.AsyncClient(limits=limits, timeout=PATIENCE_S, trust_env=False) as client,
            asyncio.TaskGroup() as requests,
        ):
            due_s = time.monotonic()
            while not self._stopped.is_set():
                requests.create_task(self._send(client))
                # From when it was due, not from now: one late request must not delay all others.
                due_s += self._interval_s
                await asyncio.sleep(due_s - time.monotonic())

    async def _send(self, client: httpx.AsyncClient) -> None:
        began_s = time.monotonic()
        shot = dict(next(self._shots))
        made = shot.pop("made", None)
        try:
            answer = await client.post(f"{self._url}/predict", json=shot)
            status = str(answer.status_code)
            if self._token and answer.is_success:
                said = answer.json()
                self.outcome.versions[said["model"]["version"]] += 1
                self._ended.append({"prediction_id": said["id"], "made": bool(made)})
        except httpx.TransportError as error:
            status = type(error).__name__
        self.outcome.statuses[status] += 1
        self.outcome.slowest_s = max(self.outcome.slowest_s, time.monotonic() - began_s)
        if len(self._ended) >= OUTCOMES_AT_ONCE:
            await self._tell(client)

    async def _tell(self, client: httpx.AsyncClient) -> None:
        """How shots ended; what the service does not take is counted, and not told again."""
        # Taken before the first await: other requests add to the list meanwhile.
        told, self._ended = self._ended, []
        try:
            bearing = {"Authorization": f"Bearer {self._token}"}
            answer = await client.post(
                f"{self._url}/outcomes", json={"outcomes": told}, headers=bearing
            )
            is_taken = answer.status_code == httpx.codes.ACCEPTED
        except httpx.TransportError:
            is_taken = False
        if not is_taken:
            self.outcome.untold += len(told)


@contextmanager
def load(
    url: str,
    per_second: float,
    shots: Sequence[Mapping[str, Any]] = (SHOT,),
    *,
    token: str = "",
) -> Iterator[Outcome]:
    """Predictions asked for while the block runs; the outcome is complete after it.

    With the token of who tells outcomes, the service learns by each shot's `made` how it ended.
    """
    sender = _Load(url, per_second, shots, token)
    sender.start()
    try:
        yield sender.outcome
    finally:
        sender.stop()

"""Asking an ASGI application without a server."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pydantic_core
from prometheus_client.parser import text_string_to_metric_families

Metrics = dict[str, dict[tuple[str, ...], float]]
Application = Callable[..., Awaitable[None]]
JSON_HEADERS = ((b"content-type", b"application/json"),)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as plain values."""
        return pydantic_core.from_json(self.body)


class Asker:
    """Asks one application, on one event loop."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._runner = asyncio.Runner()

    def close(self) -> None:
        """Close the event loop."""
        self._runner.close()

    def __call__(
        self,
        body: bytes | Iterable[dict[str, Any]] = b"",
        method: str = "POST",
        path: str = "/predict",
        headers: Iterable[tuple[bytes, bytes]] = JSON_HEADERS,
    ) -> Answer:
        """The answer, which there must be; `body` may be the messages that bring it."""
        answer = self.answer_or_none(body, method, path, headers)
        assert answer is not None, "there was no answer"
        return answer

    def answer_or_none(
        self,
        body: bytes | Iterable[dict[str, Any]] = b"",
        method: str = "POST",
        path: str = "/predict",
        headers: Iterable[tuple[bytes, bytes]] = JSON_HEADERS,
    ) -> Answer | None:
        """The answer, or None where the application sends nothing."""
        messages = [{"type": "http.request", "body": body}] if isinstance(body, bytes) else body
        scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
        sent = self.exchange(scope, messages)
        if not sent:
            return None
        start, content = sent
        named = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], named, content["body"])

    def exchange(
        self, scope: dict[str, Any], messages: Iterable[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Everything that the application sends."""
        waiting, sent = iter(messages), []

        async def receive() -> dict[str, Any]:
            return next(waiting)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        async def exchanged() -> None:
            await self._app(scope, receive, send)

        self._runner.run(exchanged())
        return sent


def body_of(content: Any) -> bytes:
    """JSON of a body."""
    return json.dumps(content).encode()


def metrics(ask: Asker) -> Metrics:
    """Sample name to label values to value, as a scrape sees them."""
    text = ask(method="GET", path="/metrics").body.decode()
    return {
        sample.name: {
            tuple(value for _, value in sorted(each.labels.items())): each.value
            for each in family.samples
            if each.name == sample.name
        }
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

"""The parts of the system and whether they are well, asked all at once."""

import json
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from parivision.errors import SettingsError

PATIENCE_S: Final = 2.0
PREDICTIONS: Final = "Predictions"
MLFLOW: Final = "MLflow"
PROMETHEUS: Final = "Prometheus"
VERDICT: Final = "Verdict"
"""Names that the page looks for, because it asks these parts for more than their health."""


@dataclass(frozen=True)
class SystemPart:
    """A part: what it is for, its address from here, what to ask there, and a link for people.

    `link` may be empty: many parts are reached by forwarding a port, which `about` then says.
    """

    name: str
    about: str
    url: str
    health: str = "/healthz"
    link: str = ""


@dataclass(frozen=True)
class Health:
    """What a part answered; `message` says plainly what is wrong."""

    part: SystemPart
    is_well: bool
    message: str


def of_service(service: str) -> list[SystemPart]:
    """What there is where nobody wrote a list: the prediction service."""
    return [SystemPart(PREDICTIONS, "answers what a shot is worth", service, "/readyz", "")]


def read(file: Path) -> list[SystemPart]:
    """The parts of a JSON list of `SystemPart` objects; raises SettingsError."""
    try:
        return [SystemPart(**entry) for entry in json.loads(file.read_text())]
    except (OSError, TypeError, ValueError) as error:
        raise SettingsError(
            f"{file} is no list of parts ({error}): expected "
            '[{"name": ..., "about": ..., "url": "http://..."}]'
        ) from error


def health_of(parts: Sequence[SystemPart]) -> list[Health]:
    """Ask every part at the same time; none is waited for longer than `PATIENCE_S`."""
    with (
        httpx.Client(timeout=PATIENCE_S, trust_env=False) as client,
        ThreadPoolExecutor(max(len(parts), 1)) as pool,
    ):
        return list(pool.map(lambda part: _health(client, part), parts))


def _health(client: httpx.Client, part: SystemPart) -> Health:
    began_s = time.monotonic()
    try:
        answer = client.get(part.url.rstrip("/") + part.health)
    except httpx.TimeoutException:
        return Health(part, is_well=False, message=f"no answer within {PATIENCE_S:.0f} seconds")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Health(part, is_well=False, message=f"nothing answers at {part.url} ({error})")
    if answer.is_error:
        words = " ".join(answer.text.split())[:120]
        return Health(part, is_well=False, message=f"it answers {answer.status_code}: {words}")
    took_ms = 1000 * (time.monotonic() - began_s)
    return Health(part, is_well=True, message=f"well, in {took_ms:.0f} ms")


def find(parts: Sequence[SystemPart], name: str) -> SystemPart | None:
    """The part of a name, if there is one."""
    return next((part for part in parts if part.name == name), None)

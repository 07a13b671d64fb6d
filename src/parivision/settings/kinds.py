"""Kinds of settings: how a text becomes a value, and what is said of one that cannot.

A check raises a ValueError with what follows the setting's name in the sentence that users see.
"""

import re
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator

from parivision.settings.addresses import is_login_without_scheme
from parivision.settings.logins import is_invisible
from parivision.settings.marker import Credential

# Python raises an error of its own for more than 4,300 digits. No bound here has more than ten.
_MOST_DIGITS: Final = 20
_HOST_NAME: Final = r"(\[[0-9a-f:.]+\]|[a-z0-9_-]+(\.[a-z0-9_-]+)*)"


def whole_number(low: int, high: int) -> BeforeValidator:
    """Parses a whole number within bounds."""

    def parse(text: str) -> int:
        is_number = text.isdecimal() and len(text) <= _MOST_DIGITS
        if not is_number or not low <= int(text) <= high:
            raise ValueError(f"is {text!r}: expected a whole number from {low} to {high}")
        return int(text)

    return BeforeValidator(parse)


def matching(pattern: str, expected: str) -> AfterValidator:
    """Checks that a text matches as a whole; `expected` tells users what does."""
    form = re.compile(pattern)

    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise ValueError(f"is {_shown(text)}: expected {expected}")
        return text

    return AfterValidator(check)


def listed(pattern: str, expected: str) -> BeforeValidator:
    """Parses texts with commas between, in lower case, each of which matches as a whole."""
    form = re.compile(pattern)

    def parse(text: str) -> tuple[str, ...]:
        items = [item.strip().lower() for item in text.split(",") if item.strip()]
        for item in items:
            if not form.fullmatch(item):
                raise ValueError(f"is {_shown(item)}: expected {expected}")
        return tuple(items)

    return BeforeValidator(parse)


def _shown(text: str) -> str:
    """A value in a message; what looks like a login is not shown."""
    return "a text with '@', which may hold a password" if "@" in text else repr(text)


def _folder(value: str | Path) -> Path:
    text = str(value)
    # Addresses are made of it, and are held to the same.
    if any(map(is_invisible, text)):
        raise ValueError(f"is {text!r}: expected a folder without characters that do not show")
    try:
        return Path(text).expanduser().resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"is {text!r}: expected a folder ({error})") from error


def _lake(text: str) -> str:
    if is_login_without_scheme(text):
        raise ValueError(
            "looks like user:password@host without a scheme: expected a folder, or "
            "mongodb://user:password@host/database"
        )
    return text


def _whole_path(text: str) -> str:
    # The service works in another folder than who starts it.
    if "://" not in text and not text.startswith("/"):
        raise ValueError(f"is {_shown(text)}: expected /a/whole/path or mongodb://...")
    return text


def _without_colon(text: str) -> str:
    if ":" in text:
        raise ValueError("has a colon, which ends a user's name: expected the name alone")
    return text


def _track(text: str) -> str:
    """The track, or that of a pod by its label `app.kubernetes.io/name`.

    Flagger copies the canary's pods to the primary and changes that label only: `shots` becomes
    `shots-primary`.
    """
    return {"shots": "canary", "shots-primary": "primary"}.get(text, text)


Folder = Annotated[Path, BeforeValidator(_folder)]
Address = Annotated[str, Credential("address")]
LakeAddress = Annotated[Address, AfterValidator(_lake)]
PredictionLogAddress = Annotated[Address, AfterValidator(_whole_path)]
RepositoryAddress = Annotated[
    Address,
    matching(r"https?://[^/@?#\s]+/[^@:?#\s]*[^@:?#\s/]", "http://HOST:PORT/REPOSITORY"),
]
Username = Annotated[str, Credential("username"), AfterValidator(_without_colon)]
Password = Annotated[str, Credential("password")]
# Sent in the head of a request.
HeadUsername = Annotated[str, Credential("username", in_head=True), AfterValidator(_without_colon)]
HeadPassword = Annotated[str, Credential("password", in_head=True)]
DeploymentName = Annotated[
    str,
    matching(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?/[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "NAMESPACE/NAME"),
]
Track = Annotated[
    str,
    BeforeValidator(_track),
    matching("primary|canary|shadow", "primary, canary or shadow, or a pod's name"),
]
Origins = Annotated[
    tuple[str, ...],
    listed(rf"\*|https?://{_HOST_NAME}(:\d{{1,5}})?", "https://host[:port], ..., or *"),
]
Hosts = Annotated[
    tuple[str, ...], listed(rf"\*|(\*\.)?{_HOST_NAME}", "host, *.domain, ..., without ports")
]

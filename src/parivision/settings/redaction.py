"""Takes credentials out of what people and logs are shown.

Messages of this project hold none. Those of libraries may: a driver quotes an address, a client the
head that it could not send, a server what it was sent. So all that a command or a stage says of a
failure passes here.
"""

import base64
import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote

from parivision import strict_json
from parivision.errors import PariVisionError, SettingsError
from parivision.settings.addresses import is_login_without_scheme
from parivision.settings.logins import given
from parivision.settings.marker import Credential

HIDDEN: Final = "(hidden)"
KFP: Final = ("KFP_EXISTING_TOKEN", "KFP_COOKIES")
"""Credentials that KFP's own client has names for."""
# Less would be found in words that have nothing to do with it.
_FEWEST: Final = 4
# A message may be cut, and with it what it quotes: so much of a long one is known again.
_HEAD: Final = 24


class Redactor:
    """Replaces secrets in texts, in the forms in which libraries show them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        forms = {form for secret in secrets for form in _forms(secret) if len(form) >= _FEWEST}
        # The longest first: of two with one beginning, the shorter would leave the other's end.
        patterns = [_pattern(form) for form in sorted(forms, key=len, reverse=True)]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    @classmethod
    def of(
        cls, environment: Mapping[str, str], credentials: Mapping[str, Credential]
    ) -> "Redactor":
        """Of all that an environment, or the files it names, keeps secret.

        `credentials` are the settings that may hold a secret, by name.
        """
        values = {name: _value(environment, name) for name in (*credentials, *KFP)}
        named: dict[str, list[str]] = {"address": [], "password": [], "username": []}
        for name, mark in credentials.items():
            named[mark.kind].append(values[name])
        secrets = named["password"] + [values[name] for name in KFP]
        secrets += [password for address in named["address"] for password in _passwords(address)]
        # Which user a password belongs to is not asked: a pair that nobody sends does no harm.
        for user, password in product(named["username"], filter(None, named["password"])):
            pair = f"{user.strip()}:{password.strip()}"
            secrets.append(base64.b64encode(pair.encode(errors="replace")).decode())
        return cls(secrets)

    def __call__(self, text: str) -> str:
        """The text without them."""
        return self._pattern.sub(HIDDEN, text) if self._pattern else text

    def traceback(self, error: BaseException) -> str:
        """The traceback as Python prints it, without them."""
        return self("".join(traceback.format_exception(error)))

    def cleared(self, error: Exception) -> Exception:
        """The error itself, or one that says the same where its traceback would show a secret."""
        shown = self.traceback(error)
        if shown == "".join(traceback.format_exception(error)):
            return error
        if isinstance(error, PariVisionError):
            return self._copy(error)
        return RuntimeError(f"what follows, without its secrets:\n{shown}")

    def _copy(self, error: PariVisionError) -> PariVisionError:
        """The same error with texts that are cleared, without its traceback and its cause."""
        # Not by its class: an error may be made of more than a message.
        copy = type(error).__new__(type(error), self(str(error)))
        for name, value in vars(error).items():
            setattr(copy, name, self._without(value))
        return copy

    def _without(self, value: object) -> object:
        if isinstance(value, str):
            return self(value)
        if isinstance(value, Mapping):
            return {key: self._without(item) for key, item in value.items()}
        return value

    @contextmanager
    def everywhere(self) -> Iterator[None]:
        """Clear what is logged, and what threads die of, as long as the block lasts."""
        if self._pattern is None:
            yield
            return
        make, on_thread = logging.getLogRecordFactory(), threading.excepthook

        def cleared(*args: Any, **options: Any) -> logging.LogRecord:
            return self._cleared_record(make(*args, **options))

        def tell(failed: threading.ExceptHookArgs) -> None:
            if failed.exc_value is not None and failed.exc_type is not SystemExit:
                sys.stderr.write(self.traceback(failed.exc_value))

        logging.setLogRecordFactory(cleared)
        threading.excepthook = tell
        try:
            yield
        finally:
            logging.setLogRecordFactory(make)
            threading.excepthook = on_thread

    def _cleared_record(self, record: logging.LogRecord) -> logging.LogRecord:
        try:
            said = record.getMessage()
        except (TypeError, ValueError):  # the handler says what is wrong with it
            return record
        if self(said) != said:
            record.msg, record.args = self(said), None
        if record.exc_info and record.exc_info[1] is not None:
            # What is there already is not formatted again.
            record.exc_text = self.traceback(record.exc_info[1]).rstrip("\n")
        return record


def _value(environment: Mapping[str, str], name: str) -> str:
    try:
        return given(environment, name) or ""
    except SettingsError:  # it is told where it is needed
        return ""


def _passwords(address: str) -> list[str]:
    """The password in an address, as it is written and as it is meant."""
    _, scheme, rest = address.rpartition("://")
    userinfo, at, _ = rest.rpartition("@")
    if not at or not (scheme or is_login_without_scheme(address)):
        return []
    password = userinfo.partition(":")[2]
    return [password, unquote(password)]


def _forms(secret: str) -> Iterator[str]:
    """A secret as texts show it; one of several lines, its lines too."""
    for text in {secret, secret.strip(), *secret.splitlines()}:
        raw = text.encode(errors="surrogateescape")
        yield text
        yield quote(text, errors="replace")
        yield quote(text, safe="", errors="replace")
        yield quote_plus(text, errors="replace")
        yield base64.b64encode(raw).decode().rstrip("=")
        yield base64.urlsafe_b64encode(raw).decode().rstrip("=")
        yield repr(text)[1:-1]
        yield repr(raw)[2:-1]
        yield strict_json.text(text)[1:-1]


def _pattern(form: str) -> str:
    if len(form) <= _HEAD:
        return re.escape(form)
    return re.escape(form[:_HEAD]) + r"[^\s'\"<>]*"

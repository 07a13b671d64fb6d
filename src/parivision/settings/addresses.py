"""Addresses of servers as settings hold them: with a scheme and a host, and a login apart."""

import re
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from parivision.errors import SettingsError
from parivision.settings.logins import Login, credential

_MLFLOW: Final = "MLFLOW_TRACKING_URI"
_EXPECTED: Final = "expected http://HOST:PORT, such as http://mlflow:5000, or sqlite:////FILE"
# What MLflow opens beside an HTTP server: databases, with or without a driver's name, and files.
_STORES: Final = re.compile(r"(sqlite|postgresql|mysql|mssql|oracle)(\+\w+)?://|file:/|/(?!/)")
_LOGIN_WITHOUT_SCHEME: Final = re.compile(r"[^/]*:[^/]*@.*", re.DOTALL)


def is_login_without_scheme(text: str) -> bool:
    """Whether a text looks like user:password@host, so that nobody takes it for a folder."""
    return "://" not in text and bool(_LOGIN_WITHOUT_SCHEME.fullmatch(text))


def http_address(name: str, text: str, expected: str) -> SplitResult:
    """The parts of an http(s) address; raises SettingsError, which does not show it."""
    try:
        parts = urlsplit(text)
        wrong = _what_is_wrong(text, parts)
    except ValueError:  # no port, or brackets that do not close
        wrong = "has no host and port that can be read"
    if wrong:
        raise SettingsError(f"{name} {wrong}: {expected}")
    return parts


def _what_is_wrong(text: str, parts: SplitResult) -> str:
    if parts.scheme not in ("http", "https") or not text[len(parts.scheme) :].startswith("://"):
        return "has no http:// or https:// in front"
    rest = parts.path + parts.query + parts.fragment
    if "@" in rest:
        return "has a user or password with / ? or #, which are written as %XX there"
    if parts.query or parts.fragment:
        return "has a ? or #, which belong to no server's address"
    if not text.isascii() or re.search(r"[\s\"<>\\^`{|}]", text):
        return "has a character that an address cannot have"
    if not parts.hostname or parts.port == 0:
        return "names no host"
    return ""


def mlflow_address(text: str, login: Login) -> tuple[str, Login]:
    """MLflow's address without a login, and the login: the given one, or else the address's.

    MLflow quotes its address in messages. Raises SettingsError for one without a scheme.
    """
    _check_login(login)
    if not text or _STORES.match(text):
        return text, login
    parts = http_address(_MLFLOW, text, _EXPECTED)
    userinfo, at, host = parts.netloc.rpartition("@")
    if not at:
        return text, login
    user, _, password = userinfo.partition(":")
    own = Login(unquote(user), unquote(password))
    for value in (own.name, own.password):
        credential(f"the login in {_MLFLOW}", value, in_head=True)
    _check_login(own)
    return parts._replace(netloc=host).geturl(), login if login.name else own


def _check_login(login: Login) -> None:
    if ":" in login.name:
        raise SettingsError(
            "MLFLOW_TRACKING_USERNAME has a colon, which ends a user's name: expected the name "
            "alone"
        )

"""Which settings are credentials: settings bear this mark, and the redactor is given its names."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Credential:
    """Marks a setting of which no message may show everything.

    An `address` may hold a password (user:password@host), a `password` (or token) is secret as a
    whole, a `username` only together with its password. With `in_head` the value is sent in the
    head of a request as it is, or by a client that knows no other letters.
    """

    kind: Literal["address", "password", "username"]
    in_head: bool = False

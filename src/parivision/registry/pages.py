"""Lists of MLflow's, which come in pages: to their end."""

from collections.abc import Callable, Iterator
from typing import Any

from parivision.errors import RegistryError


def paged(page: Callable[[str | None], Any]) -> Iterator[Any]:
    """What is on all pages of a list; `page` gets a token. Raises RegistryError on a circle."""
    token, seen = None, set()
    while True:
        entries = page(token)
        yield from entries
        token = entries.token
        if not token:
            return
        if token in seen:
            raise RegistryError("MLflow gives the same page of its list again and again")
        seen.add(token)

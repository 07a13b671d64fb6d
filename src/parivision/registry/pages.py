"""Lists of MLflow's, which come in pages and carry the next page's token: to their end."""

from collections.abc import Callable, Iterator
from typing import Any

from parivision.errors import RegistryError
from parivision.paging import all_pages


def paged(page: Callable[[str | None], Any]) -> Iterator[Any]:
    """What is on all pages of a list; `page` gets a token. Raises RegistryError on a circle."""

    def items_and_token(token: str | None) -> tuple[Any, str | None]:
        entries = page(token)
        return entries, entries.token

    return all_pages(items_and_token, "MLflow", RegistryError)

"""Lists that a server gives page by page: read to their end, and never for ever."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeVar

from parivision.errors import PariVisionError

T = TypeVar("T")

MOST_PAGES: Final = 10_000
"""A server that always has one more is broken; no list that is ours is as long."""


def all_pages(
    page: Callable[[str | None], tuple[Iterable[T], str | None]],
    where: str,
    error: type[PariVisionError],
) -> Iterator[T]:
    """The items of all pages; `page` gives those behind a token, and the next token or nothing.

    The first page is behind None. Raises `error` for a server that leads in a circle, or on and on;
    `where` names the server in it.
    """
    token: str | None = None
    seen: set[str] = set()
    for _ in range(MOST_PAGES):
        items, token = page(token)
        yield from items
        if not token:
            return
        if token in seen:
            raise error(f"{where} gives the same page of its list again and again")
        seen.add(token)
    raise error(f"{where} has more than {MOST_PAGES:,} pages: remove what is old there")

"""Lists that come in pages, as Kubeflow Pipelines gives them: to their end, and never for ever."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from parivision.errors import PipelineError

MOST_PAGES: Final = 10_000
"""A server that always has one more is broken; no list that is ours is as long."""


def all_pages(page: Callable[[str], tuple[list[Any], str]], where: str) -> Iterator[Any]:
    """The items of all pages; `page` gives those behind a token, and the next token or nothing.

    Raises PipelineError for a server that leads in a circle, or on and on.
    """
    token, seen = "", {""}
    for _ in range(MOST_PAGES):
        items, token = page(token)
        yield from items
        if not token:
            return
        if token in seen:
            raise PipelineError(f"{where} gives the same page of its list again and again")
        seen.add(token)
    raise PipelineError(f"{where} has more than {MOST_PAGES:,} pages: remove what is old there")

"""Lists in pages: all of their items, and an end also where the server knows none."""

import pytest

from parivision.errors import PipelineError, RegistryError
from parivision.paging import MOST_PAGES, all_pages
from parivision.registry.pages import paged


class Entries(list[int]):
    """A page as MLflow's client gives it: a list that carries the next page's token."""

    def __init__(self, items: list[int], token: str | None) -> None:
        super().__init__(items)
        self.token = token


def test_every_page_is_read_in_order():
    """The first page is behind no token, an empty page ends nothing, and the last has no token."""
    pages = {None: ([1, 2], "a"), "a": ([], "b"), "b": ([3], "")}
    assert list(all_pages(pages.__getitem__, "the server", PipelineError)) == [1, 2, 3]


def test_a_circle_is_told():
    """A token that comes a second time would lead round for ever."""
    pages = {None: ([1], "a"), "a": ([2], "b"), "b": ([3], "a")}
    with pytest.raises(PipelineError, match=r"the server gives the same page .* again and again"):
        list(all_pages(pages.__getitem__, "the server", PipelineError))


def test_a_list_without_an_end_is_told():
    """New tokens without end are no circle, and are left all the same."""

    def one_more(token: str | None) -> tuple[list[int], str]:
        return [], str(int(token or 0) + 1)

    with pytest.raises(PipelineError, match=f"it has more than {MOST_PAGES:,} pages"):
        list(all_pages(one_more, "it", PipelineError))


def test_mlflow_s_lists_are_read_to_their_end_too():
    """Its pages carry their tokens; a circle is an error of the registry."""
    pages = {None: Entries([1], "a"), "a": Entries([2], None)}
    assert list(paged(pages.__getitem__)) == [1, 2]
    with pytest.raises(RegistryError, match="MLflow gives the same page"):
        list(paged(lambda _: Entries([1], "a")))

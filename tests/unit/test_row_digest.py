"""Row digests: what they depend on and what they do not."""

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from parivision.shots.row_digest import row_digests
from scalars import number

TABLE = pl.DataFrame({"game": ["1", "1", "2", None], "place": ["", "x", "", "ñ"]})

GOLDEN = [5793225924697389728, 9002384817403162400, 1952368203123495160, 2410552615696277956]


def test_digests_are_the_same_for_ever() -> None:
    """Stored event numbers stay right: these digests must never change."""
    assert row_digests(TABLE, TABLE.columns).to_list() == GOLDEN


def test_order_of_columns_and_rows_does_not_matter() -> None:
    """A file with its columns or rows in another order has the same records."""
    turned = TABLE.reverse().select("place", "game")
    assert row_digests(turned, turned.columns).to_list() == GOLDEN[::-1]


def test_missing_and_empty_cells_are_the_same() -> None:
    """A reader's way of telling empty cells does not make new records."""
    assert (
        row_digests(TABLE.fill_null(""), TABLE.columns).to_list()
        == row_digests(TABLE, TABLE.columns).to_list()
    )


def test_cells_that_change_places_change_the_digest() -> None:
    """The same text in another column is another record."""
    swapped = pl.DataFrame({"game": ["x"], "place": ["1"]})
    assert row_digests(swapped, swapped.columns)[0] != GOLDEN[1]


def test_no_rows_give_no_digests() -> None:
    """An empty table is no special case for callers."""
    assert row_digests(TABLE.clear(), TABLE.columns).to_list() == []


def test_a_large_table_has_no_two_equal_digests() -> None:
    """Digests spread over 63 bits and are never negative."""
    numbers = pl.int_range(60_000, eager=True).cast(pl.String)
    table = pl.DataFrame({"a": numbers, "b": numbers.reverse()})
    digests = row_digests(table, table.columns)
    assert digests.n_unique() == table.height
    assert number(digests.min()) >= 0
    assert number(digests.max()) > 2**62


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=20))
def test_equal_rows_and_no_others_have_equal_digests(rows: list[tuple[str, str]]) -> None:
    """Whatever text the cells hold, a digest stands for a row's content."""
    table = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")
    digests = row_digests(table, table.columns).to_list()
    assert len(set(digests)) == len(set(rows))
    assert dict(zip(rows, digests, strict=True)) == dict(
        zip(reversed(rows), reversed(digests), strict=True)
    )

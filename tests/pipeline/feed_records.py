"""Records as the stats API answers with them."""

from typing import Any


def keys(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """Game and event number of records."""
    return [(row["Game ID"], row["Game Event ID"]) for row in rows]

"""Statistics of a column, which Polars gives as any literal or None, as what they must be."""

from datetime import date


def number(value: object) -> float:
    """The value, which must be there and be a number."""
    assert isinstance(value, int | float), f"{value!r} is no number"
    return value


def day(value: object) -> date:
    """The value, which must be there and be a date."""
    assert isinstance(value, date), f"{value!r} is no date"
    return value

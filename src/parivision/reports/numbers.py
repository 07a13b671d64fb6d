"""Numbers as people read them: a dash where there is none."""

from typing import Final

NO_VALUE: Final = "\N{EN DASH}"


def number(value: object, spec: str = "") -> str:
    """The value in a format such as ".1%"; a dash for one that is missing or not a number."""
    if value is None or value != value:  # noqa: PLR0124 (NaN of any type)
        return NO_VALUE
    return format(value, spec)

"""The one Jinja environment of all pages: every value that comes in is escaped."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


@cache
def environment() -> Environment:
    """The environment; made at the first page, since an import opens no file.

    Autoescape is on for every template, whatever its name ends in. A name that a template uses and
    nobody gave is an error, not an empty text.
    """
    return Environment(
        loader=PackageLoader("parivision.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def render(template: str, **values: Any) -> str:
    """The text of a template in `parivision/reports/templates` with these values."""
    return environment().get_template(template).render(values)

"""The picture and the table of the library's packages are those of the code."""

import runpy

import pytest

import docs_pages

PACKAGES = runpy.run_path(str(docs_pages.ROOT / "docs" / "packages.py"))


@pytest.fixture(scope="module")
def today():
    """The layers, and which package imports which."""
    return PACKAGES["layers"](), PACKAGES["imports"]()


def test_the_picture_is_that_of_the_code(today):
    """Whoever moves a package sees it in docs: `make architecture`."""
    rows, ways = today
    drawn = PACKAGES["picture"](rows, PACKAGES["reduced"](ways))
    assert PACKAGES["PICTURE"].read_text() == drawn, "run `make architecture`"


def test_the_table_is_that_of_the_code(today):
    """The same of the table in architecture.md."""
    page = PACKAGES["PAGE"].read_text()
    assert PACKAGES["page_with"](page, *today) == page, "run `make architecture`"


def test_the_top_of_the_library_stays_small():
    """At most 26 packages and five modules: a new thing goes where its like is."""
    entries = [*(docs_pages.ROOT / "src" / "parivision").iterdir()]
    packages = [path for path in entries if (path / "__init__.py").is_file()]
    modules = [path for path in entries if path.suffix == ".py" and path.stem != "__init__"]
    assert len(packages) <= 26
    assert len(modules) <= 5


def test_an_arrow_is_an_import_that_no_longer_way_explains():
    """What is reached through another package gets no arrow of its own."""
    ways = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert PACKAGES["reduced"](ways) == {"a": {"b"}, "b": {"c"}, "c": set()}

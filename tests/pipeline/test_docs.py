"""The documentation does what it says, and links to what is there."""

import os
import re
import sys
from pathlib import Path

import pytest

import docs_pages
from parivision.features import kernel
from parivision.shots import schema

PAGES = sorted(
    path
    for path in (*docs_pages.ROOT.glob("docs/**/*.md"), *docs_pages.ROOT.glob("*.md"))
    if path.name != "CHANGELOG.md"
)
# Those that a cluster test runs.
IN_CLUSTER = {"kind.md", "cluster.md"}
ON_ONE_MACHINE = [
    page
    for page in PAGES
    if page.name not in IN_CLUSTER and any(block.is_run for block in docs_pages.blocks(page))
]
_LINK = re.compile(r"\]\(([^)#\s]+)?(#[^)\s]+)?\)")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", ON_ONE_MACHINE, ids=lambda page: page.name)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    """Its commands end well and print what it shows."""
    # A reader has no settings yet.
    others = ("PARIVISION", "COV", "MLFLOW")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(others)}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment["OMP_WAIT_POLICY"] = "PASSIVE"
    docs_pages.run(page, tmp_path, environment, timeout_s=800)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """To a file of the checkout, and to a heading in it."""
    for file, heading in _LINK.findall(page.read_text()):
        if "://" in file:
            continue
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{page.name} links to {file}"
        if heading:
            assert heading[1:] in _headings(target), f"{page.name} links to {file}{heading}"


def _headings(page: Path) -> set[str]:
    lines = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line).strip().lower().replace(" ", "-") for line in lines}


def test_every_column_and_feature_is_explained() -> None:
    """The data dictionary has a row for each."""
    dictionary = (docs_pages.ROOT / "docs" / "data.md").read_text()
    for name in (*schema.NAMES, *kernel.FULL):
        assert f"| `{name}` |" in dictionary, name


@pytest.mark.parametrize(
    ("expected", "output", "missing"),
    [
        ("a ... c\nd", "x a b c\ny d", None),
        ("d\na", "a\nd", "a"),
        ("a...b", "a\nb", "a...b"),
        ("1 (+)", "1 (+)", None),
    ],
)
def test_what_a_page_shows_is_looked_for(expected: str, output: str, missing: str | None) -> None:
    """Line by line, in order, with dots for anything within a line."""
    assert docs_pages.first_missing(expected, output) == missing

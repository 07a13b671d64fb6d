"""The blocks that a page of the project is made of; `templates/` turns them into HTML.

A page is a title, what to see first, and sections; a section holds texts, tables and figures. The
page is a single file that fetches nothing. It follows the reader's light or dark setting and reads
on a phone. Templates escape everything that comes in; figures are SVG text, as
`parivision.reports.plots.figure_svg` returns it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import polars as pl

from parivision.reports import palette
from parivision.reports.numbers import number
from parivision.reports.rendering import render


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text; `is_reading` marks what a figure or table shows."""

    kind: ClassVar = "text"

    text: str
    is_reading: bool = False


@dataclass(frozen=True)
class Table:
    """A table of a frame's rows, in a box that scrolls sideways when the screen is narrow.

    `columns` maps a column's name to its heading, and chooses and orders the columns; `formats`
    maps names to format strings such as ".1%" (numbers without one are shown as they are). Values
    that are missing or not a number become a dash. The rows in `marked` are set in bold.
    """

    kind: ClassVar = "table"

    frame: pl.DataFrame
    columns: Mapping[str, str]
    formats: Mapping[str, str] = field(default_factory=dict)
    caption: str = ""
    marked: frozenset[int] = frozenset()

    def headings(self) -> list[tuple[str, str]]:
        """Each column's heading and its CSS class: "n" for numbers, "t" for text."""
        return list(zip(self.columns.values(), self._classes(), strict=True))

    def rows(self) -> Iterator[list[tuple[str, str]]]:
        """Row by row, each cell's text and its CSS class."""
        formats = [self.formats.get(name, "") for name in self.columns]
        classes = self._classes()
        for values in self.frame.select(list(self.columns)).iter_rows():
            cells = map(number, values, formats)
            yield list(zip(cells, classes, strict=True))

    def _classes(self) -> list[str]:
        return ["n" if self.frame.schema[name].is_numeric() else "t" for name in self.columns]


@dataclass(frozen=True)
class Picture:
    """A figure as SVG text, what it shows in words for those who cannot see it, and its reading."""

    kind: ClassVar = "picture"

    svg: str
    alt: str
    caption: str = ""

    def inlined(self) -> str:
        """The figure as an element of a page, see `inline_svg`."""
        return inline_svg(self.svg)


@dataclass(frozen=True)
class Row:
    """Blocks side by side where there is room, one below the other on a phone."""

    kind: ClassVar = "row"

    blocks: Sequence["Block"]


@dataclass(frozen=True)
class KeyFigures:
    """The few numbers to see first, as tiles: label to value, both as they are to be read."""

    kind: ClassVar = "tiles"

    values: Mapping[str, str]


Block = Text | Table | Picture | Row | KeyFigures


@dataclass(frozen=True)
class Section:
    """A titled part of a page."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The section's name in links."""
        return re.sub(r"[^a-z0-9]+", "-", self.title.lower()).strip("-") or "section"


def page(title: str, lead: Sequence[Block], sections: Sequence[Section]) -> str:
    """The whole page: title, what to see first, links to the sections, the sections."""
    return render(
        "report.html.j2", title=title, lead=lead, sections=sections, colours=palette.COLOURS
    )


def write_page(path: Path, title: str, lead: Sequence[Block], sections: Sequence[Section]) -> Path:
    """Write the page in one move, so that nobody reads half of one; returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.part")
    half.write_text(page(title, lead, sections), encoding="utf-8")
    return half.replace(path)


def inline_svg(svg: str) -> str:
    """An SVG document as an element of a page: no prologue, the page's colours and width.

    Ids of groups go, because several figures of a page would share them; nothing refers to them.
    ValueError if the text holds no SVG element.
    """
    start = svg.find("<svg")
    if start < 0:
        raise ValueError("expected the text of an SVG document, got none. Pass figure_svg(figure).")
    body = re.sub(r"<metadata>.*?</metadata>", "", svg[start:], flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    for colour in palette.COLOURS:
        body = body.replace(colour.light, f"var(--{colour.name})")
    # A fixed size in points gives way to the page's width, up to half as much again.
    body = re.sub(r'(<svg[^>]*?) height="[\d.]+pt"', r"\1", body, count=1)
    return re.sub(
        r'<svg([^>]*?) width="([\d.]+)pt"([^>]*?)>',
        lambda m: f'<svg{m[1]} style="max-width: {float(m[2]) * 1.5:.0f}px"{m[3]}>',
        body,
        count=1,
    )

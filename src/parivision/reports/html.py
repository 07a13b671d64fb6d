"""One HTML page for all of the project's own reports: a single file that fetches nothing.

A page is a title, key figures and sections; a section holds texts, tables and figures. It follows
the reader's light or dark setting and reads on a phone. Everything that comes in is escaped, and
figures are the SVG text that `parivision.reports.plots.figure_svg` returns.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Final

import polars as pl

from parivision.reports import palette
from parivision.reports.numbers import number


@dataclass(frozen=True)
class Text:
    """A paragraph of plain text; `is_reading` marks what a figure or table shows."""

    text: str
    is_reading: bool = False

    def html(self) -> str:
        """The paragraph."""
        kind = ' class="reading"' if self.is_reading else ""
        return f"<p{kind}>{escape(self.text)}</p>"


@dataclass(frozen=True)
class Table:
    """A table of a frame's rows.

    `columns` maps a column's name to its heading, and chooses and orders the columns; `formats`
    maps names to format strings such as ".1%" (numbers without one are shown as they are). Values
    that are missing or not a number become a dash. The rows in `marked` are set in bold.
    """

    frame: pl.DataFrame
    columns: Mapping[str, str]
    formats: Mapping[str, str] = field(default_factory=dict)
    caption: str = ""
    marked: frozenset[int] = frozenset()

    def html(self) -> str:
        """The table in a box that scrolls sideways when the screen is narrow."""
        names = list(self.columns)
        is_number = [self.frame.schema[name].is_numeric() for name in names]
        kinds = ["n" if number else "t" for number in is_number]
        head = "".join(
            f'<th scope="col" class="{kind}">{escape(self.columns[name])}</th>'
            for name, kind in zip(names, kinds, strict=True)
        )
        body = "".join(
            self._row(i, row, kinds) for i, row in enumerate(self.frame.select(names).iter_rows())
        )
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        return (
            f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )

    def _row(self, index: int, values: Sequence[object], kinds: Sequence[str]) -> str:
        cells = "".join(
            f'<td class="{kind}">{escape(self._cell(name, value))}</td>'
            for name, kind, value in zip(self.columns, kinds, values, strict=True)
        )
        return f'<tr class="marked">{cells}</tr>' if index in self.marked else f"<tr>{cells}</tr>"

    def _cell(self, name: str, value: object) -> str:
        return number(value, self.formats.get(name, ""))


@dataclass(frozen=True)
class Picture:
    """A figure as SVG text, what it shows in words for those who cannot see it, and its reading."""

    svg: str
    alt: str
    caption: str = ""

    def html(self) -> str:
        """The figure, inlined and in the page's colours."""
        caption = f"<figcaption>{escape(self.caption)}</figcaption>" if self.caption else ""
        return (
            f'<figure><div role="img" aria-label="{escape(self.alt)}">{inline_svg(self.svg)}</div>'
            f"{caption}</figure>"
        )


@dataclass(frozen=True)
class Row:
    """Blocks side by side where there is room, one below the other on a phone."""

    blocks: Sequence["Block"]

    def html(self) -> str:
        """The blocks in a grid."""
        return f'<div class="row">{"".join(f"<div>{b.html()}</div>" for b in self.blocks)}</div>'


@dataclass(frozen=True)
class KeyFigures:
    """The few numbers to see first: label to value, both as they are to be read."""

    values: Mapping[str, str]

    def html(self) -> str:
        """The numbers as a row of tiles."""
        tiles = "".join(
            f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"
            for label, value in self.values.items()
        )
        return f'<dl class="key">{tiles}</dl>'


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

    def html(self) -> str:
        """The section with its heading."""
        body = "\n".join(block.html() for block in self.blocks)
        return f'<section id="{self.anchor}">\n<h2>{escape(self.title)}</h2>\n{body}\n</section>'


def page(title: str, lead: Sequence[Block], sections: Sequence[Section]) -> str:
    """The whole page: title, what to see first, links to the sections, the sections."""
    links = "".join(f'<a href="#{s.anchor}">{escape(s.title)}</a>' for s in sections)
    body = "\n".join(part.html() for part in sections)
    return _PAGE.format(
        title=escape(title),
        style=_style(),
        lead="\n".join(block.html() for block in lead),
        nav=f"<nav>{links}</nav>" if len(sections) > 2 else "",
        body=body,
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
    """
    start = svg.find("<svg")
    if start < 0:
        raise ValueError("expected the text of an SVG document, got none. Pass figure_svg(figure).")
    body = re.sub(r"<metadata>.*?</metadata>", "", svg[start:], flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    for colour in palette.COLOURS:
        body = body.replace(colour.light, f"var(--{colour.name})")
    return re.sub(
        r'<svg([^>]*?) width="([\d.]+)pt"([^>]*?)>',
        lambda m: f'<svg{m[1]} style="max-width: {float(m[2]) * 1.5:.0f}px"{m[3]}>',
        re.sub(r'(<svg[^>]*?) height="[\d.]+pt"', r"\1", body, count=1),
        count=1,
    )


def _style() -> str:
    light, dark = palette.css_variables(is_dark=False), palette.css_variables(is_dark=True)
    return (
        f":root {{ color-scheme: light dark; {light} --paper: #f4f6f8; --card: #ffffff; }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} --paper: #12171d;"
        f" --card: #1b222a; }} }}\n{_RULES}"
    )


_RULES: Final = """\
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 1.25rem 1rem 3rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 1rem; }
h2 { font-size: 1.2rem; margin: 0 0 .6rem; }
p { margin: .4rem 0; max-width: 75ch; }
.reading { border-left: 3px solid var(--blue); padding-left: .7rem; }
nav { display: flex; flex-wrap: wrap; gap: .3rem 1rem; margin: 1rem 0; font-size: .92rem; }
a { color: var(--blue); }
section { background: var(--card); border: 1px solid var(--grid); border-radius: 10px;
  padding: 1rem 1.1rem; margin: 1rem 0; scroll-margin-top: 1rem; }
.key { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .6rem;
  margin: 1rem 0; }
.key div { background: var(--card); border: 1px solid var(--grid); border-radius: 10px;
  padding: .55rem .8rem; }
.key dt { color: var(--muted); font-size: .82rem; }
.key dd { margin: 0; font-size: 1.2rem; white-space: nowrap; font-weight: 600;
  font-variant-numeric: tabular-nums; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25rem), 1fr));
  gap: .8rem 1.6rem; align-items: start; }
.row > div { min-width: 0; }
figure { margin: .7rem 0 .3rem; }
figure svg { display: block; width: 100%; height: auto; margin: 0 auto; }
figure svg text { font-family: inherit !important; }
figcaption { color: var(--muted); font-size: .88rem; margin-top: .3rem; }
.scroll { overflow-x: auto; margin: .7rem 0; }
table { border-collapse: collapse; font-size: .88rem; min-width: 50%; }
caption { max-width: calc(100vw - 3rem); text-align: left;
  color: var(--muted); font-size: .88rem; padding-bottom: .3rem; }
th, td { padding: .28rem .55rem; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th { color: var(--muted); font-weight: 600; vertical-align: bottom; white-space: normal; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
.t { text-align: left; }
th:first-child, td:first-child { padding-left: 0; }
.marked td { font-weight: 700; }
@media (max-width: 480px) { .t { white-space: normal; min-width: 6.5rem; }
  main { padding: .6rem .55rem 2rem; } section { padding: .8rem .7rem; }
  h1 { font-size: 1.4rem; } .key dd { font-size: 1.1rem; } }
@media print { body { background: none; } section { break-inside: avoid; } nav { display: none; } }
"""

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{lead}
{nav}
{body}
</main>
</body>
</html>
"""

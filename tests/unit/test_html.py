"""The blocks and templates of all pages."""

import re
from html.parser import HTMLParser

import jinja2
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from parivision.models.families import MODELS
from parivision.promotion.decision import BLENDED, CHAMPION, RECALIBRATED
from parivision.reports import html, palette, plots
from parivision.reports.numbers import NO_VALUE
from parivision.reports.rendering import environment

pytestmark = pytest.mark.unit

VOID = {"meta", "br", "image", "path", "use", "rect"}


class Balanced(HTMLParser):
    """Collects text and fails on a tag closed out of turn."""

    def __init__(self):
        """Start with nothing open."""
        super().__init__()
        self.open, self.text, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        """Note what is opened and linked."""
        self.links += [value for name, value in attrs if name in {"src", "href", "xlink:href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        """Close the innermost tag."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        """Keep the words."""
        self.text.append(data)


def parse(page):
    """The page read by a parser, or an assertion error if its tags do not nest."""
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


@pytest.fixture(scope="module")
def svg():
    """A small figure as SVG."""
    return plots.figure_svg(plots.bars_plot(["a", "b"], [0.2, 0.4]))


@given(st.text(), st.text(), st.text())
@example("<script>", '"><img src=x onerror=y>', "</td><b>")
@settings(max_examples=50)
def test_whatever_comes_in_is_text(title, cell, heading):
    """Titles, cells and headings are escaped: no input becomes markup."""
    frame = pl.DataFrame({"name": [cell]})
    table = html.Table(frame, {"name": heading}, caption=title)
    page = html.page(title, [html.KeyFigures({heading: cell})], [html.Section(title, [table])])
    assert "<script" not in page.lower()
    assert set(re.findall(r"<(\w+)", page)) <= {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "dl", "div", "dt", "dd",
        "section", "h2", "table", "caption", "thead", "tr", "th", "tbody", "td", "wbr",
    }  # fmt: skip


@pytest.mark.parametrize("screen_px", [390, 1280])
def test_a_tile_holds_every_models_name(screen_px):
    """On a phone and on a desktop a name breaks behind an underscore only, and nothing sticks out.

    Widths follow from the style sheet; a letter in bold is taken for 0.6 of the type's size.
    """
    names = [*MODELS, CHAMPION, RECALIBRATED, BLENDED]
    tiles = {"best new model": "", "champion": "", **dict.fromkeys(map(str, range(5)), "")}
    for name in names:
        page = html.page("t", [html.KeyFigures({**tiles, "best new model": name})], [])
        (shown,) = re.findall(r"<dt>best new model</dt><dd>(.*?)</dd>", page)
        assert shown.replace("<wbr>", "") == name
        longest = max(map(len, shown.split("<wbr>")))
        assert longest * 0.6 * _type_px(page, screen_px) <= _tile_px(page, screen_px, len(tiles))


def _type_px(page, screen_px):
    wide, phone = (
        float(size) for size in re.findall(r"\.key dd \{[^}]*?font-size: ([\d.]+)rem", page)
    )
    return 16 * (phone if screen_px <= 480 else wide)


def _tile_px(page, screen_px, tiles):
    """What a tile of the grid has for its words."""
    grid = re.findall(r"minmax\(([\d.]+)rem, 1fr\)\); gap: ([\d.]+)rem", page)
    least, gap = map(float, grid[0])
    margins = re.findall(r"main \{[^}]*?padding: [\d.]+rem ([\d.]+)rem", page)
    margin, padding = float(margins[screen_px <= 480]), 0.8
    width = min(screen_px / 16, 1120 / 16) - 2 * margin
    columns = min(int((width + gap) / (least + gap)), tiles)
    return 16 * ((width - (columns - 1) * gap) / columns - 2 * padding) - 2


def test_page_nests_and_fetches_nothing(svg):
    """A full page is well nested and links only to its own parts."""
    picture = html.Picture(svg, "two bars", "A caption")
    table = html.Table(pl.DataFrame({"n": [1]}), {"n": "shots"})
    sections = [
        html.Section("First part", [html.Text("Words", is_reading=True), picture]),
        html.Section("Second part", [html.Row([picture, table])]),
        html.Section("& <third>", [table]),
    ]
    page = html.page("Title", [], sections)
    parsed = parse(page)
    assert all(link.startswith(("#", "data:")) for link in parsed.links)
    assert {"#first-part", "#second-part", "#third"} <= set(parsed.links)
    assert "A caption" in parsed.text
    assert 'aria-label="two bars"' in page
    assert "default-src 'none'" in page


def test_few_sections_need_no_links():
    """A page of two sections has no navigation."""
    assert "<nav>" not in html.page("t", [], [html.Section("a", []), html.Section("b", [])])


def test_table_formats_numbers_and_dashes_what_is_missing():
    """Numbers follow their formats; None and NaN become a dash; marked rows stand out."""
    frame = pl.DataFrame({"rate": [0.1234, None, float("nan")], "name": ["a", None, "c"]})
    table = html.Table(
        frame, {"name": "who", "rate": "made"}, {"rate": ".1%"}, marked=frozenset({0})
    )
    out = html.page("t", [table], [])
    cells = re.findall(r"<td[^>]*>(.*?)</td>", out)
    assert cells == ["a", "12.3%", NO_VALUE, NO_VALUE, "c", NO_VALUE]
    assert out.count('<tr class="marked">') == 1
    assert out.index("who") < out.index("made")


def test_figures_take_the_colours_of_the_page(svg):
    """Every colour of the palette in an inlined figure follows the theme; ids are not shared."""
    inline = html.inline_svg(svg)
    assert palette.BLUE in svg
    assert not any(colour.light in inline for colour in palette.COLOURS)
    assert "var(--blue)" in inline
    assert '<g id="' not in inline
    assert inline.startswith("<svg")
    assert 'height="' not in inline[: inline.index(">")]


def test_every_template_escapes_and_asks_for_all_its_values():
    """Markup that comes in is text in a template of any ending; a missing value is an error."""
    templates = environment()
    assert {"report.html.j2", "style.css.j2", "bars.svg.j2"} <= set(templates.list_templates())
    for name in templates.list_templates():
        templates.get_template(name)
    assert templates.from_string("{{ x }}").render(x="<b>") == "&lt;b&gt;"
    with pytest.raises(jinja2.UndefinedError, match="title"):
        templates.get_template("report.html.j2").render(lead=[], sections=[], colours=[])


def test_inlining_something_else_is_an_error():
    """Text without an SVG element is refused."""
    with pytest.raises(ValueError, match="expected the text of an SVG document"):
        html.inline_svg("<p>no picture</p>")


def test_page_is_written_whole(tmp_path):
    """The page lands in its folder, which is made, and leaves nothing else behind."""
    path = html.write_page(tmp_path / "new" / "r.html", "Title", [], [])
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert [p.name for p in path.parent.iterdir()] == ["r.html"]
    html.write_page(path, "Other", [], [])
    assert "Other" in path.read_text(encoding="utf-8")


def luminance(colour):
    """Relative luminance of a hex colour (WCAG)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", ["ink", "muted"])
def test_text_can_be_read_in_both_themes(name):
    """Text colours keep a contrast of 4.5 or more against their cards, by day and night."""
    colour = next(c for c in palette.COLOURS if c.name == name)
    for text, card in ((colour.light, "#ffffff"), (colour.dark, "#1b222a")):
        high, low = sorted([luminance(text), luminance(card)], reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5

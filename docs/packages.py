"""Draws the packages of the library from its imports: the picture and the table of architecture.md.

    make architecture     rewrites docs/packages.svg and the table in docs/architecture.md

Rows are the layers of pyproject.toml. An arrow is an import that no longer way explains: if `cli`
imports `stages` and `stages` imports `lake`, no arrow runs from `cli` to `lake`. Arrows to the four
lowest rows, which most import, are in the table only.
"""

import ast
import tomllib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from textwrap import wrap
from typing import Final

import grimp

ROOT: Final = Path(__file__).parents[1]
LIBRARY: Final = "parivision"
PICTURE: Final = ROOT / "docs" / "packages.svg"
PAGE: Final = ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- packages -->\n", "<!-- end of packages -->\n"

Imports = Mapping[str, frozenset[str]]

_WIDTH, _BOX, _ROW, _LINE = 1240, 176, 118, 15
_STYLE: Final = (
    "text{font-family:Helvetica,Arial,sans-serif;fill:#1d2733}.name{font-size:15px;font-weight:700}"
    ".what{font-size:11px}.box{fill:#eef3f8;stroke:#5b7a99}.way{fill:none;stroke:#9db2c7}"
)


def layers() -> list[list[str]]:
    """The packages by layer, from the top down, as the contract in pyproject.toml names them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contract = next(each for each in settings["contracts"] if each["id"] == "layers")
    return [[name.strip() for name in row.split("|")] for row in contract["layers"]]


def imports() -> Imports:
    """The packages that each package imports, whole packages only."""
    graph = grimp.build_graph(LIBRARY)
    names = [name for row in layers() for name in row]
    modules = [f"{LIBRARY}.{name}" for name in names]
    for module in modules:
        if graph.find_children(module):
            graph.squash_module(module)
    return {
        name: frozenset(
            target.removeprefix(f"{LIBRARY}.")
            for target in graph.find_modules_directly_imported_by(module)
            if target in modules and target != module
        )
        for name, module in zip(names, modules, strict=True)
    }


def reduced(ways: Imports) -> Imports:
    """The imports without those that a longer way explains."""

    def reached(name: str) -> set[str]:
        return set(ways[name]).union(*(reached(target) for target in ways[name]))

    return {
        name: frozenset(
            target
            for target in targets
            if not any(target in reached(other) for other in targets - {target})
        )
        for name, targets in ways.items()
    }


def purpose(name: str) -> str:
    """The first sentence of a package's docstring."""
    place = ROOT / "src" / LIBRARY / name
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]


def picture(rows: Sequence[Sequence[str]], ways: Imports) -> str:
    """The packages in their layers, as SVG."""
    middle = {}
    for down, row in enumerate(rows):
        gap = _WIDTH / len(row)
        for right, name in enumerate(row):
            middle[name] = (gap * (right + 0.5), 20 + down * _ROW)
    height = 20 + len(rows) * _ROW
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="Packages of the library in layers"><style>{_STYLE}</style>'
    )
    base = {name for row in rows[-4:] for name in row}
    arrows = [
        _arrow(middle[name], middle[target])
        for name in ways
        for target in sorted(ways[name] - base)
    ]
    boxes = [_box(name, *place) for name, place in middle.items()]
    return "\n".join([head, *arrows, *boxes, "</svg>"]) + "\n"


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    (left, top), (right, bottom) = start, end
    return (
        f'<path class="way" d="M{left:.0f},{top + 74:.0f} '
        f'C{left:.0f},{top + 105:.0f} {right:.0f},{bottom - 30:.0f} {right:.0f},{bottom:.0f}"/>'
    )


def _box(name: str, middle: float, top: float) -> str:
    lines = wrap(purpose(name), 27, max_lines=3, placeholder=" ...")
    text = "".join(
        f'<text class="what" x="{middle:.0f}" y="{top + 36 + number * _LINE:.0f}" '
        f'text-anchor="middle">{escape(line)}</text>'
        for number, line in enumerate(lines)
    )
    return (
        f'<rect class="box" x="{middle - _BOX / 2:.0f}" y="{top:.0f}" width="{_BOX}" height="74" '
        f'rx="6"/><text class="name" x="{middle:.0f}" y="{top + 19:.0f}" text-anchor="middle">'
        f"{name}</text>{text}"
    )


def table(rows: Sequence[Sequence[str]], ways: Imports) -> str:
    """The packages by layer, what they hold and what they import, in Markdown."""
    lines = ["| layer | package | holds | imports |", "|---|---|---|---|"]
    for number, row in enumerate(reversed(rows)):
        lines += [
            f"| {number} | `{name}` | {purpose(name)} | {', '.join(sorted(ways[name])) or '-'} |"
            for name in row
        ]
    return "\n".join(lines) + "\n"


def page_with(text: str, rows: Sequence[Sequence[str]], ways: Imports) -> str:
    """The page with the table of today."""
    before, rest = text.split(BEGIN)
    return before + BEGIN + "\n" + table(rows, ways) + "\n" + END + rest.split(END)[1]


def main() -> None:
    """Rewrite the picture and the table."""
    rows, ways = layers(), imports()
    PICTURE.write_text(picture(rows, reduced(ways)))
    PAGE.write_text(page_with(PAGE.read_text(), rows, ways))


if __name__ == "__main__":
    main()

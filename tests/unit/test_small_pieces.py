"""The library's pieces are as small as CONTRIBUTING.md asks for."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LIBRARY: Final = Path(__file__).parents[2] / "src"
LONGEST_FUNCTION: Final = 45
LONGEST_FILE: Final = 350


def too_long(path: Path) -> Iterator[str]:
    """A file and its functions, where they have too many lines; docstrings count."""
    text, name = path.read_text(encoding="utf-8"), path.relative_to(LIBRARY)
    size = len(text.splitlines())
    if size > LONGEST_FILE:
        yield f"{name} has {size} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno + 1
            if size > LONGEST_FUNCTION:
                yield f"{name}: {node.name} has {size} lines"


def test_functions_and_files_are_short() -> None:
    """What is too long gives a step of it a name, or a part of it a module."""
    paths = sorted(LIBRARY.rglob("*.py"))
    assert len(paths) > 100
    assert [problem for path in paths for problem in too_long(path)] == []

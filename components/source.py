"""Components whose source depends on a table of the library.

KFP takes a component's inputs from the function's signature, and copies the function's source text
into the compiled pipeline. Its executor reads the signature of that copy. So an input for each
trained model must stand in the source, and a loop or `**models` would not do.
"""

import inspect
import itertools
import linecache
import textwrap
from collections.abc import Callable, Mapping
from typing import TypeVar

F = TypeVar("F", bound=Callable[..., object])


def rewritten(changes: Mapping[str, str]) -> Callable[[F], F]:
    """A decorator: replaces pieces of the function's source, each of which must occur once in it.

    It stands below `dsl.component`. Raises ValueError for a piece that does not occur once.
    """

    def rewrite(function: F) -> F:
        source = _definition(function)
        for old, new in changes.items():
            if source.count(old) != 1:
                raise ValueError(f"{function.__name__}: expected {old!r} once in its source")
            source = source.replace(old, new)
        return _compiled(source, function)

    return rewrite


def _definition(function: Callable[..., object]) -> str:
    """The function's source without its decorators."""
    lines = textwrap.dedent(inspect.getsource(function)).splitlines(keepends=True)
    return "".join(itertools.dropwhile(lambda line: not line.startswith("def "), lines))


def _compiled(source: str, original: F) -> F:
    """A function from source, in the place of another one of the same name."""
    path = f"<{original.__module__}.{original.__name__}, rewritten>"
    # `inspect.getsource` finds there what is in no file. Without a time of change (None) the entry
    # stays.
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
    names = {**original.__globals__}
    exec(compile(source, path, "exec"), names)  # noqa: S102 - it is this project's own source
    function: F = names[original.__name__]
    return function

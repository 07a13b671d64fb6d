"""The tree of errors."""

import inspect

from parivision import errors
from parivision.errors import PariVisionError


def test_every_error_is_in_the_tree_and_in_its_picture():
    """All errors descend from one, and the module's docstring draws them with their parents."""
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    lines = (errors.__doc__ or "").splitlines()
    depth: dict[type, int] = {}
    for kind in found:
        assert issubclass(kind, PariVisionError)
        (line,) = [text for text in lines if f"─ {kind.__name__} " in f"{text} "] or [
            text for text in lines if text.strip() == kind.__name__
        ]
        depth[kind] = line.index(kind.__name__)
        assert kind.__doc__
    for kind in found:
        parent = kind.__bases__[0]
        if parent in depth:
            assert depth[parent] < depth[kind]

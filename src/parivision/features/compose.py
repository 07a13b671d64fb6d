"""Small functions joined into one, by the names of their parameters.

A step is a function whose name is that of its result, and whose parameters are the inputs and the
results of earlier steps that it needs, as fixtures are in pytest and features in Hamilton. So a
formula says itself what it is made of, and is called with plain numbers in a test.

Calling the steps one after the other from a list would cost more than the steps do. So the calls
are written out as Python, which is compiled once, as `dataclasses` and `collections.namedtuple` do.
"""

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from typing import Any, Final

from parivision.errors import ModelError

Step = Callable[..., Any]
Row = Callable[[Any, Any], tuple[Any, ...]]
_SHOT: Final = "shot"
FORM: Final = "form"
"""The parameter by which a step is given the tables of form."""


def compose(steps: Mapping[str, Step], inputs: Sequence[str], names: Sequence[str]) -> Row:
    """A function of a shot and the form that gives the results `names`, and computes no others.

    `inputs` are the attributes of the shot; a name may be that of an input or of a step. A step may
    only need inputs, the form, and steps that stand before it. Raises ModelError for a name that is
    none of them.
    """
    unknown = [name for name in names if name not in steps and name not in inputs]
    if unknown:
        raise ModelError(f"unknown features {unknown}: expected names of {__package__}.kernel")
    needed = _needed(steps, names)
    lines = [f"    {name} = {_SHOT}.{name}" for name in inputs if name in needed]
    lines += [
        f"    {name} = step_{name}({', '.join(signature(step).parameters)})"
        for name, step in steps.items()
        if name in needed
    ]
    source = [f"def row({_SHOT}, {FORM}):", *lines, f"    return ({', '.join([*names, ''])})"]
    namespace: dict[str, Any] = {f"step_{name}": step for name, step in steps.items()}
    code = compile("\n".join(source), f"<{__name__}>", "exec")
    exec(code, namespace)  # noqa: S102 - it holds calls of our own functions by their names alone
    row: Row = namespace["row"]
    return row


def _needed(steps: Mapping[str, Step], names: Sequence[str]) -> set[str]:
    """The results `names`, and all that they are made of."""
    needed: set[str] = set()
    wanted = list(names)
    while wanted:
        name = wanted.pop()
        if name not in needed:
            needed.add(name)
            wanted += signature(steps[name]).parameters if name in steps else ()
    return needed


class Steps:
    """Steps in the order in which they are defined, and those of them that are features."""

    def __init__(self, inputs: Sequence[str]) -> None:
        """`inputs` are the attributes of a shot that steps may need."""
        self._inputs = tuple(inputs)
        self._steps: dict[str, Step] = {}
        self._groups: dict[str, list[str]] = {}
        self._aliases: dict[str, str] = {}

    def step(self, function: Step) -> Step:
        """Make a function a step: its result is there for all that are defined after it.

        Raises ModelError where it needs what is not there, or has a name that is taken.
        """
        self._add(function.__name__, function)
        return function

    def feature(self, group: str) -> Callable[[Step], Step]:
        """Make a function a step whose result is a feature, the next one of a group."""

        def decorated(function: Step) -> Step:
            self.define(group, function.__name__, function)
            return function

        return decorated

    def define(self, group: str, name: str, function: Step) -> None:
        """Add the next feature of a group, by a function that may have another name."""
        self._add(name, function)
        self._groups.setdefault(group, []).append(name)

    def fact(self, group: str, name: str) -> None:
        """Add an input as it is, as the next feature of a group."""
        if name not in self._inputs:
            raise ModelError(f"feature {name} has no function and is no fact of a shot")
        self._groups.setdefault(group, []).append(name)

    def alias(self, group: str, name: str, of: str) -> None:
        """Add another name of an input or of an earlier feature, as the next one of a group."""
        if of not in self._inputs and of not in self._steps:
            raise ModelError(f"feature {name} is {of}, which is no fact and no feature before it")
        self._aliases[name] = of
        self._groups.setdefault(group, []).append(name)

    def group(self, name: str) -> tuple[str, ...]:
        """The features of a group, in the order in which they were defined."""
        return tuple(self._groups[name])

    def meant(self, name: str) -> str:
        """The name that another one stands for, or itself."""
        return self._aliases.get(name, name)

    def row(self, names: Sequence[str]) -> Row:
        """The function of a shot and the form that gives these features."""
        return compose(self._steps, self._inputs, [self.meant(name) for name in names])

    def _add(self, name: str, function: Step) -> None:
        known = {*self._inputs, *self._steps, FORM}
        missing = [need for need in signature(function).parameters if need not in known]
        if missing:
            raise ModelError(f"feature {name} needs {missing}, which no step before it gives")
        if name in known:
            raise ModelError(f"feature {name} is there already")
        self._steps[name] = function

"""The objects that the chart renders to, and ways to find some of them."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from pipeline import charts

Object = dict[str, Any]

ON = [values for values in charts.VALUES if values != "off"]
"""Files of values with something to install."""


@cache
def rendered(*arguments: str) -> tuple[Object, ...]:
    """The objects that the chart renders to with helm's arguments."""
    done = charts.template(*arguments)
    assert done.returncode == 0, done.stderr
    return tuple(charts.objects(done.stdout))


def of_values(values: str) -> tuple[Object, ...]:
    """The objects of a values file of ci/."""
    return rendered("--values", str(charts.CHART / "ci" / f"{values}.yaml"))


def find(objects: tuple[Object, ...], kind: str, name: str) -> Object | None:
    """The object of that kind and name; the release's name may be left out."""
    names = {name, f"parivision-{name}"}
    found = [one for one in objects if one["kind"] == kind and one["metadata"]["name"] in names]
    return found[0] if found else None


def get(objects: tuple[Object, ...], kind: str, name: str) -> Object:
    """The same; it must be there."""
    found = find(objects, kind, name)
    assert found is not None, f"no {kind} {name}"
    return found


def templates(objects: tuple[Object, ...]) -> Iterator[tuple[str, Object, Object]]:
    """Every pod: its owner's kind and name, labels, and spec."""
    for one in objects:
        kind, spec = one["kind"], one.get("spec", {})
        if kind == "Pod":
            yield f"Pod {one['metadata']['name']}", one["metadata"]["labels"], spec
            continue
        if kind == "CronJob":
            spec = spec["jobTemplate"]["spec"]
        if kind in {"Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob"}:
            template = spec["template"]
            name = f"{kind} {one['metadata']['name']}"
            yield name, template["metadata"]["labels"], template["spec"]


def pods(values: str) -> list[tuple[str, Object, Object]]:
    """The same, of a values file."""
    return list(templates(of_values(values)))


def containers(spec: Object) -> list[Object]:
    """Every container of a pod."""
    return [*spec.get("initContainers", []), *spec["containers"]]


def walk(thing: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a tree, by its path."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield from walk(value, f"{path}.{key}")
    elif isinstance(thing, list):
        for value in thing:
            yield from walk(value, path)
    else:
        yield path, thing

"""What a bundle needs wherever it is loaded: files of this library, and packages of others.

Both follow from the code, so that what is packed does not have to be listed and kept true by hand:
files by following imports, packages by what these files import and by the estimators' kinds.
"""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from parivision.errors import ModelError
from parivision.models.bundle import Bundle

LIBRARY: Final = Path(__file__).parents[1]
# LightGBM's C library answers for the trees of all families (`models/native.py`).
KIND_PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "constant": (),
    "first_column": (),
    "lightgbm": ("lightgbm",),
    "xgboost": ("lightgbm", "xgboost-cpu"),
    "sklearn": ("lightgbm", "scikit-learn", "skops"),
}
"""A kind of estimator to the packages that it loads when it is asked, and not before."""


def kinds(bundle: Bundle) -> list[str]:
    """Kinds of the bundle's estimators, partners included."""
    parts = bundle.parts.values()
    return sorted({each.estimator.kind for part in parts for each in part.members()})


def library_files(modules: Iterable[str]) -> list[Path]:
    """The files of these modules and of all modules of this library that they import."""
    files: set[Path] = set()
    wanted = list(modules)
    while wanted:
        path = _module_file(wanted.pop())
        if path is None or path in files:
            continue
        files.add(path)
        wanted += imported(path)
    return sorted(files)


def imported(path: Path) -> list[str]:
    """Names of this library's modules that a file imports, with the packages they are in.

    Some of the names are of functions, not of modules; they have no file.
    """
    names = _names(ast.walk(ast.parse(path.read_text())))
    inside = [name.split(".") for name in names if name.split(".")[0] == LIBRARY.name]
    return [".".join(parts[:end]) for parts in inside for end in range(1, len(parts) + 1)]


def packages_of(files: Iterable[Path]) -> set[str]:
    """Packages of others that files of this library import when they are imported themselves.

    What they import later, inside functions, is needed by some kinds of estimators only.
    """
    statements = (node for file in files for node in ast.parse(file.read_text()).body)
    roots = {name.split(".")[0] for name in _names(statements)}
    return roots - sys.stdlib_module_names - {LIBRARY.name}


def packages_of_kinds(kinds: Iterable[str]) -> set[str]:
    """Packages that kinds of estimators load when they are asked."""
    return {package for kind in kinds for package in KIND_PACKAGES[kind]}


def pins(packages: Iterable[str]) -> list[str]:
    """Packages and all that they need in turn, with their versions: `name==version`, sorted.

    The versions are those installed here, which the model was trained with. Raises ModelError for a
    package that is not installed.
    """
    found: dict[str, str] = {}
    wanted = list(packages)
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name in found:
            continue
        try:
            package = metadata.distribution(name)
        except metadata.PackageNotFoundError as error:
            raise ModelError(
                f"{name} is not installed here, and this model needs it wherever it is loaded: "
                "install parivision[serving,training]"
            ) from error
        found[name] = f"{name}=={package.version}"
        requirements = map(Requirement, package.requires or [])
        wanted += [
            needed.name
            for needed in requirements
            # Without those of extras that nobody asked for, and of other systems.
            if needed.marker is None or needed.marker.evaluate({"extra": ""})
        ]
    return [found[name] for name in sorted(found)]


def _module_file(module: str) -> Path | None:
    module_path = LIBRARY.joinpath(*module.split(".")[1:])
    candidates = (module_path / "__init__.py", module_path.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


def _names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Full names that statements import."""
    for node in nodes:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)

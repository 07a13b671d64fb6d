"""Helm, and what it makes of the chart; run as a program, it writes what the tests compare.

`make charts` does that. The folder `default` holds what every part renders to as it comes; for each
other values file in ci/ there is what it changes: objects that go, come, or differ.
"""

import difflib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "helm" / "parivision"
RENDERED = Path(__file__).parent / "rendered"
LAB_BIN = Path(os.environ.get("LAB_HOME") or Path.home() / ".cache" / "lab") / "bin"
DEFAULT = "default"
VALUES = sorted(path.stem for path in (CHART / "ci").glob("*.yaml"))
PARTS = sorted(path.name for path in (CHART / "charts").iterdir() if path.name != "common")
# What a helm that was built without a version takes a cluster for is long gone.
KUBERNETES = "1.34.0"


def helm() -> str | None:
    """The helm on the path, or the one that `make helm` built."""
    return shutil.which("helm") or shutil.which("helm", path=str(LAB_BIN))


def template(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Render the chart as the release parivision, with more of helm's arguments."""
    command = [helm() or "helm", "template", "parivision", str(CHART), "--namespace", "parivision"]
    return subprocess.run(
        [*command, "--kube-version", KUBERNETES, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def by_part(values: str) -> dict[str, str]:
    """What each part renders to with a values file of ci/."""
    done = template("--values", str(CHART / "ci" / f"{values}.yaml"))
    if done.returncode:
        raise RuntimeError(done.stderr)
    texts: dict[str, str] = {}
    for document in done.stdout.split("\n---\n"):
        source = document.partition("# Source: ")[2].partition("\n")[0]
        if source and not source.endswith("/dashboards.yaml"):  # which are files as they are
            part = source.split("/")[2]
            texts[part] = texts.get(part, "") + f"---\n{document.removeprefix('---').strip()}\n"
    return texts


def objects(text: str) -> Iterator[dict[str, Any]]:
    """The objects in rendered YAML."""
    return (document for document in yaml.safe_load_all(text) if document)


def expected() -> dict[Path, str]:
    """What the folder of rendered charts holds: relative paths and their texts."""
    usual = by_part(DEFAULT)
    files = {Path(DEFAULT) / f"{part}.yaml": text for part, text in usual.items()}
    known = _by_name(usual)
    for values in VALUES:
        if values != DEFAULT:
            files[Path(f"{values}.diff")] = _differences(known, _by_name(by_part(values)))
    return files


def _by_name(parts: dict[str, str]) -> dict[str, list[str]]:
    """The lines of every object, by part, kind and name."""
    named = {}
    for part, text in sorted(parts.items()):
        for document in text.removeprefix("---\n").split("\n---\n"):
            stated = yaml.safe_load(document)
            name = f"{part}: {stated['kind']} {stated['metadata']['name']}"
            named[name] = document.strip().splitlines()
    return named


def _differences(usual: dict[str, list[str]], other: dict[str, list[str]]) -> str:
    """Objects that are not there by their names, new ones whole, and the lines that differ."""
    lines = [f"gone     {name}" for name in usual if name not in other]
    for name, text in other.items():
        if name not in usual:
            lines += [f"new      {name}", *(f"+{line}" for line in text)]
        elif text != usual[name]:
            # The first two lines name files. Line numbers would change with every line above.
            changed = list(difflib.unified_diff(usual[name], text, n=2, lineterm=""))[2:]
            lines += [f"changed  {name}"]
            lines += ["@@" if line.startswith("@@") else line.rstrip() for line in changed]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the folder anew."""
    shutil.rmtree(RENDERED, ignore_errors=True)
    for path, text in expected().items():
        (RENDERED / path).parent.mkdir(parents=True, exist_ok=True)
        (RENDERED / path).write_text(text)


if __name__ == "__main__":
    main()

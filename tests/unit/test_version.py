"""The project's version: where it stands, and the command that writes it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from parivision import __version__

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
WRITTEN = [item["filename"] for item in PROJECT["tool"]["bumpversion"]["files"]]
MADE = ("pipelines/compiled/", "tests/pipeline/rendered/", "docs/bench.json", "requirements.lock")
NEXT = "7.8.9"
# The version by itself: 30.1.0 is another one.
VERSION = re.compile(rf"(?<![\w.]){re.escape(__version__)}(?![\w.]*\d)")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what `make version` writes, after its first command."""
    folder = tmp_path_factory.mktemp("release")
    for name in ("pyproject.toml", *WRITTEN):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    bump = str(Path(sys.executable).parent / "bump-my-version")
    command = [bump, "bump", "--new-version", NEXT]
    subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return folder


def test_the_library_has_the_projects_version() -> None:
    """The library cannot read pyproject.toml: in a Bento it is not there."""
    assert PROJECT["project"]["version"] == __version__


def test_one_command_writes_every_place(released: Path) -> None:
    """Each file has the new version wherever it had the old one, and is otherwise the same."""
    for name in ("pyproject.toml", *WRITTEN):
        before, after = (ROOT / name).read_text(), (released / name).read_text()
        assert NEXT in after, name
        if name != "CHANGELOG.md":
            assert not VERSION.search(after), name
            assert after.replace(NEXT, __version__) == before


def test_the_changelog_gets_a_section_of_the_release(released: Path) -> None:
    """What stood under "Unreleased" stands under the version and the day."""
    after = (released / "CHANGELOG.md").read_text()
    assert re.search(rf"^## Unreleased\n\n## {NEXT}, \d{{4}}-\d\d-\d\d\n", after, re.MULTILINE)


def test_the_version_stands_nowhere_else() -> None:
    """Whoever needs the version takes it from a place that the command writes."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    left_out = {"pyproject.toml", "CHANGELOG.md", *WRITTEN}
    for name in listed.stdout.decode().rstrip("\0").split("\0"):
        # Tests and the lab's Go modules name versions of other things.
        if name in left_out or name.startswith((*MADE, "tests/")):
            continue
        text = (ROOT / name).read_bytes().decode(errors="replace")
        assert not VERSION.search(text), f"{name} names the version {__version__}"

"""What the documentation names is there: files, commands with their options, targets of make."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import docs_pages
from parivision.cli.app import app

ROOT = docs_pages.ROOT
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "bentos/**/*.md", "manifests/*.md", "helm/**/*.md")
    for page in (*ROOT.glob(pattern), *ROOT.glob(f"tests/lab/{pattern}"))
    if page.name != "CHANGELOG.md"  # it names what was there then
)
BY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
NAMES = {Path(line).name for line in TRACKED.stdout.splitlines()}

# Where a path may begin: docs name the library's modules without src/parivision.
FOLDERS = (ROOT, ROOT / "src" / "parivision", ROOT / "helm" / "parivision")
_SUFFIX = r"py|md|yaml|yml|toml|json|sh|tpl|lock|env|svg"
_PATH = re.compile(rf"\.?\w[\w-]*/[\w./*-]*|\w[\w.-]*\.(?:{_SUFFIX})")
NO_FILES = {
    "application/x-ndjson": "a media type",
    "parivision/parivision-shots": "namespace and name of a Deployment",
    "parivision/components-python": "an image",
    "bundle.json": "a file of a bundle",
    "champion.json": "a file of a Bento",
    "bundle.yaml": "a file of Prometheus' operator",
    "NNNN-what-it-is-about.md": "a decision record to come",
}

_COMMAND = re.compile(r"(?:^|&& |-- |\.venv/bin/|[A-Z_]+=\S+ )parivision( [^|&#;>]*)")
_TARGET = re.compile(r"(?:^|&& |\]\] |\w=\S+ )make ((?:[a-z-]+ ?)+)")


@BY_PAGE
def test_every_file_that_is_named_is_there(page: Path) -> None:
    """A path below the checkout, the library, the chart, or the page's folder."""
    for code in _spans(page):
        if _PATH.fullmatch(code) and not _is_an_example(code):
            folders = (*FOLDERS, page.parent)
            assert any(_matches(folder, code) for folder in folders), f"{page}: no file {code}"


@BY_PAGE
def test_every_command_that_is_named_is_there(page: Path) -> None:
    """Its subcommands and its options, as typer knows them."""
    for line in _code_lines(page):
        for arguments in _COMMAND.findall(line):
            _check(arguments, f"{page}: parivision{arguments}")


@BY_PAGE
def test_every_target_that_is_named_is_there(page: Path) -> None:
    """`make TARGET...`, of the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in _code_lines(page):
        for named in _TARGET.findall(line):
            assert set(named.split()) <= targets, f"{page}: make {named}"


def test_make_help_lists_every_target() -> None:
    """A target without a line of help is one that nobody finds."""
    makefile = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert sorted(phony.split()) == sorted(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


def test_the_index_names_every_page() -> None:
    """docs/README.md leads to each page of the folder, and to each README beside the code."""
    index = ROOT / "docs" / "README.md"
    links = {
        (index.parent / link).resolve() for link in re.findall(r"\]\(([^)#]+)", index.read_text())
    }
    pages = {page for page in PAGES if page.parent.name == "docs" or page.name == "README.md"}
    assert pages - {index} <= links


def test_the_readme_lists_every_command() -> None:
    """Each row of the README's table is a command that is there, and none is left out."""
    table = (ROOT / "README.md").read_text().partition("\n## Commands\n")[2].partition("\n## ")[0]
    rows = [row.replace(r"\|", "/").split("|")[1] for row in table.splitlines() if row[:3] == "| `"]
    named = set()
    for code in re.findall(r"`([^`]+)`", " ".join(rows)):
        for words in _alternatives(code):
            _check(f" {words}", f"README.md: {words}")
            named.add(words.split()[0])
    group = typer.main.get_command(app)
    assert named == {name for name, command in group.commands.items() if not command.hidden}  # type: ignore[attr-defined]


@pytest.mark.parametrize("arguments", [" trian", " train --modles x", " rollout explode"])
def test_a_slip_is_found(arguments: str) -> None:
    """A command, an option or a subcommand that is not there."""
    with pytest.raises(AssertionError, match="nowhere"):
        _check(arguments, "nowhere")


def _spans(page: Path) -> list[str]:
    """The code within lines; a path may carry the name of a test after two colons."""
    text = re.sub(r"^ *```.*?^ *```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [code.partition("::")[0] for code in re.findall(r"`([^`\n]+)`", text)]


def _code_lines(page: Path) -> Iterator[str]:
    """The code within lines, and the lines of blocks, continued ones as one."""
    yield from _spans(page)
    for block in re.findall(r"^ *```.*?^ *```$", page.read_text(), re.MULTILINE | re.DOTALL):
        yield from map(str.strip, block.replace("\\\n", " ").splitlines())


def _is_an_example(code: str) -> bool:
    """Words in capitals stand for something, digits are days."""
    words = re.split(r"[/.]", code)
    return code in NO_FILES or code[0].isdigit() or any(word.isupper() for word in words[:-1])


def _matches(folder: Path, code: str) -> bool:
    if "/" not in code:  # a name alone, of any file
        return code in NAMES or (folder / code).exists()
    return any(True for _ in folder.glob(code)) if "*" in code else (folder / code).exists()


def _alternatives(code: str) -> list[str]:
    """`rollout status/abort [--x]` is `rollout status --x` and `rollout abort --x`."""
    first, *rest = re.sub(r"[\[\]]", "", code).split()
    if rest and "/" in rest[0]:
        return [" ".join([first, word, *rest[1:]]) for word in rest[0].split("/")]
    return [" ".join([first, *rest])]


def _check(arguments: str, where: str) -> None:
    """Walk down the groups, then look up each option."""
    command = typer.main.get_command(app)
    known = set(_options(command))
    for word in arguments.split():
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{where}: {word}"
        elif hasattr(command, "commands") and not word.startswith("-") and not word.isupper():
            assert word in command.commands, f"{where}: {word}"
            command = command.commands[word]
            known |= set(_options(command))


def _options(command: object) -> Iterator[str]:
    yield "--help"
    for parameter in command.params:  # type: ignore[attr-defined]
        yield from (*parameter.opts, *parameter.secondary_opts)

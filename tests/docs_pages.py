"""Pages of the documentation, run as a reader would: their `sh` blocks, in order, in one shell.

A `text` block says what the block before it prints: each of its lines, in this order, with `...`
for anything within a line. A block below a comment `<!-- not run: why -->` is left out.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
_FENCE = re.compile(
    r"(?P<left><!-- not run: [^>]+-->\n+)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_MARK = "<<<end of block>>>"


@dataclass(frozen=True)
class Block:
    """A fenced block: what kind it is, its text, the line it begins at, and whether it is run."""

    kind: str
    text: str
    line: int
    is_run: bool


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    content = page.read_text()
    return [
        Block(
            found["kind"],
            found["text"],
            content.count("\n", 0, found.start("text")),
            found["kind"] == "sh" and not found["left"],
        )
        for found in _FENCE.finditer(content)
    ]


def run(page: Path, folder: Path, environment: Mapping[str, str], *, timeout_s: float) -> None:
    """Run a page's commands in a folder; AssertionError with what was printed where it differs."""
    found = blocks(page)
    script = "".join(f"{b.text}\necho '{_MARK}'\n" for b in found if b.is_run)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    printed = done.stdout.split(_MARK)
    where = f"{page.name}, block {len(printed)} of {script.count(_MARK)}"
    assert not done.returncode, f"{where} ended with {done.returncode}:\n{printed[-1][-3000:]}"
    for block, expected, output in _expectations(found, printed):
        missing = first_missing(expected, output)
        place = f"{page.name}:{block.line}"
        assert missing is None, f"{place}: nothing like {missing!r} in its place in\n{output}"


def _expectations(found: list[Block], printed: list[str]) -> Iterator[tuple[Block, str, str]]:
    outputs = iter(printed)
    for block, after in zip(found, [*found[1:], None], strict=True):
        if not block.is_run:
            continue
        output = next(outputs)
        if after is not None and after.kind == "text":
            yield block, after.text, output


def first_missing(expected: str, output: str) -> str | None:
    """The first expected line that does not come, or not in its order."""
    place = 0
    for line in filter(None, map(str.strip, expected.splitlines())):
        pattern = ".*".join(map(re.escape, line.split("...")))
        found = re.compile(pattern).search(output, place)
        if found is None:
            return line
        place = found.end()
    return None

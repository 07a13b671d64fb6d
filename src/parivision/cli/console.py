"""What commands print with: tables and results on stdout, progress and notes on stderr."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from parivision import strict_json
from parivision.reports.numbers import number
from parivision.stages.heartbeat import Activity, Alive

if TYPE_CHECKING:
    from parivision.scoring.scores import Scores

_DIGITS: Final = dict.fromkeys(("log_loss", "brier", "ece", "roc_auc"), ".4f")
# A pipe has no width: tables need this much.
WIDTH = None if sys.stdout.isatty() else 120
out = Console(highlight=False, width=WIDTH)
err = Console(stderr=True, highlight=False)


class Working:
    """A stage of a command while it lasts: told in a line that moves, or in lines on a pipe."""

    def __init__(self, activity: Activity, row: TaskID | None) -> None:
        """`row` is the stage's line among those that move; None where nothing moves."""
        self._activity, self._row = activity, row

    def advance(self, done: int, total: int) -> None:
        """Say how much is done, of how much in all; 0 for an unknown total."""
        self._activity.done, self._activity.total = done, total
        self._show(completed=done, total=total or None, amount=_amount(done, total))

    def rename(self, what: str) -> None:
        """Go on as another stage, which begins now."""
        _alive.now_doing(self._activity, what)
        if _moving and self._row is not None:
            _moving[0].reset(self._row, description=what, amount="", total=None)

    def _show(self, **values: Any) -> None:
        if _moving and self._row is not None:
            _moving[0].update(self._row, **values)


@contextmanager
def working(what: str) -> Iterator[Working]:
    """Show that a stage is alive as long as the block takes; stages may lie in each other.

    A terminal gets a line with a spinner and the time; a pipe a line whenever `alive.EVERY_S`
    seconds passed without any.
    """
    with _alive.doing(what) as activity:
        if not err.is_terminal:
            yield Working(activity, None)
            return
        with _lines_that_move() as progress:
            row = progress.add_task(what, total=None, amount="")
            try:
                yield Working(activity, row)
            finally:
                progress.remove_task(row)


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """`working` as a callback that takes (done, in all), 0 for an unknown total."""
    with working(what) as stage:
        yield stage.advance


@contextmanager
def watched() -> Iterator[None]:
    """Watch over a whole command: it tells what it does, at the latest every `alive.EVERY_S`."""
    with _alive.watching(), _alive.doing("parivision") as command:
        _commands.append(command)
        try:
            yield
        finally:
            _commands.pop()


def command(name: str) -> None:
    """Name the command that runs."""
    for running in _commands[-1:]:
        running.what = f"parivision {name}"


def now_serving(text: str = "") -> None:
    """Say where a server listens, and tell no more: nobody waits for its end."""
    if text:
        say(text)
    _alive.rest()


class _KnownBar(BarColumn):
    """A bar where it is known how much there is to do."""

    def render(self, task: Task) -> Any:
        """The bar of a task, or nothing."""
        return super().render(task) if task.total else ""


@contextmanager
def _lines_that_move() -> Iterator[Progress]:
    """The lines on the terminal, of all stages that run; gone when the last has ended."""
    # rich has one live display at a time: a stage within another adds its line to that one's.
    if _moving:
        yield _moving[0]
        return
    columns = (TextColumn("{task.description}"), _KnownBar(), TextColumn("{task.fields[amount]}"))
    # What is piped away must not end up among the lines of the terminal.
    is_shared = sys.stdout.isatty()
    with Progress(
        SpinnerColumn(),
        *columns,
        TimeElapsedColumn(),
        console=err,
        transient=True,
        redirect_stdout=is_shared,
    ) as progress:
        _moving.append(progress)
        try:
            yield progress
        finally:
            _moving.clear()


def _amount(done: int, total: int) -> str:
    return f"{done:,} of {total:,}" if total else f"{done:,}"


def _tell(line: str) -> None:
    if not _moving:
        err.print(f"  ... {line}", markup=False, soft_wrap=True)


_alive: Final = Alive(_tell)
_moving: Final[list[Progress]] = []
_commands: Final[list[Activity]] = []


def say(text: str) -> None:
    """A note for the person in front of the screen."""
    # Here and elsewhere without markup: brackets in names and messages are text.
    err.print(text, markup=False, soft_wrap=True)
    _alive.spoke()


def print_json(values: Mapping[str, Any]) -> None:
    """One JSON document on stdout."""
    out.print_json(strict_json.text(values))


def print_scores(scores: Mapping[str, "Scores"], title: str) -> None:
    """Models as a table, best log loss first."""
    from parivision.scoring.labels import LABELS, SHOWN

    table = Table(title=title, title_justify="left")
    table.add_column("model", no_wrap=True)
    short = {**LABELS, "roc_auc": "AUC"}  # a terminal is narrow
    for field in SHOWN:
        table.add_column(short[field], justify="right")
    for model, score in sorted(scores.items(), key=lambda item: item[1].log_loss):
        cells = [number(getattr(score, field), _DIGITS.get(field, ".3f")) for field in SHOWN]
        table.add_row(model, *cells)
    out.print(table)
    first = next(iter(scores.values()))
    out.print(f"{first.n_shots:,} shots in {first.n_games:,} games", markup=False)

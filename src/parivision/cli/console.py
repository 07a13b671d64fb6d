"""What commands print with: tables and results on stdout, progress and notes on stderr."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from parivision import strict_json
from parivision.shown import number

if TYPE_CHECKING:
    from parivision.evaluate import Scores

# A pipe has no width: tables need this much.
WIDTH = None if sys.stdout.isatty() else 120
out = Console(highlight=False, width=WIDTH)
err = Console(stderr=True, highlight=False)


@contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; the callback takes (done, in all), 0 for an unknown total."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=err, transient=True) as progress:
        task = progress.add_task(what, total=None)

        def advance(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total or None)

        yield advance


def say(text: str) -> None:
    """A note for the person in front of the screen."""
    err.print(text, markup=False, soft_wrap=True)


def print_json(values: Mapping[str, Any]) -> None:
    """One JSON document on stdout."""
    out.print_json(strict_json.text(values))


def print_scores(scores: Mapping[str, "Scores"], title: str) -> None:
    """Models as a table, best log loss first."""
    table = Table(title=title, title_justify="left")
    table.add_column("model", no_wrap=True)
    names = ("log loss", "Brier", "ECE", "AUC", "accuracy", "precision", "recall", "F1")
    for name in names:
        table.add_column(name, justify="right")
    for model, score in sorted(scores.items(), key=lambda item: item[1].log_loss):
        values = (score.log_loss, score.brier, score.ece, score.roc_auc)
        rest = (score.accuracy, score.precision, score.recall, score.f1)
        cells = [number(v, ".4f") for v in values] + [number(v, ".3f") for v in rest]
        table.add_row(model, *cells)
    out.print(table)
    first = next(iter(scores.values()))
    out.print(f"{first.n_shots:,} shots in {first.n_games:,} games", markup=False)

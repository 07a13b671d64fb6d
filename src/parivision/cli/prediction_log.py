"""Commands on what was served: the log of predictions, and how their shots ended."""

import codecs
import hashlib
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parivision import strict_json
from parivision.cli import context
from parivision.cli.console import out
from parivision.errors import DataError, SettingsError

if TYPE_CHECKING:
    from parivision.prediction_log import Record, Store
    from parivision.prediction_log.records import ServedPrediction

predictions = typer.Typer()
outcomes = typer.Typer()


@predictions.command()
def tail(
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Show so many.")] = 20,
) -> None:
    """Print the newest predictions as JSON lines, the newest last."""
    with closing(context.served(context.current())) as store:
        for each in _newest(store, count):
            _print(asdict(each))


@predictions.command()
def export(
    path: Annotated[
        Path | None, typer.Argument(help="File to write JSON lines to; default stdout.")
    ] = None,
    labelled: Annotated[
        bool, typer.Option("--labelled", help="Only those whose outcome is known, with it.")
    ] = False,
) -> None:
    """Write all predictions as JSON lines; a corrected outcome gives another line."""
    with closing(context.served(context.current())) as store:
        rows = _labelled(store) if labelled else _predictions(store)
        if path is None:
            for row in rows:
                _print(row)
            return
        with path.open("w") as stream:
            stream.writelines(map(strict_json.line, rows))


@outcomes.command("import")
def import_(
    path: Annotated[
        Path | None,
        typer.Argument(help="JSON lines as /outcomes takes them.", exists=True, dir_okay=False),
    ] = None,
    from_lake: Annotated[
        bool, typer.Option("--from-lake", help="How silver's shots of logged games ended.")
    ] = False,
) -> None:
    """Add outcomes to the log; what it knows already changes nothing."""
    from parivision.stages.outcomes import publish

    if (path is None) != from_lake:
        raise SettingsError("what to import is not clear: expected a FILE, or --from-lake alone")
    settings = context.current()
    with closing(context.served(settings)) as store:
        added = _add(store, path.read_bytes()) if path else publish(context.lake(settings), store)
    out.print(f"{added:,} outcomes added")


def _newest(store: "Store", count: int) -> "list[ServedPrediction]":
    from parivision.prediction_log import PREDICTIONS
    from parivision.prediction_log.records import served

    logged = []
    # Processes write streams side by side, so the newest are among the last of each.
    for stream, end in store.ends(PREDICTIONS).items():
        wanted, number = count, end
        while wanted > 0 and number > 0:
            number -= 1
            if batch := store.read(PREDICTIONS, stream, number):
                logged += served(batch)
                wanted -= len(batch.records)
    return sorted(logged, key=lambda each: each.at)[-count:]


def _predictions(store: "Store") -> Iterator[dict[str, Any]]:
    from parivision.prediction_log.join import predictions_since

    for page in predictions_since(store):
        yield from map(asdict, page.records)


def _labelled(store: "Store") -> Iterator[dict[str, Any]]:
    from parivision.prediction_log.join import Joiner, labelled_since

    with closing(Joiner(store)) as joiner:
        joiner.join()
    for page in labelled_since(store):
        for each in page.records:
            row = asdict(each)
            yield {**row.pop("served"), **row}


def _add(store: "Store", content: bytes) -> int:
    """Add a file's outcomes in a stream named by the content, so that again is as good as once."""
    from parivision.prediction_log import OUTCOMES, RecordBatch
    from parivision.prediction_log.batch import BATCH_RECORDS

    now, content = time.time(), content.removeprefix(codecs.BOM_UTF8)
    lines = enumerate(content.splitlines(), 1)
    records = [each for number, line in lines if line for each in _records(number, line, now)]
    stream, added = f"import-{hashlib.sha256(content).hexdigest()[:32]}", 0
    for number, start in enumerate(range(0, len(records), BATCH_RECORDS)):
        chunk = records[start : start + BATCH_RECORDS]
        added += len(chunk) if store.append(RecordBatch(OUTCOMES, stream, number, chunk)) else 0
    return added


def _records(number: int, line: bytes, now: float) -> "list[Record]":
    from parivision.serving.outcomes import parse
    from parivision.serving.requests import Refusal

    try:
        return parse(line, now)
    except Refusal as refusal:
        raise DataError(f"line {number}: {refusal.sentence}") from refusal


def _print(row: dict[str, Any]) -> None:
    sys.stdout.write(strict_json.line(row))

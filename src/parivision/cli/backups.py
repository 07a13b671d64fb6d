"""Commands on backups of the databases."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, Annotated

import typer

from parivision.cli import context
from parivision.cli.console import bar, say
from parivision.errors import SettingsError

commands = typer.Typer()
FILE_HELP = "Tar file, or - for a pipe."


@commands.command()
def backup(file: Annotated[str, typer.Argument(help=FILE_HELP)]) -> None:
    """Write the lake and the log of predictions, in MongoDB, to a file."""
    from parivision.lake.backup import dump

    with _opened(file, "wb") as stream, bar("documents") as progress:
        counts = dump(_databases(), stream, progress)
    for collection, count in counts.items():
        say(f"{count:,} documents of {collection}")


@commands.command()
def restore(file: Annotated[str, typer.Argument(help=FILE_HELP)]) -> None:
    """Bring back what a backup holds; what is there already is left alone."""
    from parivision.lake.backup import load

    with _opened(file, "rb") as stream, bar("documents") as progress:
        new = load(_databases(), stream, progress)
    for collection, count in new.items():
        say(f"{count:,} documents of {collection} were not there")


def _databases() -> Mapping[str, str]:
    """URLs by their names in a backup."""
    chosen = context.current()
    urls = {"lake": chosen.lake, "predictions": chosen.prediction_log}
    stores = {name: url for name, url in urls.items() if url.startswith("mongodb")}
    if not stores:
        raise SettingsError(
            "neither PARIVISION_LAKE nor PARIVISION_PREDICTION_LOG is in MongoDB: a folder is "
            "copied as any other"
        )
    return stores


def _opened(file: str, mode: str) -> AbstractContextManager[IO[bytes]]:
    if file == "-":
        return nullcontext(sys.stdout.buffer if "w" in mode else sys.stdin.buffer)
    try:
        return Path(file).open(mode)
    except OSError as error:
        raise SettingsError(f"{file} could not be opened ({error.strerror})") from error

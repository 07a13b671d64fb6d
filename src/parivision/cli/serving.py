"""Commands on the champion's service: package, deploy, stop, and predictions without a server."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parivision.cli import context
from parivision.cli.console import out, print_json
from parivision.errors import DataError, ModelError
from parivision.settings import Settings

if TYPE_CHECKING:
    from parivision.package import Bento
    from parivision.service.shot import Shot

commands = typer.Typer()


@commands.command()
def package() -> None:
    """Build the champion's Bento."""
    out.print(bento_of_champion(context.current()).tag, markup=False)


@commands.command()
def deploy() -> None:
    """Serve the champion's Bento on 127.0.0.1; a running older version is replaced."""
    from parivision import deploy_local

    settings = context.current()
    bento = bento_of_champion(settings)
    served = deploy_local.start(bento.path, port=settings.port, state_dir=settings.serving)
    out.print(f"version {served.version} answers on {served.url}/predict", markup=False)


def bento_of_champion(settings: Settings) -> "Bento":
    """The champion's Bento, built unless it is there."""
    from parivision import package as packing

    registry = context.registry(settings)
    version = registry.champion()
    if version is None:
        raise ModelError("there is no champion yet: run `parivision demo`, or train and promote")
    bundle = registry.fetch(version.number, settings.cache)
    return packing.build(bundle, version=version.number, store=settings.bentos)


@commands.command()
def stop() -> None:
    """Stop the local service."""
    from parivision import deploy_local

    stopped = deploy_local.stop(context.current().serving)
    out.print("stopped" if stopped else "nothing was running")


@commands.command()
def predict(
    shots: Annotated[
        Path | None,
        typer.Argument(
            help="JSON lines as /predict takes them; default stdin.", exists=True, dir_okay=False
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Predict shots offline with the champion's bundle: what the service answers, without it."""
    from parivision.facts import from_records

    settings = context.current()
    champion = context.registry(settings).champion_bundle(settings.cache)
    if champion is None:
        raise ModelError("there is no champion yet: run `parivision demo`, or train and promote")
    lines = shots.read_bytes() if shots else sys.stdin.buffer.read()
    numbered = [(number, line) for number, line in enumerate(lines.splitlines(), 1) if line]
    records = [shot for number, line in numbered for shot in _shots(number, line)]
    p_made = champion[1].predict(from_records(records, datetime.now(tz=UTC).date()))
    if json:
        print_json({"version": champion[0].number, "p_made": [float(p) for p in p_made]})
        return
    for p in p_made:
        out.print(f"{p:.6f}")


def _shots(number: int, line: bytes) -> "list[Shot]":
    from parivision.service.requests import Refusal, parse

    try:
        return parse(line).shots
    except Refusal as refusal:
        raise DataError(f"line {number}: {refusal.sentence}") from refusal

"""Commands on the champion's service: package, deploy, stop, and predictions without a server."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parivision.cli import context
from parivision.cli.console import out, print_json, say, working
from parivision.errors import DataError, ModelError
from parivision.settings import Settings

if TYPE_CHECKING:
    from parivision.packaging.bento import Bento
    from parivision.serving.shot import Shot

commands = typer.Typer()


TARGET_HELP = "Where to: local, on 127.0.0.1; kubernetes; auto, the cluster if this is a pod."


@commands.command()
def package(
    push: Annotated[
        bool, typer.Option("--push", help="Push its image to PARIVISION_IMAGES_PUSH, too.")
    ] = False,
) -> None:
    """Build the champion's Bento."""
    from parivision.stages import image as images

    settings = context.current()
    bento = bento_of_champion(settings)
    out.print(bento.tag, markup=False)
    if push:
        with working("pushing the image"):
            image = images.push(settings, bento.path)
        out.print(image, markup=False, soft_wrap=True)


@commands.command()
def deploy(target: Annotated[str, typer.Option(help=TARGET_HELP)] = "auto") -> None:
    """Serve the champion's Bento; a running older version is replaced."""
    from parivision.stages import deploy as stage
    from parivision.stages import image as images

    settings = context.current()
    bento = bento_of_champion(settings)
    image = ""
    if stage.is_for_cluster(settings, target):
        with working("pushing the image"):
            image = images.push(settings, bento.path)
    with working(f"deploying version {bento.version}"):
        url = stage.deploy(settings, bento.path, bento.tag, bento.digest, image, target, say)
    out.print(f"version {bento.version} answers on {url}/predict", markup=False, soft_wrap=True)


def bento_of_champion(settings: Settings) -> "Bento":
    """The champion's Bento, built unless it is there."""
    from parivision.stages import package as stage

    registry = context.registry(settings)
    version = registry.champion()
    if version is None:
        raise ModelError("there is no champion yet: run `parivision demo`, or train and promote")
    with working(f"building the Bento of version {version.number}"):
        bundle = registry.fetch(version.number, settings.cache)
        return stage.package(settings, bundle, version.number, has_image=False).bento


@commands.command()
def stop() -> None:
    """Stop the local service."""
    from parivision.packaging import local_deployment

    stopped = local_deployment.stop(context.current().serving)
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
    from parivision.shots.facts import from_records

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
    from parivision.serving.requests import Refusal, parse

    try:
        return parse(line).shots
    except Refusal as refusal:
        raise DataError(f"line {number}: {refusal.sentence}") from refusal

"""Commands that Jobs in the cluster run: the users of its servers, and waiting for both."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from parivision.cli import context
from parivision.cli.console import out, say
from parivision.errors import PariVisionError, ServiceError
from parivision.settings import Settings
from parivision.settings.retry import Retry

commands = typer.Typer()

PAUSE_S = 3.0
KEYS_HELP = "folder of a mounted Secret with the keys username and password"
Wait = Annotated[float, typer.Option(min=0, help="Seconds to wait for the server.")]


@commands.command("lake-users")
def lake_users(
    server: Annotated[str, typer.Option(help="host:port of the MongoDB server.")],
    root: Annotated[Path, typer.Option(help=f"Its root: {KEYS_HELP}.")],
    writer: Annotated[Path, typer.Option(help=f"Who fills the lake: {KEYS_HELP}.")],
    reader: Annotated[Path, typer.Option(help=f"Who watches it: {KEYS_HELP}.")],
    log: Annotated[Path | None, typer.Option(help=f"Who logs predictions: {KEYS_HELP}.")] = None,
    monitor: Annotated[
        Path | None, typer.Option(help=f"Who asks the server for its numbers: {KEYS_HELP}.")
    ] = None,
    database: Annotated[str, typer.Option(help="The lake's database.")] = "parivision",
    log_database: Annotated[
        str, typer.Option(help="The database of the prediction log.")
    ] = "predictions",
    wait: Wait = 300.0,
) -> None:
    """Make the lake's users in MongoDB, each with its role; again is as good as once."""
    from parivision.lake.users import LakeUser, ensure_users
    from parivision.settings.logins import read_login

    users = [
        LakeUser(read_login(writer), "readWrite"),
        LakeUser(read_login(reader), "read"),
    ]
    if monitor is not None:
        users.append(LakeUser(read_login(monitor), "clusterMonitor"))
    done = ensure_users(server, read_login(root), users, database=database, wait_s=wait)
    _say_done(done.created, done.updated)
    # A user lives in the database that it uses, so that its URL needs no `authSource`.
    if log is not None:
        logger = [LakeUser(read_login(log), "readWrite")]
        logged = ensure_users(server, read_login(root), logger, database=log_database, wait_s=wait)
        _say_done(logged.created, logged.updated)
    if not done.with_roles:
        say("this server is FerretDB and knows no roles: each of these users may write")


@commands.command("mlflow-users")
def mlflow_users(
    url: Annotated[str, typer.Option(help="Address of the MLflow server.")],
    admin: Annotated[
        Path, typer.Option(help="Folder of a mounted Secret: admin-username, admin-password.")
    ],
    user: Annotated[list[Path], typer.Option(help=f"A user, may be given again: {KEYS_HELP}.")],
    wait: Wait = 300.0,
) -> None:
    """Make the users of an MLflow server; again is as good as once."""
    import httpx

    from parivision.registry.users import ensure_users, wait_until_healthy
    from parivision.settings.logins import read_login

    administrator = read_login(admin, "admin-")
    with httpx.Client(base_url=url, timeout=30) as client:
        wait_until_healthy(client, wait)
        done = ensure_users(client, administrator, [read_login(folder) for folder in user])
    _say_done(done.created, done.updated)


@commands.command("wait")
def wait_for_services(
    seconds: Annotated[float, typer.Option("--for", min=0, help="Seconds to try.")] = 300.0,
    lake: Annotated[bool, typer.Option(help="Wait for the lake.")] = True,
    registry: Annotated[bool, typer.Option(help="Wait for the registry.")] = True,
    runtime: Annotated[bool, typer.Option(help="Wait for the champion's runtime image.")] = False,
) -> None:
    """Wait until the lake and the registry let the user of the settings in."""
    settings = context.current()
    deadline = time.monotonic() + seconds
    if lake:
        # A small question: on FerretDB a count reads the whole lake.
        _until(deadline, "the lake", lambda: context.lake(settings).last_ingest())
        out.print("the lake answers")
    if registry:
        _until(deadline, "the registry", lambda: context.registry(settings).champion())
        out.print("the registry answers")
    if runtime:
        _until(deadline, "the runtime image", lambda: _require_runtime(settings))
        out.print("the runtime image is there")


def _require_runtime(settings: Settings) -> None:
    """Raise ServiceError while there is nothing that a champion's image can be made from."""
    from parivision.stages.image import image_registry

    repository, _, tag = settings.runtime_image.partition(":")
    with image_registry(settings) as images:
        if images.manifest(repository, tag) is None:
            raise ServiceError(f"{images.url} has no {settings.runtime_image} yet: push it there")


def _until(deadline: float, what: str, ask: Callable[[], object]) -> None:
    """Ask until there is an answer; the last refusal is raised at the deadline."""
    left_s = max(0.0, deadline - time.monotonic())
    retry = Retry(within_s=left_s, first_s=PAUSE_S, longest_s=PAUSE_S, sleep=time.sleep, tell=say)
    # A server that has just begun may refuse its users, too, until their Job has run.
    retry.run(ask, what, lambda error: isinstance(error, PariVisionError))


def _say_done(created: tuple[str, ...], updated: tuple[str, ...]) -> None:
    for what, names in (("created", created), ("were there", updated)):
        if names:
            out.print(f"{what}: {', '.join(names)}", markup=False)

"""The command that serves the verdict on rollouts."""

import json
import threading
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from parivision.cli import context
from parivision.cli.console import now_serving
from parivision.errors import SettingsError
from parivision.settings import Settings
from parivision.settings.addresses import http_address

if TYPE_CHECKING:
    from parivision.canary.log_reader import ServedLog
    from parivision.canary.watcher import Watcher
    from parivision.models.bundle import Bundle
    from parivision.registry import Registry

commands = typer.Typer()

EVERY_S = 10.0
ANSWER_WAIT_S = 10
MODELS = 4
"""Bundles in memory: two of a rollout, two of a watch."""


@commands.command()
def judge(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8080,
    every: Annotated[float, typer.Option(min=1, help="Seconds between two looks.")] = EVERY_S,
    rules: Annotated[
        Path | None,
        typer.Option(help="JSON of the verdict's rules; what it leaves out has its default."),
    ] = None,
    pinned: Annotated[
        bool, typer.Option(help="Whether a route pins users to a track by a header.")
    ] = True,
) -> None:
    """Watch the rollouts of PARIVISION_DEPLOYMENT and answer Flagger, until a signal ends it.

    Sources that are away hold a rollout and do not end this.
    """
    import uvicorn

    from parivision.canary.app import create_app
    from parivision.canary.estimates import Expected
    from parivision.canary.log_reader import ServedLog
    from parivision.canary.loop import Loop
    from parivision.canary.metrics import Estimates, Exports

    settings = context.current()
    log = ServedLog(context.served(settings), settings.home / "labels.db")
    watcher, expected = _watcher(settings, log, rules, is_pinned=pinned), Expected(log)
    loop, stop = Loop(watcher.step, expected.step, every_s=every), threading.Event()
    thread = threading.Thread(target=loop.run, args=(stop,), name="watcher", daemon=True)
    thread.start()
    now_serving(f"verdicts on http://{host}:{port}")
    app = create_app(watcher, loop, Exports(watcher), Estimates(expected))
    try:
        uvicorn.run(app, host=host, port=port, log_level="info", access_log=False)
    finally:
        # The step that runs has time to store what it took in. One that is cut off is done again.
        stop.set()
        loop.wake()
        thread.join(timeout=ANSWER_WAIT_S)


def _watcher(
    settings: Settings, log: "ServedLog", rules: Path | None, *, is_pinned: bool
) -> "Watcher":
    import httpx

    from parivision import kubernetes
    from parivision.canary.interfaces import Sources
    from parivision.canary.prometheus import TIMEOUT_S, Prometheus
    from parivision.canary.store import MongoRollouts
    from parivision.canary.watcher import Watcher
    from parivision.verdict import Rules

    if not settings.prometheus:
        raise SettingsError("PARIVISION_PROMETHEUS is not set: expected its address, http://...")
    http_address("PARIVISION_PROMETHEUS", settings.prometheus, "expected http://prometheus:9090")
    given = _rules(rules) if rules else {}
    deployment = kubernetes.DeploymentTarget.parse(settings.deployment)
    client = httpx.Client(base_url=settings.prometheus, timeout=TIMEOUT_S, trust_env=False)
    route = (deployment.namespace, f"{deployment.name}-pinned") if is_pinned else None
    sources = Sources(
        target=kubernetes.RolloutTarget(kubernetes.connect(), deployment),
        # Not in the log's database, which the pods that are judged here may write to.
        rollouts=MongoRollouts(settings.lake),
        models=_RegistryModels(_registry(settings), settings.cache),
        log=log,
        counts=Prometheus(client, deployment.name, route),
    )
    return Watcher(sources, Rules.from_dict(given))


def _rules(path: Path) -> dict[str, Any]:
    try:
        given = json.loads(path.read_text("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"--rules {path}: expected a JSON object ({error})") from error
    if not isinstance(given, dict):
        raise SettingsError(f"--rules {path}: expected a JSON object, got {type(given).__name__}")
    return given


class _RegistryModels:
    """The registry, with the bundles that are in use kept in memory."""

    def __init__(self, registry: "Registry", folder: Path) -> None:
        self.champion = registry.champion
        self.version = registry.version
        self.point_alias = registry.point_alias
        self.tag_version = registry.tag_version
        self.record_rollout = registry.record_rollout
        self._load = lru_cache(MODELS)(lambda number: registry.bundle(number, folder))

    def bundle(self, number: str) -> "Bundle":
        """A version's bundle."""
        return self._load(number)


def _registry(settings: Settings) -> "Registry":
    opened = context.unasked_registry(settings)
    from parivision.registry import impatient

    impatient(ANSWER_WAIT_S)
    return opened

"""Commands on the rollout in a cluster: how it stands, why, and orders to the verdict service."""

import getpass
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from parivision.cli import context
from parivision.cli.console import out, print_json
from parivision.cli.data import Json
from parivision.errors import ServiceError

if TYPE_CHECKING:
    from parivision.kubernetes import Cluster, DeploymentTarget, Look

commands = typer.Typer()


@commands.command()
def status(json: Json = False) -> None:
    """Say how the rollout stands: phase, share of the traffic, verdict."""
    _, _, look = _look()
    found = _described(look)
    if json:
        print_json(found)
        return
    for name, value in found.items():
        if not isinstance(value, (dict, list)):
            out.print(f"{name}: {value}", markup=False, soft_wrap=True)


@commands.command()
def explain(json: Json = False) -> None:
    """Say why: every check's answer, and how the last rollouts came out."""
    _, _, look = _look()
    if json:
        print_json(look.said)
        return
    if not look.said:
        out.print("there has been no rollout yet, or no verdict service watches it")
        return
    out.print(str(look.said.get("reason", "")), markup=False, soft_wrap=True)
    table = Table("check", "answer", "why")
    for check in look.said.get("checks", ()):
        table.add_row(check["name"], check["outcome"], check["reason"])
    out.print(table)
    for key, ended in look.said.get("ended", {}).items():
        text = f"{key}: {ended['outcome'].replace('_', ' ')}: {ended['reason']}"
        out.print(text, markup=False, soft_wrap=True)


@commands.command()
def abort() -> None:
    """Have the rollout that is under way rolled back."""
    _order("abort")


@commands.command()
def promote() -> None:
    """Have the rollout that is under way promoted at once, whatever the verdict says."""
    from parivision.kubernetes import canary

    cluster, place, look = _order("promote")
    canary.force(cluster, place, look.target)


def _order(order: str) -> "tuple[Cluster, DeploymentTarget, Look]":
    from parivision.kubernetes import canary

    cluster, place, look = _look()
    if not look.is_running:
        raise ServiceError(
            f"there is no rollout to {order}: the Canary {place} is {look.phase or 'new'}"
        )
    canary.order(cluster, place, {"key": look.key, "order": order, "by": getpass.getuser()})
    out.print(f"ordered for version {look.target.version}: {order}", markup=False)
    return cluster, place, look


def _look() -> "tuple[Cluster, DeploymentTarget, Look]":
    from parivision import kubernetes

    cluster = kubernetes.connect()
    place = kubernetes.DeploymentTarget.parse(context.current().deployment)
    found = kubernetes.look(cluster, place)
    if found is None:
        raise ServiceError(
            f"no Canary rolls {place} out: install the chart with global.canary.enabled, or name "
            "another Deployment in PARIVISION_DEPLOYMENT"
        )
    return cluster, place, found


def _described(look: "Look") -> Mapping[str, Any]:
    """What `status` shows; the verdict's part only where it is about this rollout."""
    said = look.said if look.said.get("key") == look.key else {}
    return {
        "phase": look.phase or "new",
        "served": look.primary.version if look.primary else "",
        "target": look.target.version,
        "weight": look.weight,
        "mirrored": look.is_mirrored,
        "suspended": look.is_suspended,
        "outcome": said.get("outcome", ""),
        "action": said.get("action", ""),
        "stage": said.get("stage", ""),
        "end": said.get("end", ""),
        "reason": said.get("reason", ""),
        "checks": said.get("checks", []),
    }

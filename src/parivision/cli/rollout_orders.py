"""Commands on the rollout in a cluster: how it stands, why, and orders to the verdict service."""

import getpass
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from parivision.cli import context
from parivision.cli.console import out, print_json, say, working
from parivision.cli.data import Json
from parivision.errors import ServiceError

if TYPE_CHECKING:
    from parivision.kubernetes import CanaryState, Cluster, DeploymentTarget

commands = typer.Typer()


@commands.command()
def status(json: Json = False) -> None:
    """Say how the rollout stands: phase, share of the traffic, verdict."""
    _, _, canary = _state()
    described = _described(canary)
    if json:
        print_json(described)
        return
    for name, value in described.items():
        if not isinstance(value, (dict, list)):
            out.print(f"{name}: {value}", markup=False, soft_wrap=True)


@commands.command()
def explain(json: Json = False) -> None:
    """Say why: every check's answer, and how the last rollouts came out."""
    _, _, canary = _state()
    if json:
        print_json(canary.status)
        return
    if not canary.status:
        out.print("there has been no rollout yet, or no verdict service watches it")
        return
    out.print(str(canary.status.get("reason", "")), markup=False, soft_wrap=True)
    table = Table("check", "answer", "why")
    for check in canary.status.get("checks", ()):
        table.add_row(check["name"], check["outcome"], check["reason"])
    out.print(table)
    for key, ended in canary.status.get("ended", {}).items():
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

    # First the order, from which the verdict service knows who wanted it. Then Flagger asks nobody.
    cluster, deployment, state = _order("promote")
    canary.force(cluster, deployment, state.target)


@commands.command("return")
def return_to(
    version: Annotated[str, typer.Argument(help="The former champion's version in MLflow.")],
    canary: Annotated[
        bool, typer.Option("--canary", help="Roll it out as a challenger: step by step, judged.")
    ] = False,
    why: Annotated[str, typer.Option(help="Kept in the record and in the events.")] = "",
) -> None:
    """Bring a former champion back, at once; its watch may have ended long ago.

    All traffic moves when its pods are ready, and nothing is judged. What cannot be returned to is
    refused, and changes nothing.
    """
    from parivision.kubernetes import returns

    settings = context.current()
    cluster, deployment, _ = _state()
    order = returns.ReturnOrder.new(version, getpass.getuser(), why, is_judged=canary)
    with working(f"return to version {version}"):
        returns.bring_back(
            order,
            deployment,
            cluster=cluster,
            say=say,
            timeout_s=settings.deploy_timeout_s,
            rollout_s=settings.rollout_timeout_s,
        )
    out.print(f"version {version} serves all users; the registry follows within a minute")


def _order(order: str) -> "tuple[Cluster, DeploymentTarget, CanaryState]":
    from parivision.kubernetes import canary

    cluster, deployment, state = _state()
    if not state.is_running:
        raise ServiceError(
            f"there is no rollout to {order}: the Canary {deployment} is {state.phase or 'new'}"
        )
    canary.order_end(cluster, deployment, state, order, getpass.getuser())
    out.print(f"ordered for version {state.target.version}: {order}", markup=False)
    return cluster, deployment, state


def _state() -> "tuple[Cluster, DeploymentTarget, CanaryState]":
    from parivision import kubernetes

    cluster = kubernetes.connect()
    deployment = kubernetes.DeploymentTarget.parse(context.current().deployment)
    state = kubernetes.canary_state(cluster, deployment)
    if state is None:
        raise ServiceError(
            f"no Canary rolls {deployment} out: install the chart with global.canary.enabled, or "
            "name another Deployment in PARIVISION_DEPLOYMENT"
        )
    return cluster, deployment, state


def _described(canary: "CanaryState") -> Mapping[str, Any]:
    """What `status` shows; the verdict's part only where it is about this rollout."""
    status = canary.status if canary.status.get("key") == canary.key else {}
    return {
        "phase": canary.phase or "new",
        "served": canary.primary.version if canary.primary else "",
        "target": canary.target.version,
        "weight": canary.weight,
        "mirrored": canary.is_mirrored,
        "suspended": canary.is_suspended,
        "outcome": status.get("outcome", ""),
        "action": status.get("action", ""),
        "stage": status.get("stage", ""),
        "end": status.get("end", ""),
        "reason": status.get("reason", ""),
        "checks": status.get("checks", []),
    }

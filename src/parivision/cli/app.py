"""The command line: its groups and what they share."""

import typer

from parivision import __version__
from parivision.cli import (
    backups,
    cluster,
    console,
    data,
    demo,
    exporter,
    kubeflow,
    models,
    page,
    pipelines,
    prediction_log,
    retraining,
    rollout_demo,
    rollout_orders,
    rollouts,
    serving,
    studies,
    verdict_service,
)

# Errors are told by `cli.run`. Typer's pretty tracebacks would show local values, credentials too.
app = typer.Typer(
    name="parivision",
    help="NBA shot prediction, from raw shots to a served champion.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
# Groups are for the files only: for users these commands stand side by side.
for group in (
    *(pipelines, demo, data, models, serving, page, studies, exporter),
    *(verdict_service, cluster, kubeflow, retraining, backups),
):
    app.registered_commands += group.commands.registered_commands
app.add_typer(prediction_log.predictions, name="predictions", help="What was served, from its log.")
app.add_typer(prediction_log.outcomes, name="outcomes", help="How shots ended, for the log.")
app.add_typer(studies.backtest, name="backtest", help="What would have been: seasons, drift.")
for part in (rollout_orders, rollout_demo):
    rollouts.commands.registered_commands += part.commands.registered_commands
app.add_typer(rollouts.commands, name="rollout", help="Rollouts of a new champion, judged.")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Settings come from the environment; README.md lists them."""
    del version  # its callback has answered
    console.command(ctx.invoked_subcommand or "")

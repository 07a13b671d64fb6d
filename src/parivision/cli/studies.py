"""Commands that study or run the whole: drift, pipelines, backtests, the demo."""

from pathlib import Path
from typing import Annotated

import typer

from parivision.cli import context
from parivision.cli.console import bar, out, print_json, say
from parivision.cli.data import SOURCE_HELP, Json

commands = typer.Typer()
backtest = typer.Typer(no_args_is_help=True)

SYNTHETIC = "synthetic:?seed=1&seasons=2021-2023&games=360"


@backtest.command()
def seasons(
    data: Annotated[str, typer.Option(help=SOURCE_HELP)],
    models: Annotated[
        str, typer.Option(help="Families to train each season, separated by commas.")
    ] = "lightgbm",
    json: Json = False,
    plot: Annotated[Path | None, typer.Option(help="SVG file for the picture.")] = None,
) -> None:
    """Run the training pipeline's decision at the end of every season, knowing nothing later.

    The rule's next-season log loss stands beside never retraining and always taking the newest.
    """
    from parivision import backtest as study
    from parivision.sources.open import open_source
    from parivision.sources.read import read_shots

    settings = context.current()
    shots, _ = read_shots(open_source(data))
    results = []
    with bar("seasons") as progress:
        for result in study.by_season(shots, models.split(","), settings.seed, progress):
            results.append(result)
            say(f"{result.season}: {result.winner}; {result.reason}")
    table = study.to_frame(results)
    if plot:
        from parivision import plots

        plot.write_text(plots.figure_svg(study.figure(table)))
    if json:
        print_json({"seasons": table.to_dicts(), **study.summary(table)})
        return
    for row in table.drop("reason").iter_rows():
        out.print("  ".join(f"{v:.4f}" if isinstance(v, float) else str(v) for v in row))
    for name, value in study.summary(table).items():
        out.print(f"{name}: {value:.4f}", markup=False)

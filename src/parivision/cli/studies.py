"""Commands that study or run the whole: drift, pipelines, backtests, the demo."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parivision.cli import context
from parivision.cli.console import bar, out, print_json, say, working
from parivision.cli.data import SOURCE_HELP, Json
from parivision.reports.numbers import number

if TYPE_CHECKING:
    from polars import DataFrame

commands = typer.Typer()
backtest = typer.Typer(no_args_is_help=True)
Plot = Annotated[Path | None, typer.Option(help="SVG file for the picture.")]
Keep = Annotated[
    Path | None,
    typer.Option(help="Folder for the trained models: run again, it goes on from there."),
]


@backtest.command()
def seasons(
    data: Annotated[str, typer.Option(help=SOURCE_HELP)],
    models: Annotated[
        str, typer.Option(help="Families to train each season, separated by commas.")
    ] = "lightgbm",
    json: Json = False,
    plot: Plot = None,
    keep: Keep = None,
) -> None:
    """Run the training pipeline's decision at the end of every season, knowing nothing later.

    The rule's next-season log loss stands beside never retraining and always taking the newest.
    """
    from parivision.backtests import seasons as study
    from parivision.sources.open import open_source
    from parivision.sources.read import read_shots

    settings = context.current()
    with working("reading the shots"):
        shots, _ = read_shots(open_source(data))
    results = []
    with bar("seasons") as progress:
        families = models.split(",")
        for result in study.by_season(shots, families, settings.seed, progress, keep):
            results.append(result)
            say(f"{result.season}: {result.winner}; {result.reason}")
    table = study.to_frame(results)
    if plot:
        from parivision.reports import backtests, plots

        plot.write_text(plots.figure_svg(backtests.policies_figure(table)))
    if json:
        print_json({"seasons": table.to_dicts(), **study.summary(table)})
        return
    for row in table.drop("reason").iter_rows():
        out.print("  ".join(number(v, ".4f" if isinstance(v, float) else "") for v in row))
    for name, value in study.summary(table).items():
        out.print(f"{name}: {number(value, '.4f')}", markup=False)


@backtest.command("drift")
def drift_weeks(
    data: Annotated[str, typer.Option(help=SOURCE_HELP)],
    reference: Annotated[str, typer.Option(help="Seasons of the training data, by commas.")],
    season: Annotated[int, typer.Option(help="Season to watch, week by week.")],
    unconverted: Annotated[
        bool, typer.Option(help="Feed the season in the frame of the 2020 and 2021 files.")
    ] = False,
    family: Annotated[
        str, typer.Option(help="Also train this family on the reference and judge the labels.")
    ] = "",
    json: Json = False,
) -> None:
    """Say what the drift monitor would have said, week by week, in a season that is over."""
    from parivision.backtests import drift
    from parivision.sources.open import open_source
    from parivision.sources.read import read_shots

    years = _years(reference)
    with working("reading the shots"):
        shots, _ = read_shots(open_source(data))
    with bar("weeks") as progress:
        table = drift.weekly_backtest(
            shots,
            years,
            season,
            frame="tenfold" if unconverted else "hoop",
            family=family or None,
            progress=progress,
        )
    if json:
        print_json({"weeks": table.to_dicts()})
        return
    for row in table.iter_rows(named=True):
        out.print("  ".join(str(value) for value in row.values()), markup=False, soft_wrap=True)
    alarms = table.filter(table["verdict"] == "drift").height
    plain = table.filter(table["plain_tests"] != "").height
    out.print(f"{alarms} of {table.height} weeks with an alarm; plain tests: {plain}")


@backtest.command("estimated")
def estimated_weeks(
    data: Annotated[str, typer.Option(help=SOURCE_HELP)],
    seasons: Annotated[
        str,
        typer.Option(help="Seasons to estimate: 2020,2021, or 2018-2023 for those that are there."),
    ] = "2018-2023",
    json: Json = False,
    plot: Plot = None,
    keep: Keep = None,
) -> None:
    """Estimate each week's log loss and ROC-AUC without outcomes, and hold it against them."""
    from parivision.backtests import estimated as study
    from parivision.sources.open import open_source
    from parivision.sources.read import read_shots

    is_range = "-" in seasons
    # A range is its two ends, until the shots tell which seasons there are.
    years = _years(seasons.replace("-", ",", 1))
    with working("reading the shots"):
        shots, _ = read_shots(open_source(data))
    if is_range:
        known = set(shots["season"].unique())
        years = [year for year in range(years[0], years[1] + 1) if year in known]
    with bar("seasons") as progress:
        seed = context.current().seed
        weeks = list(study.by_week(shots, years, seed=seed, keep=keep, progress=progress))
    table = study.to_frame(weeks)
    if plot:
        from parivision.reports import backtests, plots

        plot.write_text(plots.figure_svg(backtests.estimates_figure(table)))
    summary = study.by_season(table)
    if json:
        print_json({"weeks": table.to_dicts(), "seasons": summary.to_dicts()})
        return
    _print_estimates(summary)


def _print_estimates(summary: "DataFrame") -> None:
    """A sentence for each season of `parivision.backtests.estimated.by_season`."""
    for row in summary.iter_rows(named=True):
        out.print(
            f"{row['season']}: log loss inside in {row['inside']} of {row['weeks']} weeks, "
            f"{row['quiet_inside']} of the {row['quiet']} whose labels did not move; interval "
            f"{number(row['width'], '.4f')} wide, the weeks' own spread "
            f"{number(row['spread'], '.4f')}; outcomes "
            f"{number(row['mean_difference'], '+.4f')} from the estimate; "
            f"ROC-AUC inside in {row['roc_auc_inside']}",
            markup=False,
            soft_wrap=True,
        )


def _years(text: str) -> list[int]:
    if not all(year.isdecimal() for year in text.split(",")):
        raise typer.BadParameter(f"{text!r}: expected seasons such as 2018,2019")
    return [int(year) for year in text.split(",")]


@commands.command()
def drift(json: Json = False) -> None:
    """Compare the snapshot's newest games with the champion's training data."""
    from parivision.stages import drift as stage

    settings = context.current()
    folder = settings.reports / "drift"
    with working("comparing the newest games with the champion's"):
        context.registry(settings, is_long=True)
        outcome = stage.drift(settings, settings.shots, folder)
    summary = outcome.summary
    if json:
        print_json(summary.to_dict() if summary else {"verdict": "no champion"})
        return
    if summary is None:
        out.print("there is no champion yet: nothing to compare with")
        return
    out.print(f"{summary.verdict}: {', '.join(summary.drifted_columns) or 'no column'} drifted")
    performance = summary.performance
    text = f"outcomes: {performance.verdict}: {performance.reason}"
    out.print(text, markup=False, soft_wrap=True)
    out.print(f"report: {outcome.page}", markup=False, soft_wrap=True)

"""Commands on shots: ingest, refine, export, look, explore, and the stats API."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from parivision.cli import context
from parivision.cli.console import bar, now_serving, out, print_json, say, working
from parivision.errors import FilesError

if TYPE_CHECKING:
    from parivision.lake.ingest import IngestReport
    from parivision.lake.refine import RefineReport
    from parivision.lake.snapshot import Snapshot
    from parivision.stats_api.origins import Origin

commands = typer.Typer()

SOURCE_HELP = (
    "synthetic:?seed=1&seasons=2021-2023&games=400, live:?seasons=current&until=yesterday, "
    "http://stats-api:8000, or a file or folder of season files, feed records or nba_api's tables"
)
LEAGUE_HELP = "League of the snapshot: nba or gleague."
SEASON_TYPES_HELP = "Parts of the season in the snapshot, such as Regular Season,Playoffs,PlayIn."
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@commands.command()
def ingest(
    source: Annotated[str, typer.Argument(help=SOURCE_HELP)],
    limit: Annotated[int | None, typer.Option(min=1, help="Stop after so many records.")] = None,
    json: Json = False,
) -> None:
    """Bring new records of a source into bronze, from where the last run stopped.

    A faulty line goes to quarantine. Files that cannot be used are listed at the end, with exit
    code 1; what the others hold is in bronze, and the next run tries them again.
    """
    from parivision.lake.ingest import UnreadFilesError
    from parivision.stages import ingest as stage

    settings = context.current()
    failure: UnreadFilesError | None = None
    with bar("records") as progress:
        try:
            report = stage.ingest(settings, source, limit=limit, progress=progress)
        except UnreadFilesError as error:
            failure, report = error, error.report
    if json:
        print_json(vars(report))
    else:
        _print_ingested(report)
    # Behind the report: what could be read is in the lake, whatever the files at fault.
    if failure is not None:
        raise failure


def _print_ingested(report: "IngestReport") -> None:
    from parivision.lake import makes_only

    out.print(
        f"{report.records:,} records read: {report.new:,} new, {report.duplicates:,} there "
        f"already, {report.conflicts:,} in conflict (see `parivision quarantine`)"
    )
    if report.faulty:
        out.print(f"{report.faulty:,} more in quarantine: lines of files that are no records")
    if report.games_without_miss:
        sentence = makes_only.sentence_on_source(report.games_without_miss)
        out.print(sentence, markup=False, soft_wrap=True)


@commands.command()
def refine(
    check_geometry: Annotated[
        bool, typer.Option(help="Refuse places that contradict the reported distance.")
    ] = True,
    until: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"],
            help="Leave games from this day on out of the training snapshot.",
        ),
    ] = None,
    league: Annotated[str, typer.Option(help=LEAGUE_HELP)] = "nba",
    season_types: Annotated[str, typer.Option(help=SEASON_TYPES_HELP)] = "Regular Season",
    json: Json = False,
) -> None:
    """Turn new bronze records into silver shots, and write the snapshot that training reads."""
    from parivision.stages import refine as stage

    settings = context.current()
    with working("records") as activity:

        def on_refined(report: "RefineReport") -> None:
            if not json:
                _print_refined(report)
            activity.rename("writing the snapshot")

        refined = stage.refine(
            settings,
            f"{until:%Y-%m-%d}" if until else "",
            settings.shots,
            league=league,
            season_types=season_types,
            check_geometry=check_geometry,
            has_outcomes_published=False,  # `parivision outcomes import --from-lake` does it
            progress=activity.advance,
            on_refined=on_refined,
        )
    if json:
        left_out = len(refined.snapshot.doubted.left_out)
        totals = {"snapshot": refined.snapshot.rows, "games_left_out": left_out}
        print_json({**vars(refined.report), **totals})
    else:
        _print_snapshot(refined.snapshot, settings.shots)


def _print_snapshot(snapshot: "Snapshot", path: Path) -> None:
    for sentence in filter(None, (snapshot.doubted.sentence, snapshot.other_parts_sentence)):
        out.print(sentence, markup=False, soft_wrap=True)
    out.print(f"{snapshot.rows:,} shots in {path}", markup=False, soft_wrap=True)


def _print_refined(report: "RefineReport") -> None:
    out.print(
        f"{report.records:,} records refined: {report.silver:,} shots, "
        f"{report.quarantined:,} in quarantine, {report.duplicates:,} there already"
    )
    for reason, count in report.reasons.items():
        out.print(f"  {count:,}  {reason}", markup=False)
    if report.strangers:
        out.print(report.strangers_sentence, markup=False, soft_wrap=True)


@commands.command()
def export(path: Annotated[Path, typer.Argument(help="CSV file to write.")]) -> None:
    """Write silver, all leagues, as canonical CSV: equal lakes give equal bytes."""
    with working("exporting silver"):
        rows = context.lake(context.current()).export_silver(path)
    say(f"{rows:,} shots in {path}")


@commands.command()
def quarantine(
    limit: Annotated[int, typer.Option(min=1, help="Show so many records.")] = 20,
) -> None:
    """Show records that could not become shots, with the reasons."""
    import polars as pl

    table = context.lake(context.current()).quarantine()
    counts = table["reason"].value_counts(sort=True)
    out.print(f"{len(table):,} records in quarantine")
    for reason, count in counts.iter_rows():
        out.print(f"  {count:,}  {reason}", markup=False)
    for row in table.head(limit).select(pl.col("source", "reason", "record")).iter_rows():
        out.print(" | ".join(str(cell) for cell in row), markup=False, soft_wrap=True)


@commands.command()
def status(json: Json = False) -> None:
    """Say what is there: rows of each layer, the champion, the service."""
    from parivision.packaging import local_deployment

    settings = context.current()
    counts = vars(context.lake(settings).counts())
    champion, trouble = context.registry(settings).standing()
    served = local_deployment.status(settings.serving)
    values = {
        "home": settings.home,
        **counts,
        "champion": champion and {"version": champion.number, **champion.tags, **trouble},
        "service": served and vars(served),
    }
    if json:
        print_json(values)
        return
    for name, value in values.items():
        out.print(f"{name}: {value}", markup=False, soft_wrap=True)


@commands.command()
def eda(
    source: Annotated[
        str, typer.Option("--data", help=f"Explore this source in place of silver: {SOURCE_HELP}")
    ] = "",
    to: Annotated[
        Path | None, typer.Option(help="HTML file; default HOME/reports/eda.html")
    ] = None,
) -> None:
    """Write the report on the shots: correlations, success by everything, maps of the court.

    Files of --data that cannot be used are listed at the end, with exit code 1.
    """
    from parivision.reports.eda import write
    from parivision.sources.open import open_source
    from parivision.sources.read import read_shots

    settings = context.current()
    unread: list[FilesError] = []
    with working("reading the shots"):
        if source:
            shots, _ = read_shots(open_source(source), unread)
        else:
            shots = context.lake(settings).silver()
    path = to or settings.reports / "eda.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    with bar("sections") as progress:
        write(shots, path, progress=progress)
    out.print(str(path), markup=False, soft_wrap=True)
    if unread:
        raise unread[0]


@commands.command("stats-api")
def stats_api(
    source: Annotated[
        str, typer.Option("--archive", help="A synthetic: URI, `lake`, or files")
    ] = "synthetic:?seasons=2021-2023",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8000,
) -> None:
    """Replay an archive of shots as a feed: /getdata/{n}, /shots?after=&limit=, /reset, /health."""
    from parivision.stats_api import app as api
    from parivision.stats_api.archive import open_archive

    settings = context.current()
    origin = _origin(source)
    say(f"replaying {origin.label} on http://{host}:{port}")
    folder = settings.home / "stats-api"
    with bar("archive") as progress:
        # Made here, with a bar to look at; `serve` finds it on the disk.
        open_archive(origin, folder, progress)
    now_serving()
    api.serve(origin, folder, host=host, port=port)


def _origin(source: str) -> "Origin":
    """The archive that a stats API replays."""
    from parivision.sources.open import synthetic_config
    from parivision.stats_api import origins

    if source == "lake":
        return origins.lake_origin(context.lake(context.current()))
    if source.startswith("synthetic:"):
        return origins.synthetic_origin(synthetic_config(source))
    return origins.file_origin(Path(source))

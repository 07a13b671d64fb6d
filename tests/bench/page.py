"""The figures as a page and a plot: ratios first, since machines differ."""

from pathlib import Path
from typing import Any

from bench.serving import CLIENTS, FLOOR, OURS

Results = dict[str, Any]


def write(results: Results, page: Path) -> None:
    """Write the page, and the plot beside it."""
    parts = [_head(results), *_serving(results), *_stages(results), *_history(results)]
    page.write_text("\n\n".join(parts) + "\n")
    _plot(results, page.with_suffix(".svg"))


def _head(results: Results) -> str:
    rounds, seconds = results["rounds"], results["seconds"]
    return (
        "# What it costs\n\n"
        "Made by `make bench`; do not edit. One run on loopback: the servers take turns, "
        f"{rounds} rounds of {seconds:g} s for each number of clients, medians of rounds. "
        f"Machine: {results['machine']}. It may have been busy with other things; what is "
        "comparable is the ratios, and CPU time.\n\n"
        "PariVision computes all features from the raw facts of a shot, validates, counts and "
        "logs; the others get the finished row of numbers and do none of that."
    )


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _serving(results: Results) -> list[str]:
    serving = results["serving"]
    found = {(each["server"], each["clients"]): each for each in serving["requests"]}
    servers = list(dict.fromkeys(each["server"] for each in serving["requests"]))
    rows = []
    for server in servers:
        cells = [server]
        for clients in CLIENTS:
            each, floor = found[server, clients], found[FLOOR, clients]
            ratio = each["cpu_us"] / floor["cpu_us"]
            cells.append(
                f"{each['cpu_us']:.0f} ({ratio:.1f}x), {each['a_second']:.0f}, "
                f"{each['p50_ms']:.1f}/{each['p99_ms']:.1f}"
            )
        start = serving["starts"][server]
        cells += [f"{start['ready_s']:.1f}", f"{start['memory_mb']:.0f}"]
        cells.append(str(int(sum(found[server, clients]["errors"] for clients in CLIENTS))))
        rows.append(cells)
    header = ["server", *(f"{clients} client{'s' * (clients > 1)}" for clients in CLIENTS)]
    header += ["ready, s", "memory, MB", "errors"]
    return [
        "## One shot a request",
        (
            "CPU microseconds a request (times the floor's), requests a second, and milliseconds "
            "(median/p99):"
        ),
        _table(header, rows),
        "![CPU a request](bench.svg)",
        _under_load(serving),
        "## Many shots a request",
        _table(
            ["way", "shots for a second of CPU", "shots a second", "memory, MB"],
            [
                [
                    each["way"],
                    f"{each['shots_cpu_s']:,.0f}",
                    f"{each['shots_s']:,.0f}",
                    f"{each['memory_mb']:.0f}",
                ]
                for each in serving["bulk"]
            ],
        ),
    ]


def _under_load(serving: Results) -> str:
    half, triple, health = serving["half"], serving["triple"], serving["health"]
    floor = serving["half_floor"]
    statuses = ", ".join(f"{count} with {status}" for status, count in triple["statuses"].items())
    return (
        f"At half of its most ({half['offered_a_second']:.0f} a second): median "
        f"{half['p50_ms']:.2f} ms, p99 {half['p99_ms']:.2f} ms, "
        f"{half['errors']:.0f} errors; "
        f"the floor at the same rate: {floor['p50_ms']:.2f} and {floor['p99_ms']:.2f} ms. "
        f"Offered three times its most ({triple['offered_a_second']:.0f} a second, 512 "
        f"clients): {statuses}, {triple['lost']} lost; the slowest exchange took "
        f"{triple['slowest_exchange_ms']:.0f} ms. Health was asked {health['asked']} times "
        f"meanwhile, failed {health['bad']} times, and took {health['slowest_ms']:.0f} ms at most."
    )


def _stages(results: Results) -> list[str]:
    stages = results["stages"]
    slowest = min(each["rows_s"] for each in stages["etl"])
    features, report, step = stages["features"], stages["report"], stages["step"]
    return [
        "## Stages",
        _table(
            ["store", "rows", "to bronze, rows/s", "to silver, rows/s", "both"],
            [
                [
                    each["store"],
                    f"{each['rows']:,}",
                    f"{each['bronze_rows_s']:,.0f}",
                    f"{each['silver_rows_s']:,.0f}",
                    f"{each['rows_s']:,.0f} ({each['rows_s'] / slowest:.0f}x)",
                ]
                for each in stages["etl"]
            ],
        ),
        (
            f"Features: {features['rows']:,} shots to the full matrix, the walk over all days "
            f"included, in {features['seconds']:.2f} s: {features['rows_s']:,.0f} a second."
        ),
        _table(
            ["family", "training, s", "its CPU, s", "one shot, CPU us (without HTTP)"],
            [
                [
                    each["family"],
                    f"{each['seconds']:.1f}",
                    f"{each['cpu_s']:.1f}",
                    f"{each['one_shot_us']:.0f}",
                ]
                for each in stages["training"]
            ],
        ),
        (
            f"Drift of {report['rows']:,} shots: our summary {report['detect_s']:.2f} s, with "
            f"Evidently's pages {report['report_s']:.1f} s more. A step of a local pipeline that "
            f"does next to nothing: {step['step_s']:.2f} s."
        ),
    ]


def _history(results: Results) -> list[str]:
    if "history" not in results:
        return []
    return [
        "All seasons that there are (`make bench DATA=FOLDER`), files, each stage a process:",
        _table(
            ["stage", "rows", "s", "CPU s", "rows/s", "most memory, MB"],
            [
                [
                    each["stage"],
                    f"{each['rows']:,}",
                    f"{each['seconds']:.0f}",
                    f"{each['cpu_s']:.0f}",
                    f"{each['rows'] / each['seconds']:,.0f}",
                    f"{each['peak_mb']:,.0f}",
                ]
                for each in results["history"]
            ],
        ),
    ]


def _plot(results: Results, path: Path) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    # The same figures give the same file.
    mpl.rcParams["svg.hashsalt"] = "bench"
    from matplotlib import pyplot as plt

    found = results["serving"]["requests"]
    servers = list(dict.fromkeys(each["server"] for each in found))
    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    height = 0.8 / len(CLIENTS)
    for place, clients in enumerate(CLIENTS):
        values = [each["cpu_us"] for each in found if each["clients"] == clients]
        at = [index + (place - 1) * height for index in range(len(servers))]
        axes.barh(at, values, height, label=f"{clients} client{'s' * (clients > 1)}")
    axes.set_yticks(range(len(servers)), servers)
    for label in axes.get_yticklabels():
        label.set_fontweight("bold" if label.get_text() == OURS else "normal")
    axes.invert_yaxis()
    axes.set_xlabel("CPU microseconds a request")
    axes.legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)

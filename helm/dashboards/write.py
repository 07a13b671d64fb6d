"""Write the dashboards' JSON into the chart of the monitoring; a test compares them."""

from importlib import import_module
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

FOLDER: Final = Path(__file__).parents[1] / "parivision/charts/monitoring/files/dashboards"
NAMES: Final = ("cluster", "database", "drift", "model", "pipelines", "rollout", "service")


def text(name: str) -> str:
    """A dashboard as Grafana reads it."""
    built = import_module(f"dashboards.{name}").build()
    return JSONEncoder(sort_keys=True, indent=2).encode(built) + "\n"


if __name__ == "__main__":
    for each in NAMES:
        FOLDER.joinpath(f"{each}.json").write_text(text(each))

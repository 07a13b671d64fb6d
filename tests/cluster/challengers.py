"""Challengers of the cluster's champion, each with one fault or none, registered and in an image.

A fault of the model is in what MLflow has of it too; a fault of the image is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from cluster.live_cluster import LiveCluster
from parivision import settings
from parivision.features import tables
from parivision.features.form import Form
from parivision.kubernetes import Release
from parivision.models.bundle import Bundle, Part
from parivision.models.estimators import Constant
from parivision.models.training import History, Recipe, train
from parivision.registry import Registry
from parivision.shots import court
from parivision.shots.split import time_split
from parivision.simulation.challengers import recalibrated
from parivision.simulation.traffic import GAMES
from parivision.sources.synthetic import Drift, SyntheticConfig, generate
from parivision.stages.challenger import Spoil, make_release

IMAGES: Final = "http://127.0.0.1:30500/shots"
PULLED_FROM: Final = "localhost:30500/shots"
SEASONS: Final = (2022, 2023)
"""Of the league that the first champion was trained on."""


@dataclass(frozen=True)
class Workshop:
    """Where challengers are made: the registry, the image registry, and a folder."""

    registry: Registry
    home: settings.Settings
    folder: Path

    def release(self, name: str, bundle: Bundle, fault: Spoil | None = None) -> Release:
        """Register a bundle as a pipeline's winner, and push its image, spoilt by `fault`."""
        return make_release(
            *(self.registry, self.home, self.folder, name, bundle),
            reason=f"test of the rollout: {name}",
            spoil=fault,
        )


def image_settings(cluster: LiveCluster, folder: Path) -> settings.Settings:
    """A home in `folder`, with the login of the cluster's image registry on 127.0.0.1."""
    values = {
        "PARIVISION_HOME": str(folder / "home"),
        "PARIVISION_IMAGES_PUSH": IMAGES,
        "PARIVISION_IMAGES_PULL": PULLED_FROM,
        "PARIVISION_IMAGES_USERNAME": cluster.secret("parivision-images", "username"),
        "PARIVISION_IMAGES_PASSWORD": cluster.secret("parivision-images", "password"),
    }
    return settings.read(values)


# Where the predictor computes: many shots, and one.
MANY: Final = "        facts = from_columns(rows.columns, rows.size, self._today())\n"
ONE: Final = "        inputs = self._inputs_of(shot)\n"


def spoilt(many: str, one: str) -> Spoil:
    """A fault in the image's code: what the predictor does before it computes many, or one."""

    def apply(source: Path) -> None:
        path = source / "parivision" / "serving" / "predictor.py"
        code = path.read_text()
        for line, before in ((MANY, many), (ONE, one)):
            assert code.count(line) == 1, f"the predictor has no such line, or several: {line}"
            code = code.replace(line, before + line)
        path.write_text(code)

    return apply


_THIRD: Final = (
    "        import random\n"
    "        if random.random() < 0.3:\n"
    "            raise RuntimeError('a third of the answers')\n"
)
_WAIT: Final = "        import time\n        time.sleep(0.15)\n"
_IN_METRES: Final = "{**shot, 'x_ft': shot['x_ft'] * 0.3048, 'y_ft': shot['y_ft'] * 0.3048}"
ERRORS: Final = spoilt(_THIRD, _THIRD)
LATENCY: Final = spoilt(_WAIT, _WAIT)
_ALL_IN_METRES: Final = (
    "{**rows.columns, 'x_ft': np.array(rows.columns['x_ft']) * 0.3048, "
    "'y_ft': np.array(rows.columns['y_ft']) * 0.3048}"
)
WRONG_UNITS: Final = spoilt(
    f"        rows = Rows({_ALL_IN_METRES}, rows.size)\n", f"        shot = {_IN_METRES}\n"
)


def no_start(source: Path) -> None:
    """A file of the model that cannot be read: the process ends."""
    (source / "bundle" / "form.npz").write_bytes(b"not an archive")


def trained(table: pl.DataFrame, family: str = "lightgbm") -> Bundle:
    """A model of a family, on a table of shots."""
    ordered = tables.in_time_order(table)
    history = History.of(tables.facts_from_shots(ordered), tables.made_array(ordered))
    return train(history, time_split(history.facts.day), Recipe(family))


def league(drift: Drift | None = None) -> pl.DataFrame:
    """The first champion's shots, as they were or under a drift."""
    config = SyntheticConfig(seed=1, seasons=SEASONS, games_a_season=GAMES)
    return generate(config if drift is None else replace(config, drift=drift))


def mean(bundle: Bundle) -> Bundle:
    """The league's mean for every shot."""
    part = Part(("rate_zone",), Constant(0.47))
    return Bundle("league_mean", "full", {"without_action": part}, Form(), dict(bundle.card))


def wrong_in_corners(shots: Sequence[Mapping[str, Any]]) -> Bundle:
    """A model that was taught the contrary of what corner threes do, and is level elsewhere."""
    table = league()
    taught = trained(
        table.with_columns(
            made=pl.when(_in_corner(table)).then(1 - pl.col("made")).otherwise(pl.col("made"))
        ).with_columns(pl.col("made").cast(table.schema["made"]))
    )
    ended = pl.DataFrame(shots, infer_schema_length=None)
    return recalibrated(taught, ended.filter(~_in_corner(ended)).to_dicts())


def _in_corner(shots: pl.DataFrame) -> pl.Series:
    zones = court.zone(shots["x_ft"].to_numpy(), shots["y_ft"].to_numpy())
    return pl.Series(zones == int(court.Zone.CORNER_3))

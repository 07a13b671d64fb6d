"""The monitor in 20 leagues: it names what drifted and nothing else, and keeps silent otherwise.

The truth comes from the generator: a column has drifted if two very large samples of its
population, before and after, lie further apart than the column's stated limit.
"""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest

from parivision.drift import MONITORED, DriftReference, DriftSummary, build_reference, detect
from parivision.shots import court
from parivision.sources.synthetic import Drift, SyntheticConfig, generate

# Hundreds of runs of what other tests cover: to trace them doubles the time.
pytestmark = pytest.mark.no_cover
SEEDS = range(1, 21)
LARGE_SEEDS = (901, 902)
AT_LEAST = 19
REFERENCE_GAMES = 300
WEEK_GAMES = 55
SWITCHES: Mapping[str, tuple[Drift, set[str], set[str]]] = {
    "off": (Drift(), set(), set()),
    "relabel_actions": (Drift(relabel_actions=2023), set(), {"action_type"}),
    "moved_coordinates": (
        Drift(moved_coordinates=2023),
        {"y_ft", "distance_ft", "zone"},
        {"zone"},
    ),
    "moved_coordinates tenfold": (
        Drift(moved_coordinates=2023, frame="tenfold"),
        {"x_ft", "y_ft", "zone"},
        {"zone"},
    ),
    "more_threes": (Drift(more_threes=2023), {"distance_ft", "zone", "shot_value"}, set()),
    "skill_change": (Drift(skill_change=2023), {"made"}, {"made"}),
    "all": (
        Drift(relabel_actions=2023, moved_coordinates=2023, more_threes=2023, skill_change=2023),
        {"y_ft", "distance_ft", "zone", "shot_value", "made"},
        {"made", "action_type", "zone"},
    ),
}

Rates = tuple[pl.DataFrame, float]


def with_zone(shots: pl.DataFrame) -> pl.DataFrame:
    """The shots with their zone."""
    return shots.with_columns(
        zone=pl.Series(court.zone(shots["x_ft"].to_numpy(), shots["y_ft"].to_numpy()))
    )


def fit_champion(shots: pl.DataFrame) -> Rates:
    """A champion of one table: the make rate by action type and zone, shrunken."""
    mean = float(shots["made"].mean())  # type: ignore[arg-type]
    rate = (pl.col("made").sum() + 20 * mean) / (pl.len() + 20)
    return with_zone(shots).group_by("action_type", "zone").agg(p=rate), mean


def ask_champion(champion: Rates, shots: pl.DataFrame) -> np.ndarray:
    """The champion's probabilities, in the order of the shots."""
    table, mean = champion
    joined = with_zone(shots).join(
        table, on=["action_type", "zone"], how="left", maintain_order="left"
    )
    return joined["p"].fill_null(mean).to_numpy()


def league(seed: int, season: int, games: int, drift: Drift | None = None) -> pl.DataFrame:
    """A season of one league."""
    return generate(
        SyntheticConfig(seed=seed, seasons=(season,), games_a_season=games, drift=drift or Drift())
    )


def reference_and_champion(seed: int, games: int) -> tuple[DriftReference, Rates]:
    """What the season before left: the last fifth of it are the champion's later games."""
    shots = league(seed, 2022, games)
    cut = shots.height * 4 // 5
    champion = fit_champion(shots[:cut])
    later = shots[cut:]
    return build_reference(shots[:cut], later, ask_champion(champion, later)), champion


@pytest.fixture(scope="module")
def weeks() -> dict[str, list[DriftSummary]]:
    """What the monitor says of a week's shots in every league, for every switch."""
    found: dict[str, list[DriftSummary]] = {name: [] for name in SWITCHES}
    for seed in SEEDS:
        reference, champion = reference_and_champion(seed, REFERENCE_GAMES)
        for name, (drift, _, _) in SWITCHES.items():
            week = league(seed, 2023, WEEK_GAMES, drift)
            found[name].append(detect(reference, week, ask_champion(champion, week)))
    return found


@pytest.fixture(scope="module")
def truth() -> dict[str, set[str]]:
    """The columns that really drifted, from half a million shots on either side."""
    before = pl.concat(league(seed, 2022, 1230) for seed in LARGE_SEEDS)
    reference = build_reference(before)
    limits = {column.name: dict(column.limits) for column in MONITORED}
    drifted = {}
    for name, (drift, _, _) in SWITCHES.items():
        after = pl.concat(league(seed, 2023, 1230, drift) for seed in LARGE_SEEDS)
        columns = detect(reference, after).columns
        drifted[name] = {
            column.name
            for column in columns
            if any(column.effects[effect] > limit for effect, limit in limits[column.name].items())
        }
    return drifted


@pytest.mark.parametrize("switch", SWITCHES)
def test_the_truth_is_what_the_switch_is_meant_to_move(
    truth: dict[str, set[str]], switch: str
) -> None:
    """In very large samples a switch moves its own columns and what follows from them."""
    assert truth[switch] == SWITCHES[switch][1]


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_week_names_the_drifted_columns_and_no_others(
    weeks: dict[str, list[DriftSummary]], truth: dict[str, set[str]], switch: str
) -> None:
    """One week's shots suffice to name exactly the columns that drifted, in 19 of 20 leagues."""
    right = sum(set(summary.drifted_columns) == truth[switch] for summary in weeks[switch])
    assert right >= AT_LEAST, Counter(summary.drifted_columns for summary in weeks[switch])


@pytest.mark.parametrize("switch", SWITCHES)
def test_a_week_names_the_columns_whose_meaning_changed(
    weeks: dict[str, list[DriftSummary]], switch: str
) -> None:
    """One week's ends name the columns given which shots go in otherwise, in 19 of 20 leagues."""
    meant = SWITCHES[switch][2]
    right = sum(set(s.performance.concept_columns) == meant for s in weeks[switch])
    assert right >= AT_LEAST, Counter(s.performance.concept_columns for s in weeks[switch])
    verdicts = Counter(summary.performance.verdict for summary in weeks[switch])
    assert verdicts["drift" if meant else "quiet"] >= AT_LEAST


def test_nothing_is_said_without_drift(weeks: dict[str, list[DriftSummary]]) -> None:
    """With all switches off the summary as a whole is quiet, in 19 of 20 leagues."""
    assert Counter(summary.verdict for summary in weeks["off"])["quiet"] >= AT_LEAST

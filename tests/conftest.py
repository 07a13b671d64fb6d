"""What all tests share: the tier from the folder, a small league, and a small model of it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import settings

from parivision import cli
from parivision.features import tables
from parivision.models import families
from parivision.models.bundle import Bundle
from parivision.models.training import History, Recipe, train
from parivision.shots.split import TimeSplit, time_split
from parivision.sources.synthetic import P_TRUE, SyntheticConfig, generate

# Threads that wait for each other in a loop cost ten times the work on a busy machine.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# How long an example takes says nothing on a machine that is shared.
settings.register_profile("parivision", deadline=None)
settings.load_profile("parivision")

TIERS = ("unit", "pipeline", "browser", "cluster", "kubeflow")
HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the tier that its folder stands for."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0] if item.path.is_relative_to(HERE) else ""
        if folder in TIERS:
            item.add_marker(getattr(pytest.mark, folder))


@pytest.fixture(autouse=True)
def environment_as_before() -> Iterator[None]:
    """Puts the environment back after each test: MLflow writes the server it was told into it."""
    before = dict(os.environ)
    yield
    after = dict(os.environ)
    # Pytest's own name of the running test changes while it runs.
    for name in {name for name, _ in before.items() ^ after.items()} - {"PYTEST_CURRENT_TEST"}:
        if name in before:
            os.environ[name] = before[name]
        else:
            del os.environ[name]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, whatever the environment says."""
    for name in [name for name in os.environ if name.startswith(("PARIVISION_", "MLFLOW_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PARIVISION_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(families, "THREADS", 1)
    return tmp_path / "home"


@pytest.fixture
def run(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command line in `home`; gives exit code, standard output and standard error."""

    def run_command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["parivision", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return int(stopped.value.code or 0), captured.out, captured.err

    return run_command


@pytest.fixture(scope="session")
def synthetic_shots() -> pl.DataFrame:
    """Canonical shots of two short synthetic seasons (some 5,700), in time order."""
    config = SyntheticConfig(seed=7, seasons=(2022, 2023), games_a_season=16)
    return tables.in_time_order(generate(config).drop(P_TRUE))


@pytest.fixture(scope="session")
def small_bundle(synthetic_shots: pl.DataFrame) -> Bundle:
    """LightGBM with the full feature set, trained on `synthetic_shots`."""
    facts = tables.facts_from_shots(synthetic_shots)
    history = History.of(facts, tables.made_array(synthetic_shots))
    with pytest.MonkeyPatch.context() as patch:
        # Threads that wait for each other on a busy machine take longer than one alone.
        patch.setattr(families, "THREADS", 1)
        return train(history, time_split(facts.day), Recipe("lightgbm"))


@pytest.fixture(scope="session")
def small_bundle_dir(small_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `small_bundle`, as it is registered and packed."""
    folder = tmp_path_factory.mktemp("bundle") / "bundle"
    small_bundle.save(folder)
    return folder


@pytest.fixture(scope="session")
def league_shots() -> pl.DataFrame:
    """Canonical shots of many days with few games (some 8,500 on 32 days), in time order."""
    config = SyntheticConfig(seed=1, seasons=(2022, 2023), games_a_season=120, shots_scale=0.2)
    return tables.in_time_order(generate(config).drop(P_TRUE))


@pytest.fixture(scope="session")
def league_history(league_shots: pl.DataFrame) -> History:
    """`league_shots` ready for training."""
    return History.of(tables.facts_from_shots(league_shots), tables.made_array(league_shots))


@pytest.fixture(scope="session")
def league_split(league_history: History) -> TimeSplit:
    """The split of `league_shots` by time."""
    return time_split(league_history.facts.day)


@pytest.fixture(scope="session")
def league_bundle(league_history: History, league_split: TimeSplit) -> Bundle:
    """LightGBM with the full feature set, trained on `league_shots`; copy it before it moves on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(families, "THREADS", 1)
        return train(league_history, league_split, Recipe("lightgbm"))

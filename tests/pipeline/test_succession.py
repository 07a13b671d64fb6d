"""Who becomes champion where promotions are under way at once, in processes of their own."""

import multiprocessing
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow.tracking import MlflowClient

from parivision.errors import ModelError, RegistryError
from parivision.promotion.decision import Decision
from parivision.promotion.ends import LOST_ENDS, NEVER_SERVED, OUTCOME_TAG, SERVING_ENDS
from parivision.registry import ALIAS, MODEL_NAME, Registry, quiet
from parivision.registry.records import RegisteredVersion
from parivision.registry.succession import CLAIM_S, REIGN, SUCCEEDS, Succession
from pipeline import mlflow_server

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]

WON = Decision("lightgbm", promoted=True, reason="lightgbm is better")
LOST = Decision("champion", promoted=False, reason="nobody is better")
WAIT_S = 600


class Waiting(Registry):
    """A registry whose promotions all get to the alias at the same moment."""

    barrier: Barrier
    model: str

    def _log_model(self, run_id: str, bundle: Path) -> str:
        """The model that was logged once for all, when all are here."""
        mlflow.set_tracking_uri(self.uri)
        self.barrier.wait(WAIT_S)
        return self.model


def promote(
    uri: str, artifacts: Path | None, bundle: Path, model: str, barrier: Barrier, told: Any
) -> None:
    """What each process does: a promotion against the champion that it finds."""
    quiet()
    registry = Waiting(uri, artifacts)
    registry.barrier, registry.model = barrier, model
    seen = registry.incumbent()
    barrier.wait(WAIT_S)
    try:
        made = registry.record(WON, bundle, None, against=seen)
        told.put(("promoted", made.number if made else ""))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what the process came to
        told.put((type(error).__name__, str(error)))


def at_once(count: int, *where: Any) -> list[tuple[str, str]]:
    """What so many promotions at once came to."""
    # A process that has imported MLflow once, and opened nothing, is the parent of all.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["parivision.registry", __name__])
    barrier, told = context.Barrier(count), context.Queue()
    processes = [
        context.Process(target=promote, args=(*where, barrier, told)) for _ in range(count)
    ]
    for process in processes:
        process.start()
    outcomes = [told.get(timeout=WAIT_S) for _ in processes]
    for process in processes:
        process.join(WAIT_S)
    return outcomes


@pytest.fixture(params=["sqlite", "server"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Path | None]]:
    """The address of an empty store and the place of its files, if it is ours to say."""
    quiet()
    if request.param == "server":
        with mlflow_server.serving(tmp_path) as url:
            yield url, None
        return
    uri, artifacts = f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts"
    Registry(uri, artifacts).champion()
    yield uri, artifacts


def test_of_eight_first_champions_one_is(
    store: tuple[str, Path | None], small_bundle_dir: Path
) -> None:
    """All saw that there is none: one gets the alias, and the others say so and leave nothing."""
    registry = Registry(*store)
    model = registry._log_model(registry.log("promotion"), small_bundle_dir)
    outcomes = at_once(8, *store, small_bundle_dir, model)
    winners = [said for outcome, said in outcomes if outcome == "promoted"]
    assert len(winners) == 1, outcomes
    client = MlflowClient(store[0])
    found = client.search_model_versions(f"name='{MODEL_NAME}'")
    assert [str(version.version) for version in found] == winners
    assert str(client.get_model_version_by_alias(MODEL_NAME, ALIAS).version) == winners[0]
    losers = [said for outcome, said in outcomes if outcome == "ModelError"]
    assert len(losers) == 7, outcomes
    for said in losers:
        assert "decided against no champion, and " in said
        assert said.endswith("nothing was promoted; evaluate once more")
    # Two against the same champion are told apart in the same way.
    outcomes = at_once(2, *store, small_bundle_dir, model)
    assert sorted(outcome for outcome, _ in outcomes) == ["ModelError", "promoted"], outcomes
    champion = registry.champion()
    assert champion is not None
    assert champion.tags[SUCCEEDS] == winners[0]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty registry in SQLite."""
    quiet()
    return Registry(f"sqlite:///{tmp_path}/mlflow.db", tmp_path / "artifacts")


def test_a_champion_of_another_contest_is_not_pushed_aside(
    registry: Registry, small_bundle_dir: Path
) -> None:
    """Decided against nobody, or against one that has been succeeded: loudly nothing."""
    first = registry.record(WON, small_bundle_dir, None, against=None)
    with pytest.raises(ModelError, match="against no champion, and the champion is version 1 now"):
        registry.record(WON, small_bundle_dir, None, against=None)
    second = registry.record(WON, small_bundle_dir, None, against=first)
    with pytest.raises(ModelError, match="against version 1, and the champion is version"):
        registry.record(WON, small_bundle_dir, None, against=first)
    assert second is not None
    assert (champion := registry.champion()) is not None
    assert champion.number == second.number


def source_of(client: MlflowClient) -> str:
    """Where the files of version 1 are."""
    source = client.get_model_version(MODEL_NAME, "1").source
    assert source is not None
    return source


def test_what_died_before_the_alias_is_passed_over(
    registry: Registry, small_bundle_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version whose promotion was killed stops others for minutes, and not for ever."""
    first = registry.record(WON, small_bundle_dir, None)
    client = MlflowClient(registry.uri)
    source = source_of(client)
    dead = client.create_model_version(MODEL_NAME, source, tags={SUCCEEDS: "1"}).version
    with pytest.raises(ModelError, match=f"version {dead} is taking the alias"):
        registry.record(WON, small_bundle_dir, None, against=first)
    monkeypatch.setattr("parivision.registry.succession.CLAIM_S", -1.0)
    succession = Succession(client, MODEL_NAME, ALIAS)
    late = client.create_model_version(MODEL_NAME, source, tags={SUCCEEDS: "1"}).version
    succession.succeed(str(late), "1", succession.clock() + 10)
    assert succession.holder() == str(late)


def test_who_is_too_slow_does_not_take_the_alias(registry: Registry, small_bundle_dir) -> None:
    """Others may have passed it over by then."""
    registry.record(WON, small_bundle_dir, None)
    client = MlflowClient(registry.uri)
    source = source_of(client)
    slow = client.create_model_version(MODEL_NAME, source, tags={SUCCEEDS: "1"}).version
    succession = Succession(client, MODEL_NAME, ALIAS, clock=lambda: CLAIM_S)
    with pytest.raises(RegistryError, match="took longer to register than others wait"):
        succession.succeed(str(slow), "1", 0.0)
    assert succession.holder() == "1"


def test_an_alias_that_is_moved_meanwhile_is_told(registry: Registry, small_bundle_dir) -> None:
    """Somebody's hand in MLflow at the very moment: the promotion does not claim to have won."""
    registry.record(WON, small_bundle_dir, None)
    client = MlflowClient(registry.uri)
    source = source_of(client)
    mine = client.create_model_version(MODEL_NAME, source, tags={SUCCEEDS: "1"}).version

    class Moved(MlflowClient):
        def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
            super().set_registered_model_alias(name, alias, version)
            super().set_registered_model_alias(name, alias, "1")

    succession = Succession(Moved(registry.uri), MODEL_NAME, ALIAS)
    with pytest.raises(RegistryError, match="which version 1 holds now: somebody moved it"):
        succession.succeed(str(mine), "1", succession.clock())


def test_the_last_champion_counts_when_the_alias_is_gone(
    registry: Registry, small_bundle_dir: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not the newest version but the one that served last; it is told, and may get it back."""
    for _ in range(3):
        registry.record(WON, small_bundle_dir, None)
    registry.point_alias("2")  # as after a rollback
    client = MlflowClient(registry.uri)
    client.delete_registered_model_alias(MODEL_NAME, ALIAS)
    assert registry.champion() is None
    incumbent = registry.incumbent()
    assert incumbent is not None
    assert (incumbent.number, incumbent.has_alias) == ("2", False)
    assert "no version holds the alias 'champion' in MLflow any more; version 2 held" in caplog.text
    assert registry.champion_bundle(tmp_path / "cache") is not None
    with pytest.raises(ModelError, match="against no champion, and the champion is version 2"):
        registry.record(WON, small_bundle_dir, None, against=None)
    promoted = registry.record(WON, small_bundle_dir, None, against=incumbent)
    assert promoted is not None
    client.delete_registered_model_alias(MODEL_NAME, ALIAS)
    registry.point_alias("2")
    registry.point_alias("2")
    versions = client.search_model_versions(f"name='{MODEL_NAME}'")
    # 1, 2 and 3 were champions one after the other, then 2, the promoted one, and 2 again.
    reigns = {str(version.version): version.tags[REIGN] for version in versions}
    assert reigns == {"1": "1", "2": "6", "3": "3", promoted.number: "5"}


@pytest.mark.parametrize(
    ("outcome", "last"),
    [
        *((end, "2") for end in sorted(LOST_ENDS)),
        (NEVER_SERVED, "2"),
        *((end, "3") for end in sorted(SERVING_ENDS)),
    ],
)
def test_versions_of_before_are_known_by_what_they_say(
    outcome: str, last: str, registry: Registry, small_bundle_dir: Path
) -> None:
    """Stores of earlier versions of the project have no reigns: what was promoted, and not lost."""
    for _ in range(3):
        registry.record(WON, small_bundle_dir, None)
    client = MlflowClient(registry.uri)
    for number in ("1", "2", "3"):
        for key in (REIGN, SUCCEEDS):
            client.delete_model_version_tag(MODEL_NAME, number, key)
    client.set_model_version_tag(MODEL_NAME, "3", OUTCOME_TAG, outcome)
    client.delete_registered_model_alias(MODEL_NAME, ALIAS)
    assert isinstance(incumbent := registry.incumbent(), RegisteredVersion)
    assert incumbent.number == last

"""The steps that pipelines start with, in a home of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

from parivision import settings
from parivision.errors import DataError, ServiceError, SettingsError
from parivision.lake.snapshot import read_snapshot
from parivision.prediction_log import PREDICTIONS, RecordBatch
from parivision.prediction_log.folder import FolderStore
from parivision.prediction_log.join import Joiner, labelled_since
from parivision.settings import Settings
from parivision.stages.deploy import TARGETS, deploy, is_for_cluster
from parivision.stages.drift import drift
from parivision.stages.image import push
from parivision.stages.ingest import ingest
from parivision.stages.refine import refine

SOURCE = "synthetic:?seed=3&seasons=2023&games=6"


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    """Settings of an empty home folder."""
    return settings.read({"PARIVISION_HOME": str(tmp_path / "home")})


def test_shots_come_from_a_source_to_a_snapshot_once(home: Settings, tmp_path: Path) -> None:
    """Ingest and refine may be run again: the second time there is nothing new."""
    first = ingest(home, SOURCE).counts
    assert first["new"] == first["records"] > 500
    refined = refine(home, "", tmp_path / "shots")
    assert refined.snapshot.rows == refined.counts["silver"] == first["new"]
    assert refined.refused == "No record was refused.\n"
    assert len(read_snapshot(tmp_path / "shots")) == refined.snapshot.rows
    assert ingest(home, SOURCE).new == 0
    again = refine(home, "", tmp_path / "shots")
    assert again.counts["records"] == 0
    assert again.snapshot.rows == refined.snapshot.rows


def test_outcomes_of_logged_games_are_told_once(tmp_path: Path) -> None:
    """Refine tells the prediction log how the shots of its games ended, and no other game's."""
    root = tmp_path / "log"
    logged = settings.read(
        {"PARIVISION_HOME": str(tmp_path / "home"), "PARIVISION_PREDICTION_LOG": str(root)}
    )
    ingest(logged, SOURCE)
    assert refine(logged, "", tmp_path / "shots").counts["outcomes"] == 0
    shots = read_snapshot(tmp_path / "shots")
    first = shots.row(0, named=True)
    facts = {name: first[name] for name in ("game_id", "event_id")}
    record = {"id": "a", "at": "2024", "p_made": 0.5, "facts": facts}
    shared = {"model": "m", "version": "1", "track": "primary", "pod": "p"}
    store = FolderStore(root)
    store.append(RecordBatch(PREDICTIONS, "w", 0, [record], shared, [first["game_id"]]))
    told = refine(logged, "", tmp_path / "shots").counts["outcomes"]
    assert told == (shots["game_id"] == first["game_id"]).sum()
    assert refine(logged, "", tmp_path / "shots").counts["outcomes"] == 0
    joiner = Joiner(store)
    assert joiner.join().labelled == 1
    joiner.close()
    (page,) = labelled_since(store)
    assert page.records[0].made == first["made"]
    assert page.records[0].outcome_at > str(first["game_date"])


def test_a_log_that_is_away_fails_no_stage(tmp_path: Path) -> None:
    """Silver and snapshot are whole; what went wrong stands beside the refused records."""
    (tmp_path / "file").touch()
    broken = settings.read(
        {
            "PARIVISION_HOME": str(tmp_path / "home"),
            "PARIVISION_PREDICTION_LOG": str(tmp_path / "file" / "x"),
        }
    )
    ingest(broken, SOURCE)
    refined = refine(broken, "", tmp_path / "shots")
    assert refined.snapshot.rows > 500
    assert "No outcomes were told to the prediction log" in refined.refused


def test_a_snapshot_is_of_the_league_and_parts_that_are_named(
    home: Settings, tmp_path: Path
) -> None:
    """Words of the command line and of pipelines; what cannot be is refused by a sentence."""
    ingest(home, SOURCE)
    rows = refine(home, "", tmp_path / "all").snapshot.rows
    both = "regular-season, Playoffs"
    assert refine(home, "", tmp_path / "s", season_types=both).snapshot.rows == rows
    for error, message, chosen in (
        (SettingsError, "no model and no report is made of the WNBA's shots", {"league": "wnba"}),
        (SettingsError, "league is 'ncaa'", {"league": "ncaa"}),
        (SettingsError, "'Finals' is no part of a season", {"season_types": "Playoffs,Finals"}),
        (DataError, r"no shots of the G League \(Regular Season\)", {"league": "gleague"}),
        (DataError, r"no shots of the NBA \(Playoffs\)", {"season_types": "Playoffs"}),
    ):
        with pytest.raises(error, match=message):
            refine(home, "", tmp_path / "none", **chosen)  # type: ignore[arg-type]
        assert not (tmp_path / "none").exists()


def test_a_snapshot_can_end_before_a_day(home: Settings, tmp_path: Path) -> None:
    """With `until` the later games stay out; without any game before it that is an error."""
    ingest(home, SOURCE)
    rows = refine(home, "", tmp_path / "all").snapshot.rows
    days = read_snapshot(tmp_path / "all")["game_date"].unique().sort()
    until = str(days[1])
    assert 0 < refine(home, until, tmp_path / "some").snapshot.rows < rows
    assert read_snapshot(tmp_path / "some")["game_date"].max() == days[0]
    with pytest.raises(DataError, match=f"silver has no shots before {days[0]}"):
        refine(home, str(days[0]), tmp_path / "none")


def test_a_day_that_is_none_is_refused(home: Settings, tmp_path: Path) -> None:
    """A slip in `until` is told with what was expected."""
    with pytest.raises(SettingsError, match="until is 'tomorrow': expected a day"):
        refine(home, "tomorrow", tmp_path / "shots")


def test_no_snapshot_without_shots(home: Settings, tmp_path: Path) -> None:
    """An empty lake says what to do first."""
    with pytest.raises(DataError, match="run `parivision ingest`"):
        refine(home, "", tmp_path / "shots")


def test_a_pod_without_its_secret_says_which(tmp_path: Path) -> None:
    """A task never works on a lake or registry of its own pod: the missing Secret is named."""
    pod = settings.read({"PARIVISION_HOME": str(tmp_path), "PARIVISION_POD": "etl-1"})
    with pytest.raises(SettingsError, match=r"PARIVISION_LAKE is not set .* parivision-lake"):
        ingest(pod, SOURCE)
    with pytest.raises(SettingsError, match=r"MLFLOW_TRACKING_URI is not .* parivision-mlflow"):
        drift(pod, tmp_path / "shots", tmp_path)
    assert not list(tmp_path.iterdir())


def test_another_target_is_refused(home: Settings) -> None:
    """A champion is served on this machine or in a cluster."""
    with pytest.raises(SettingsError, match="target is 'mars': expected auto, local, kubernetes"):
        deploy(home, home.home, "shots:1", "0123", "", "mars")


def test_auto_is_the_cluster_in_a_pod_and_this_machine_elsewhere(home: Settings) -> None:
    """One compiled pipeline serves both; a target that is named is obeyed everywhere."""
    pod = settings.read({"KUBERNETES_SERVICE_HOST": "10.96.0.1"})
    assert [is_for_cluster(pod, target) for target in TARGETS] == [
        True,
        False,
        True,
    ]
    assert [is_for_cluster(home, target) for target in TARGETS] == [
        False,
        False,
        True,
    ]


def test_a_cluster_needs_an_image(home: Settings) -> None:
    """Without a registry there is no image: what to set is said before anything is rolled out."""
    with pytest.raises(ServiceError, match=r"shots:1 has no image.*PARIVISION_IMAGES_PUSH"):
        deploy(home, home.home, "shots:1", "0123", "", "kubernetes")
    with pytest.raises(SettingsError, match=r"_PUSH is not set.*parivision-images"):
        push(home, home.home)


def test_the_first_steps_do_without_the_registry(tmp_path: Path) -> None:
    """Every task is a process: ingest and refine do not pay the seconds that MLflow's import is."""
    code = (
        "import sys; from pathlib import Path; from parivision import settings\n"
        "from parivision.stages import ingest, refine\n"
        f"home = settings.read({{'PARIVISION_HOME': {str(tmp_path)!r}}})\n"
        f"ingest.ingest(home, {SOURCE!r})\n"
        f"refine.refine(home, '', Path({str(tmp_path / 's')!r}))\n"
        "sys.exit(any(name in sys.modules for name in ('mlflow', 'sklearn', 'pandas')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

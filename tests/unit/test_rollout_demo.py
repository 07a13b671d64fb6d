"""The demonstration of a rollout: its lines, its recording and picture, and how it tidies up."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from canary_standin import NEW, OLD, PLACE, Kubernetes
from parivision import settings
from parivision.canary.views import described
from parivision.cli.rollout_demo import DEMO_TAG, Demonstration, challenges, line_of
from parivision.errors import DataError, ServiceError
from parivision.kubernetes import Cluster, DeploymentTarget
from parivision.kubernetes.canary import ORDER
from parivision.promotion.ends import NEVER_SERVED, OUTCOME_TAG
from parivision.reports.recording_plot import recording_plot
from parivision.simulation.recording import CLUSTER, POINTS, RecordedRollout, Recording
from rollout_stores import TRUTH, MemoryRegistry
from rollouts import NOW, rollout

DOCS = Path(__file__).parents[2] / "docs"


def point(elapsed_s: float, **values: object) -> dict[str, object]:
    """A point of a rollout's history."""
    evidence = {"labelled": 120, "difference": -0.01, "low": -0.03, "high": 0.01, "weight": 0.05}
    return {"elapsed_s": elapsed_s, "at": NOW + elapsed_s, **evidence, **values}


@pytest.fixture
def cluster() -> Kubernetes:
    """Version 1 serves."""
    return Kubernetes(OLD, OLD)


@pytest.fixture
def registry() -> MemoryRegistry:
    """Version 1, and the demonstration's challenger, which has the alias."""
    made = MemoryRegistry(lambda: NOW)
    made.register(TRUTH)
    made.register(TRUTH)
    made.tags["2"][DEMO_TAG] = "good"
    return made


@pytest.fixture
def demonstration(cluster: Kubernetes, registry: MemoryRegistry, tmp_path: Path) -> Demonstration:
    """In that cluster's time."""
    return Demonstration(
        settings.read({"PARIVISION_HOME": str(tmp_path)}),
        registry,  # type: ignore[arg-type]
        Cluster(cluster, cluster, cluster, cluster),
        DeploymentTarget.parse(PLACE),
        tmp_path,
        rollout_s=600,
        sleep=cluster.sleep,
        clock=lambda: cluster.now_s,
    )


class TestLines:
    """What the terminal shows."""

    def test_weight_evidence_and_reason_are_told(self):
        """The difference with its bounds, once there are any."""
        known = rollout(weight=0.25, history=[point(10)], verdict={"reason": "not yet"})
        line = line_of("good", described(known))
        assert "good, version 2: 25% of the traffic; 120 labelled shots" in line
        assert "log loss -0.0100 (-0.0300 to +0.0100); not yet" in line

    def test_before_there_is_evidence(self):
        """No number is made up."""
        line = line_of("bad", described(rollout()))
        assert line.endswith("bad, version 2: 0% of the traffic; 0 labelled shots; ")

    def test_the_good_one_must_win_and_the_bad_one_lose(self):
        """In this order: the bad one is made of the new champion."""
        assert [(one.name, one.wanted) for one in challenges()] == [
            *(("good", "promoted"), ("bad", "rolled_back")),
        ]


class TestRecording:
    """What the picture is drawn from."""

    def test_it_is_read_as_it_was_written(self, tmp_path):
        """With few points, the last among them, and without the watch's clock."""
        judged = [point(float(at)) for at in range(0, 1000, 5)]
        known = rollout(history=[*judged, point(3, weight=0.0)])
        recorded = RecordedRollout.of("good", described(known))
        assert len(recorded.points) <= POINTS + 1
        assert recorded.points[-1]["elapsed_s"] == 995
        recording = Recording(CLUSTER, "2026-01-01", [recorded])
        recording.save(tmp_path / "r.json")
        assert Recording.load(tmp_path / "r.json") == recording

    @pytest.mark.parametrize("text", ["", "[]", "{}", '{"rollouts": [{}]}'])
    def test_another_file_is_refused(self, tmp_path, text):
        """With a sentence that says what to give."""
        (tmp_path / "r.json").write_text(text)
        with pytest.raises(DataError, match="is no recording of rollouts"):
            Recording.load(tmp_path / "r.json")

    def test_the_picture_of_the_docs_is_that_of_the_recording(self, run, tmp_path):
        """`make canary-picture` draws it anew."""
        drawn = tmp_path / "drawn.svg"
        assert run("rollout", "picture", DOCS / "rollout-demo.json", drawn)[0] == 0
        assert drawn.read_text() == (DOCS / "rollout-demo.svg").read_text()

    def test_the_picture_says_where_it_was_recorded(self):
        """A simulation is called one."""
        recording = Recording.load(DOCS / "rollout-demo.json")
        title = recording_plot(recording)._suptitle  # type: ignore[attr-defined]
        assert title.get_text() == f"recorded on {recording.source}, {recording.recorded_on}"
        assert [one.outcome for one in recording.rollouts] == ["promoted", "rolled_back"]


class TestTidyingUp:
    """After an interruption, and before the next demonstration."""

    def test_what_it_has_under_way_is_ended(self, demonstration, cluster):
        """Without traffic there would be no evidence until the deadline."""
        cluster.target, cluster.phase = NEW, "Progressing"
        demonstration.withdraw()
        order = json.loads(cluster.annotations[ORDER])
        assert (order["order"], order["key"]) == ("abort", cluster.key)

    def test_a_version_that_was_not_rolled_out_gives_the_alias_back(self, demonstration, registry):
        """It is marked, and the verdict service corrects the alias within moments."""
        demonstration.withdraw()
        assert registry.tags["2"][OUTCOME_TAG] == NEVER_SERVED

    def test_a_champion_of_an_earlier_one_stays(self, demonstration, cluster, registry):
        """What serves is not touched."""
        cluster.target = cluster.primary = NEW
        demonstration.withdraw()
        assert OUTCOME_TAG not in registry.tags["2"]

    def test_somebody_elses_rollout_is_left_alone(self, demonstration, cluster, registry):
        """The command ends with what to do."""
        del registry.tags["2"][DEMO_TAG]
        cluster.target, cluster.phase = NEW, "Progressing"
        with pytest.raises(ServiceError, match=r"version 2 is being rolled out.*rollout abort"):
            demonstration.clear()
        assert ORDER not in cluster.annotations

    def test_the_next_one_waits_until_the_last_is_withdrawn(self, demonstration, cluster):
        """The Canary is at rest afterwards."""

        def rolled_back(cluster: Kubernetes) -> None:
            if ORDER in cluster.annotations and cluster.now_s > 20:
                cluster.phase, cluster.target = "Failed", replace(OLD)

        cluster.target, cluster.phase, cluster.reaction = NEW, "Progressing", rolled_back
        demonstration.clear()
        assert cluster.now_s > 20


def test_without_its_settings_it_says_who_sets_them(run):
    """One line, and nothing is asked of any cluster."""
    code, _, err = run("rollout", "demo")
    assert code == 1
    assert "make canary-demo" in err


class TestRollingOut:
    """From a release to how its rollout ended."""

    def play(
        self,
        demonstration: Demonstration,
        cluster: Kubernetes,
        monkeypatch: pytest.MonkeyPatch,
        **end,
    ) -> RecordedRollout:
        """The bad challenger, whose rollout the verdict service describes as `end` says."""
        told = described(rollout(history=[point(30)])) | end
        monkeypatch.setattr(Cluster, "verdict", lambda *_: told)
        monkeypatch.setattr(Demonstration, "_made", lambda *_: NEW)
        return demonstration.play(challenges()[1], [])

    def test_a_rollback_is_an_outcome(self, demonstration, cluster, registry, monkeypatch, capsys):
        """The registry is left to the verdict service, which records the reason."""

        def judged(cluster: Kubernetes) -> None:
            cluster.phase = "Progressing"
            if cluster.now_s == 12:
                cluster.tell(**{cluster.key: "rolled_back"})
                cluster.phase, cluster.target = "Failed", OLD

        cluster.reaction = judged
        end = {"end": "rolled_back", "reason": "miscalibrated"}
        recorded = self.play(demonstration, cluster, monkeypatch, **end)
        assert (recorded.outcome, recorded.reason) == ("rolled_back", "miscalibrated")
        assert OUTCOME_TAG not in registry.tags["2"]
        assert "bad, version 2: " in capsys.readouterr().out

    def test_what_is_not_decided_in_time_is_ended_and_counts_as_neither(
        self, demonstration, cluster, monkeypatch
    ):
        """A rollback that nobody's evidence asked for is none of the bad challenger."""
        cluster.reaction = lambda cluster: setattr(cluster, "phase", "Progressing")
        end = {"end": "rolled_back", "order": "abort"}
        recorded = self.play(demonstration, cluster, monkeypatch, **end)
        assert recorded.outcome == "undecided"
        assert json.loads(cluster.annotations[ORDER])["order"] == "abort"

    def test_an_interruption_ends_what_is_under_way(self, demonstration, cluster, monkeypatch):
        """Ctrl-C in the middle: the rollout is aborted, and the interruption goes on."""

        def interrupted(cluster: Kubernetes) -> None:
            cluster.phase = "Progressing"
            if cluster.now_s == 5:
                raise KeyboardInterrupt

        cluster.reaction = interrupted
        with pytest.raises(KeyboardInterrupt):
            self.play(demonstration, cluster, monkeypatch)
        assert json.loads(cluster.annotations[ORDER])["order"] == "abort"

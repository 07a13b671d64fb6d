"""How the demo ends: a drift report with content, at the first run as at the next ones."""

import json
import re

import pytest

from parivision.cli import context, demo, demo_drift
from parivision.kubeflow.local_runs import Artifact, Run, TaskOutputs
from parivision.stages import drift

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]
LEAGUE = "synthetic:?seed=1&seasons=2022-2023&games=100"
MOVED = ["distance_ft", "zone", "shot_value"]


def test_the_new_champion_notices_more_threes(run, capsys):
    """The columns that moved are named, the report is there, and nothing else is remembered."""
    for words in (
        ("ingest", LEAGUE),
        ("refine",),
        ("train", "--models", "lightgbm"),
        ("evaluate",),
        ("promote",),
    ):
        code, _, err = run(*words)
        assert code == 0, err
    settings = context.current()
    for is_synthetic, games in ((True, "the next season's"), (False, "the newest"), (True, "the")):
        reports = demo_drift.show_drift(settings, is_synthetic=is_synthetic)
        said = capsys.readouterr().out
        assert f"drift: {games} " in said
        assert f"drift: {', '.join(MOVED)} drifted, in " in said
        assert f"report: {reports['drift, more threes']}" in said
        for path in reports.values():
            assert path.stat().st_size > 10_000
        page = reports["drift, more threes"].read_text()
        assert all(re.search(rf"\b{name}\b", page) for name in MOVED)
        summary = reports["drift, more threes"].with_name("drift_summary.json").read_text()
        found = json.loads(summary, parse_constant=pytest.fail)
        assert (found["verdict"], found["drifted_columns"]) == ("drift", MOVED)
        assert found["n_current"] > drift.CURRENT_DAYS
    assert context.registry(settings).latest_drift() is None
    _reports_of_a_first_run(settings)


def _reports_of_a_first_run(settings):
    """The pipeline's own drift page, which says that there is no champion yet, is not listed."""
    page = settings.home / "page.html"
    page.write_text("There is no champion yet")
    artifacts = {name: Artifact(page, {}) for name in ("report", "evidently")}
    for has_champion, listed in ((False, 0), (True, 2)):
        tasks = {
            "evaluate": TaskOutputs({}, artifacts),
            "drift": TaskOutputs({"Output": has_champion}, artifacts),
        }
        reports = demo._reports(settings, Run("training", page.parent, page, tasks))
        assert {"evaluate", "shots"} <= reports.keys()
        assert sum(name.startswith("drift") for name in reports) == listed


def test_without_a_champion_the_end_says_so(home, capsys):
    """Where promotion found no model good enough there is no report, and nothing is wrong."""
    settings = context.current()
    context.registry(settings).prepare()
    assert demo_drift.show_drift(settings, is_synthetic=True) == {}
    assert "there is no champion to compare with" in capsys.readouterr().out

"""The command line from shots to a champion, in process, on a tiny league."""

import io
import json
import sys

import pytest

from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.xdist_group("mlflow")]
SOURCE = "synthetic:?seed=2&seasons=2022-2023&games=150&scale=0.4"
LATER = "synthetic:?seed=2&seasons=2024&games=20&scale=0.3"


def test_the_way_of_a_shot_step_by_step(run, tmp_path, monkeypatch):
    """Each step says what comes first when it is missing, does its work, and may be run again."""
    assert "parivision refine" in run("train")[2]
    assert "no champion yet" in run("predict", "/dev/null")[2]
    status = json.loads(run("status", "--json")[1])
    assert (status["silver"], status["champion"], status["service"]) == (0, None, None)
    run("ingest", SOURCE)
    run("refine")
    assert "nothing to evaluate" in run("evaluate")[2]
    code, _, err = run("train", "--models", "lightgbm,lightgbm_classic")
    assert code == 0, err
    assert "training lightgbm_classic (2 of 2)" in err
    code, out, err = run("evaluate", "--json")
    assert code == 0, err
    scores = json.loads(out)
    assert scores["models"].keys() == {"lightgbm", "lightgbm_classic", "league_mean", "zone_rate"}
    assert scores["log_loss"] == min(m["log_loss"] for m in scores["models"].values())
    assert "AUC" in run("evaluate")[1]
    code, out, err = run("promote", "--json")
    assert code == 0, err
    decision = json.loads(out)
    assert decision["version"] == ("1" if decision["promoted"] else None)
    assert json.loads(run("promote", "--json")[1]) == decision
    status = json.loads(run("status", "--json")[1])
    assert status["silver"] == status["bronze"] > 0
    assert "silver: " in run("status")[1]
    if not decision["promoted"]:
        pytest.fail(f"the league is too small for a champion: {decision['reason']}")
    assert status["champion"]["version"] == "1"
    shots = tmp_path / "shots.jsonl"
    shots.write_text(json.dumps(SMALL_SHOT) + "\n\n" + json.dumps(FULL_SHOT) + "\n")
    lines = run("predict", shots)[1].split()
    answers = json.loads(run("predict", shots, "--json")[1])
    assert answers["version"] == "1"
    assert lines == [f"{p:.6f}" for p in answers["p_made"]]
    shots.write_text(json.dumps(SMALL_SHOT) + '\n{"x_ft": "[/far]"}\n')
    code, out, err = run("predict", shots)
    assert (code, out) == (1, "")
    assert err.startswith("error: line 2: ")
    code, out, err = run("evaluate", "--data", LATER, "--json")
    assert code == 0, err
    assert json.loads(out)["models"].keys() >= {"champion", "champion, frozen", "lightgbm"}
    assert "knows all of these games" in run("evaluate", "--data", SOURCE)[2]


def test_unknown_models_are_named(run):
    """A family that does not exist is refused with those that do, before anything is trained."""
    run("ingest", "synthetic:?seed=2&seasons=2023&games=6&scale=0.1")
    run("refine")
    code, _, err = run("train", "--models", "prophet")
    assert code == 1
    assert "unknown family 'prophet'" in err
    assert "lightgbm" in err


def test_shots_come_from_standard_input_too(run, monkeypatch):
    """Without a file the lines are read from standard input; without a champion that is said."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}\n")))
    code, _, err = run("predict")
    assert code == 1
    assert "no champion yet" in err

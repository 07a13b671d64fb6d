"""`parivision rollout simulate`, in process."""

import json


def test_a_simulation_tells_its_rates(run, tmp_path):
    """False alarms, power and the fixed rule's as JSON, the same for the same seed."""
    command = ("rollout", "simulate", "--runs", 2, "--shots", 600, "--worse", 0.05)
    code, out, _ = run(*command, "--plot", tmp_path / "a", "--seed", 3, "--json")
    assert code == 0
    told = json.loads(out)
    assert told["false_alarm_rate"] == 0
    assert {"power", "median_shots_to_decision", "fixed_rule_false_alarm_rate"} <= told.keys()
    assert told["false_alarm_interval"][1] < 1
    assert (tmp_path / "a" / "rollout.html").is_file()
    again = json.loads(run(*command, "--plot", tmp_path / "a", "--seed", 3, "--json")[1])
    assert again == told


def test_equal_models_of_all_kinds(run):
    """`--equal` plays every kind of equal, says what is allowed, and looks for no power."""
    code, out, _ = run("rollout", "simulate", "--equal", "--runs", 5, "--shots", 400)
    assert code == 0
    for kind in ("identical", "independent errors", "loud errors", "half the facts"):
        assert kind in out
    assert "at most 5% are allowed" in out


def test_logged_shots_are_replayed(run, tmp_path):
    """A log is judged as it came; with its models swapped by a coin they are the equal ones."""
    log = tmp_path / "log.jsonl"
    rows = [
        {"p_champion": 0.5, "p_challenger": p, "made": made, "zone": "paint"}
        for p, made in ((0.2, 1), (0.2, 0), (0.3, 1), (0.3, 0)) * 200
    ]
    log.write_text("\n".join(map(json.dumps, rows)))
    code, out, _ = run(
        "rollout", "simulate", "--predictions", log, "--runs", 2, "--shots", 800, "--json"
    )
    told = json.loads(out)
    assert code == 0
    assert told["path"]["outcome"] == "fail"
    assert told["power"] == 1
    assert [one["world"] for one in told["worlds"]] == ["logged, models swapped", "logged"]


def test_a_log_that_is_none_is_one_line_of_error(run, tmp_path):
    """A file without shots ends with 1 and names the line."""
    log = tmp_path / "log.jsonl"
    log.write_text("{}\n")
    code, _, err = run("rollout", "simulate", "--predictions", log)
    assert code == 1
    assert "line 1" in err


def test_the_shots_that_a_promotion_takes(run):
    """The more two models differ on a shot, the more labelled shots; a wider margin needs fewer."""
    tables = [
        json.loads(run("rollout", "needed", "--margin", margin, "--json")[1])["rows"]
        for margin in (0.005, 0.01)
    ]
    for narrow, wide in zip(*tables, strict=True):
        assert wide["0"] <= narrow["0"]
        assert narrow["0"] >= narrow["0.003"] >= narrow["0.01"] >= 300
    counts = [row["0"] for row in tables[0]]
    assert counts == sorted(counts)
    assert "3,624" in run("rollout", "needed")[1]

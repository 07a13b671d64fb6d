"""Reports of shots that show little: no traceback, no warning, and no "nan" for people."""

import json
import re
import warnings

import numpy as np
import polars as pl
import pytest

from parivision import strict_json
from parivision.backtests.estimated import by_season
from parivision.cli import console
from parivision.drift import DriftReference, DriftSummary, build_reference, detect
from parivision.errors import DataError
from parivision.reports import drift, eda, evaluation, plots, rollout
from parivision.reports.drift_page import summary_page
from parivision.scoring.scores import scores
from parivision.simulation.replay import Resampled, read_labelled
from parivision.simulation.study import Plan, follow, study
from parivision.stages import views

pytestmark = pytest.mark.unit

NOT_FOR_PEOPLE = re.compile(r"\b(nan|inf|none)\b", re.IGNORECASE)


def set_to(**values):
    """Shots whose columns all hold these values."""

    def changed(shots):
        return shots.with_columns(
            pl.lit(value, dtype=shots.schema[name]).alias(name) for name, value in values.items()
        )

    return changed


def _four_of_four_in_overtime(shots):
    regular = shots.with_columns(pl.lit(1, dtype=shots.schema["period"]).alias("period"))
    return pl.concat([regular, set_to(period=5, made=1)(shots.head(4))])


SHOTS = {
    "all made": set_to(made=1),
    "none made": set_to(made=0),
    "four of four in an overtime": _four_of_four_in_overtime,
    "one shot": lambda shots: shots.head(1),
    "two shots": lambda shots: shots.head(2),
    "one game": lambda shots: shots.filter(pl.col("game_id") == shots["game_id"][0]),
    "one player": set_to(player_id=7),
    "one action type": set_to(action_type="Jump Shot"),
    "no action type": set_to(action_type=None),
    "all from one place": set_to(x_ft=0.0, y_ft=0.0, distance_ft=0),
    "only overtime": set_to(period=6, made=1),
    "one season": set_to(season=2023),
    "one second": set_to(clock_s=0),
    "only threes": lambda shots: shots.filter(pl.col("shot_value") == 3),
    "no zones of the league": set_to(zone_basic=None, zone_area=None, zone_range=None),
}


@pytest.fixture(params=SHOTS)
def degenerate(request, synthetic_shots):
    """Shots that show little, one kind after the other."""
    return SHOTS[request.param](synthetic_shots)


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _words(html):
    """What people read of a page, and what is drawn in its figures."""
    text = re.sub(r"<(style|title).*?</\1>", "", html, flags=re.DOTALL)
    assert "nan" not in "".join(re.findall(r'\b(?:d|x|y|transform)="([^"]*)"', text))
    return re.sub(r"<[^>]*>", " ", text)


def test_the_exploratory_report(degenerate, tmp_path):
    """`parivision eda` on a table that shows little."""
    words = _words(eda.write(degenerate, tmp_path / "eda.html").read_text())
    assert f"{len(degenerate):,}" in words
    assert not NOT_FOR_PEOPLE.search(words.replace("None made", ""))


@pytest.mark.parametrize("seed", [3, 16, 27])
def test_the_command_on_groups_without_a_make_or_a_miss(seed, tmp_path, run):
    """`parivision eda` where a zone or an overtime has only makes, or none, as a user meets it."""
    source = f"synthetic:?seed={seed}&seasons=2023&games=2&scale=0.1"
    code, out, err = run("eda", "--data", source, "--to", tmp_path / "eda.html")
    assert code == 0, err
    assert out == f"{tmp_path / 'eda.html'}\n"
    assert not NOT_FOR_PEOPLE.search(_words((tmp_path / "eda.html").read_text()))


def test_drift(degenerate, synthetic_shots, tmp_path):
    """Against a normal reference, and as the reference itself; files are strict and read back."""
    for training, current in (
        (synthetic_shots, degenerate),
        (degenerate, synthetic_shots),
        (degenerate, degenerate),
    ):
        p_made = np.full(len(training), 0.45)
        reference = build_reference(training, training, p_made, champion="1")
        summary = detect(reference, current, np.full(len(current), 0.45))
        assert DriftReference.from_json(reference.to_json()) == reference
        assert DriftSummary.from_json(summary.to_json()) == summary
        for text in (reference.to_json(), summary.to_json()):
            json.loads(text, parse_constant=pytest.fail)
        assert not NOT_FOR_PEOPLE.search(_words(summary_page(summary)))


@pytest.mark.parametrize("kind", ["one shot", "all from one place", "no action type", "all made"])
def test_drift_files(kind, synthetic_shots, tmp_path):
    """Evidently's reports too: what it has no number for is null in its JSON."""
    current = SHOTS[kind](synthetic_shots)
    reference = build_reference(synthetic_shots, None, None, champion="1")
    summary = detect(reference, current, None)
    scored = drift.Scored(synthetic_shots, np.full(len(synthetic_shots), 0.45))
    files = drift.write(
        synthetic_shots, current, summary, tmp_path, later=scored,
        p_current=np.full(len(current), 0.45),
    )  # fmt: skip
    for path in files.paths:
        if path.suffix == ".json":
            json.loads(path.read_text(), parse_constant=pytest.fail)


def test_drift_without_values(synthetic_shots, tmp_path):
    """A number that no shot has is left out of Evidently's report; no shots at all are told."""
    unknown = set_to(clock_s=None, x_ft=None)(synthetic_shots)
    summary = detect(build_reference(synthetic_shots, None, None), unknown, None)
    files = drift.write(synthetic_shots, unknown, summary, tmp_path)
    json.loads(files.evidently_json.read_text(), parse_constant=pytest.fail)
    with pytest.raises(DataError, match=r"expected shots to compare, got .* and 0 current ones"):
        drift.write(synthetic_shots, unknown.head(0), summary, tmp_path)


JUDGED = {
    "one shot": (np.ones(1), np.array([0.5]), np.zeros(1)),
    "one game": (np.arange(40) % 2, np.linspace(0.1, 0.9, 40), np.zeros(40)),
    "all made": (np.ones(40), np.linspace(0.1, 0.9, 40), np.arange(40) // 4),
    "none made": (np.zeros(40), np.linspace(0.1, 0.9, 40), np.arange(40) // 4),
    "one probability": (np.arange(40) % 2, np.full(40, 0.5), np.arange(40) // 4),
    "sure and right": (np.arange(40) % 2, np.arange(40) % 2, np.arange(40) // 4),
    "sure and wrong": (np.arange(40) % 2, 1 - np.arange(40) % 2, np.arange(40) // 4),
}


@pytest.mark.parametrize("kind", JUDGED)
def test_the_evaluation(kind, tmp_path, capsys):
    """The page, the table in the terminal and the one in Kubeflow's page of the run."""
    made, p_made, games = JUDGED[kind]
    both = {"one": p_made, "other": np.full(len(p_made), 0.3)}
    segments = {"half": np.where(np.arange(len(made)) < 20, "first", "last")}
    page = evaluation.write(
        tmp_path / "page.html", made, both, games, shown="one", segments=segments
    )
    assert not NOT_FOR_PEOPLE.search(_words(page.read_text()))
    scored = {name: scores(made, p, games) for name, p in both.items()}
    console.print_scores(scored, "later games")
    assert not NOT_FOR_PEOPLE.search(capsys.readouterr().out)
    assert not NOT_FOR_PEOPLE.search(views.models_table(scored, "one"))


def test_empty_tables_are_told(synthetic_shots, tmp_path):
    """No shots: a sentence that says what to do."""
    with pytest.raises(DataError, match="Ingest shots first"):
        eda.write(synthetic_shots.head(0), tmp_path / "eda.html")
    with pytest.raises(DataError, match="at least one shot"):
        evaluation.write(tmp_path / "page.html", [], {"one": []}, [], shown="one")


def _line(p, q, made, **more):
    return strict_json.text({"p_champion": p, "p_challenger": q, "made": made, **more})


REPLAYED = {
    "one shot": [_line(0.5, 0.4, 1)],
    "all made": [_line(i % 9 / 10, 0.5, 1) for i in range(400)],
    "none made": [_line(i % 9 / 10, 0.5, 0) for i in range(400)],
    "equal models": [_line(0.5, 0.5, i % 2) for i in range(400)],
    "sure of both": [_line(1, 0, i % 2) for i in range(400)],
    "only overtime": [_line(0.4, 0.5, i % 2, period=5) for i in range(400)],
    "one place and player": [_line(0.4, 0.5, i % 2, zone=1, player_volume=0) for i in range(400)],
}


@pytest.mark.parametrize("kind", REPLAYED)
def test_a_replay(kind, tmp_path):
    """The simulation's page and numbers on a log that shows little."""
    logged, plan = read_labelled(REPLAYED[kind]), Plan(shots=300)
    path = follow(logged, np.random.default_rng(0), plan)
    for low, mean, high in zip(path.low, path.mean, path.high, strict=True):
        assert low <= mean <= high
    equal, worse = (
        study(Resampled(name, logged, is_equal=name == "swapped"), 3, plan, 0)
        for name in ("swapped", "logged")
    )
    page = rollout.write(tmp_path, [equal], [worse], path)
    assert not NOT_FOR_PEOPLE.search(_words(page.read_text()))
    summary = rollout.summary([equal], [worse]) | path.verdict.to_dict()
    json.loads(strict_json.text(summary), parse_constant=pytest.fail)


def test_lines_and_bars_of_nothing():
    """A rollout's page before anything is labelled draws lines without a value."""
    nothing = np.full(3, np.nan)
    figure = plots.lines_plot(
        np.arange(3.0), {"difference": nothing}, bands={"difference": (nothing, nothing)}
    )
    assert "nan" not in plots.figure_svg(figure)
    assert plots.figure_svg(plots.bars_plot([], [], low=[], high=[]))


def test_a_season_of_one_week_has_no_spread(run, monkeypatch):
    """`backtest estimated` on one week shows a dash for what one week has none of."""
    from parivision.backtests import estimated
    from parivision.scoring.estimated import Estimate

    estimate = Estimate(0.65, 0.01, 0.003, 400)
    week = estimated.Week(
        season=2023, week="2023-01-02", log_loss=estimate, real_log_loss=0.64,
        roc_auc=Estimate(0.6, 0.01, 0.004, 400), real_roc_auc=float("nan"), labels="quiet",
    )  # fmt: skip
    monkeypatch.setattr(estimated, "by_week", lambda *_, **__: iter([week]))
    assert by_season(estimated.to_frame([week]))["spread"].to_list() == [None]
    source = "synthetic:?seed=2&seasons=2023&games=2&scale=0.1"
    code, out, err = run("backtest", "estimated", "--data", source, "--seasons", "2023")
    assert code == 0, err
    assert not NOT_FOR_PEOPLE.search(out)

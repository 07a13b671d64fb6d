"""The labelled part: make rates, the champion's log loss and calibration, and what is named."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parivision.drift import DriftReference, DriftSummary, Performance, build_reference, detect
from parivision.drift.performance import MIN_LABELLED
from parivision.drift.segments import MIN_SEGMENT, SegmentedColumn, SegmentLevel
from parivision.errors import ModelError

N = 30_000
ACTIONS = ("Driving Layup Shot", "Jump Shot", "Hook Shot")
RATES = {"Driving Layup Shot": 0.6, "Jump Shot": 0.4, "Hook Shot": 0.5}
PLACES = {"Driving Layup Shot": (1.0, 1.0), "Jump Shot": (0.0, 25.0), "Hook Shot": (1.0, 6.0)}

Game = tuple[pl.DataFrame, np.ndarray]


def game(n: int, seed: int, *, shift: float = 0.0, relabelled: bool = False) -> Game:
    """Shots whose make rate hangs on the action alone, and the champion's probabilities.

    `shift` makes all shots harder or easier; `relabelled` swaps the words of layups and jump shots
    without moving the shots, so that the place keeps its meaning and the word loses it.
    """
    rng = np.random.default_rng(seed)
    action = rng.choice(ACTIONS, n, p=(0.4, 0.4, 0.2))
    rate = np.array([RATES[a] for a in action])
    places = np.array([PLACES[a] for a in action])
    swap = {"Driving Layup Shot": "Jump Shot", "Jump Shot": "Driving Layup Shot"}
    words = np.array([swap.get(a, a) for a in action]) if relabelled else action
    shots = pl.DataFrame(
        {
            "game_date": [
                date(2022, 1, 1) + timedelta(days=int(i)) for i in np.arange(n) * 90 // n
            ],
            "game_id": np.arange(n) // 170,
            "x_ft": places[:, 0] + rng.normal(0, 0.1, n),
            "y_ft": places[:, 1],
            "distance_ft": np.hypot(*places.T).astype(np.int16),
            "shot_value": np.where(words == "Jump Shot", 3, 2).astype(np.int8),
            "action_type": words,
            "period": rng.integers(1, 5, n).astype(np.int8),
            "clock_s": rng.integers(0, 721, n).astype(np.int16),
            "player_id": rng.integers(1, 400, n),
            "team_id": rng.integers(1, 31, n),
            "made": (rng.random(n) < rate + shift).astype(np.int8),
        }
    )
    return shots, np.array([RATES[a] for a in words])


@pytest.fixture(scope="module")
def reference() -> DriftReference:
    """Training shots, and later games on which the champion is calibrated."""
    later, p_later = game(N, 2)
    return build_reference(game(N, 1)[0], later, p_later)


def ends(reference: DriftReference, current: Game) -> Performance:
    """The labelled part of a look at the current shots."""
    return detect(reference, *current).performance


def exceeded(performance: Performance) -> set[str]:
    """The names of the checks that found something."""
    return {check.name for check in performance.checks if check.exceeded}


def test_a_champion_that_is_right_is_quiet(reference: DriftReference) -> None:
    """Nothing is found where shots go in as the champion says."""
    found = ends(reference, game(9000, 3))
    assert found.verdict == "quiet"
    assert found.reason == "as usual"
    assert found.concept_columns == ()
    assert found.log_loss == pytest.approx(found.promised_log_loss, abs=0.01)
    assert found.reference_log_loss == pytest.approx(0.67, abs=0.01)
    assert (found.n_labelled, found.n_scored) == (9000, 9000)


def test_words_that_lose_their_meaning_are_named(reference: DriftReference) -> None:
    """A swap that leaves every column as it was shows in the ends, and names the words only."""
    shots, p_made = game(9000, 4, relabelled=True)
    summary = detect(reference, shots, p_made)
    assert summary.drifted_columns == ()
    assert summary.performance.concept_columns == ("action_type",)
    assert summary.concept_drift
    assert summary.verdict == "drift"
    assert {"log_loss", "calibration by action_type"} <= exceeded(summary.performance)
    check = next(c for c in summary.performance.checks if c.name == "make rate by action_type")
    layups = next(s for s in check.segments if s.value == "Driving Layup Shot")
    assert layups.mean == pytest.approx(0.4, abs=0.03)
    assert layups.usual == pytest.approx(0.6, abs=0.02)
    assert layups.p_adjusted < 1e-6
    assert "log_loss" in " ".join(summary.reasons)


def test_a_change_of_skill_names_the_make_rate(reference: DriftReference) -> None:
    """When all shots get harder alike it is not the words or zones that changed."""
    found = ends(reference, game(9000, 5, shift=-0.08))
    assert found.concept_columns == ("made",)
    assert "calibration" in exceeded(found)


def test_make_rates_are_judged_without_a_champion(reference: DriftReference) -> None:
    """Labels alone show a change of meaning; of the champion nothing is said."""
    found = detect(reference, game(9000, 4, relabelled=True)[0]).performance
    assert found.concept_columns == ("action_type",)
    assert found.log_loss is None
    assert found.n_scored == 0
    assert all(check.name.startswith("make rate") for check in found.checks)


def test_a_champion_that_has_learnt_of_a_change_is_left_alone(reference: DriftReference) -> None:
    """Make rates moved against all of its training, and its own probabilities are right."""
    shots, _ = game(9000, 8, relabelled=True)
    meanings = {"Driving Layup Shot": "Jump Shot", "Jump Shot": "Driving Layup Shot"}
    p_made = np.array([RATES[meanings.get(word, word)] for word in shots["action_type"]])
    found = ends(reference, (shots, p_made))
    assert found.verdict == "quiet"
    check = next(c for c in found.checks if c.name == "make rate by action_type")
    assert check.effect > check.threshold
    assert "has learnt of it" in check.reason


def test_a_champion_that_learnt_by_half_is_not(reference: DriftReference) -> None:
    """What it still errs by is more than chance: it is retrained."""
    shots, old = game(9000, 8, relabelled=True)
    meanings = {"Driving Layup Shot": "Jump Shot", "Jump Shot": "Driving Layup Shot"}
    new = np.array([RATES[meanings.get(word, word)] for word in shots["action_type"]])
    assert ends(reference, (shots, (old + new) / 2)).verdict == "drift"


def test_another_mix_of_shots_is_no_change_of_meaning(reference: DriftReference) -> None:
    """More hard shots make a worse log loss and make rate, and nothing has lost its meaning."""
    shots, p_made = game(30_000, 6)
    keep = (shots["action_type"] != "Driving Layup Shot") | pl.Series(np.arange(30_000) % 4 == 0)
    summary = detect(reference, shots.filter(keep), p_made[keep.to_numpy()])
    assert "action_type" in summary.drifted_columns
    assert not {"log_loss", "calibration"} & exceeded(summary.performance)


def test_a_champion_wrong_from_the_start_is_not_drift() -> None:
    """What is compared is the change against its own later games, not perfection."""
    training, (later, p_later), (now, p_now) = game(N, 1)[0], game(N, 2), game(9000, 3)
    known = build_reference(training, later, p_later - 0.05)
    assert detect(known, now, p_now - 0.05).verdict == "quiet"
    unknown = build_reference(training)
    assert "calibration" in exceeded(detect(unknown, now, p_now - 0.05).performance)


@pytest.mark.parametrize("n", [0, MIN_LABELLED - 1])
def test_few_labels_are_no_evidence(reference: DriftReference, n: int) -> None:
    """With too few ends known the answer is "no data", whatever they say."""
    shots, _ = game(9000, 7)
    thin = shots.with_columns(made=pl.when(pl.int_range(pl.len()) < n).then(0).cast(pl.Int8))
    found = detect(reference, thin, np.full(9000, 0.99)).performance
    assert found.verdict == "no data"
    assert found.concept_columns == ()
    assert f"{n} labelled" in found.reason


def test_shots_without_probability_are_left_out(reference: DriftReference) -> None:
    """A champion that answered few shots is not judged; the make rates are."""
    shots, p_made = game(9000, 8)
    p_made = np.where(np.arange(9000) < 500, p_made, np.nan)
    found = detect(reference, shots, p_made).performance
    assert found.n_scored == 500
    assert found.log_loss is not None
    assert {check.name.partition(" by ")[0] for check in found.checks} == {"make rate"}


def test_later_games_without_enough_labels_leave_the_champion_taken_for_calibrated() -> None:
    """Too short a reference of the performance is none."""
    later, p_later = game(MIN_LABELLED - 1, 2)
    assert build_reference(game(N, 1)[0], later, p_later).performance is None


@pytest.mark.parametrize(
    ("p_made", "message"),
    [
        (np.full(8, 0.5), "one probability a shot"),
        (np.full((9, 2), 0.5), "one probability a shot"),
        (np.full(9, 1.2), "between|from 0 to 1"),
        (np.full(9, -0.1), "from 0 to 1"),
    ],
)
def test_probabilities_that_do_not_fit_are_refused(
    reference: DriftReference, p_made: np.ndarray, message: str
) -> None:
    """Logits, two columns or another length are a clear error."""
    with pytest.raises(ModelError, match=message):
        detect(reference, game(9, 1)[0], p_made)


def test_certain_probabilities_are_finite(reference: DriftReference) -> None:
    """A champion that says 0 or 1 and is wrong gives a large number, not an endless one."""
    shots, _ = game(9000, 9)
    found = ends(reference, (shots, 1.0 - shots["made"].to_numpy()))
    assert found.log_loss == pytest.approx(-np.log(1e-6), rel=0.01)
    assert found.verdict == "drift"


@pytest.mark.parametrize("made", [0, 1])
@pytest.mark.parametrize("p", [0.47, 0.5])
@pytest.mark.parametrize("n", [MIN_LABELLED, 9000])
def test_shots_that_all_end_alike_are_evidence(p: float, made: int, n: int) -> None:
    """Against a champion with one probability for all: that it says none varies hides nothing."""
    reference = build_reference(game(N, 1)[0])
    shots = game(n, 3)[0].with_columns(pl.lit(made, pl.Int8).alias("made"))
    found = ends(reference, (shots, np.full(n, p)))
    check = next(check for check in found.checks if check.name == "calibration")
    assert check.exceeded
    assert check.effect == pytest.approx(abs(made - p))
    # 2.5 standard errors of a rate that is p.
    assert check.threshold == pytest.approx(0.015 + 2.5 * np.sqrt(p * (1 - p) / n))
    assert abs(check.test.statistic) == pytest.approx(abs(made - p) / np.sqrt(p * (1 - p) / n))
    log_loss = next(check for check in found.checks if check.name == "log_loss")
    assert np.isfinite(log_loss.test.statistic)
    # At 0.5 either end costs the same, so the log loss has nothing to say.
    assert log_loss.exceeded == (p < 0.5 and made == 1)


def test_a_champion_that_promised_that_all_end_alike_is_quiet() -> None:
    """None of 9,000 shots at 0.001 is what it says, within chance."""
    reference = build_reference(game(N, 1)[0])
    shots = game(9000, 3)[0].with_columns(pl.lit(0, pl.Int8).alias("made"))
    found = ends(reference, (shots, np.full(9000, 0.001)))
    assert not exceeded(found) & {"calibration", "log_loss"}


def test_what_is_usual_of_shots_that_all_end_alike_has_its_error_too() -> None:
    """The later games of a champion may be as few as they may, and all misses."""
    later = game(MIN_LABELLED, 2)[0].with_columns(pl.lit(0, pl.Int8).alias("made"))
    reference = build_reference(game(N, 1)[0], later, np.full(MIN_LABELLED, 0.5))
    assert reference.performance is not None
    assert reference.performance.residual.error == pytest.approx(0.5 / np.sqrt(MIN_LABELLED))


def test_small_segments_are_not_judged() -> None:
    """A word of a few shots can be neither wrong nor right."""
    values = pl.Series("action_type", ["a"] * MIN_SEGMENT + ["b"] * (MIN_SEGMENT - 1))
    found = SegmentedColumn.of(values, {}, default=0.0)
    assert found.names == ("a",)
    nobody = SegmentedColumn.of(values[:5], {}, default=0.0)
    assert nobody.size(np.ones(5))[0] == 0
    assert nobody.check("make rate", np.ones(5)).segments == ()


def test_a_word_unknown_in_training_has_no_usual_make_rate() -> None:
    """New words are not compared with a rate they never had."""
    values = pl.Series("action_type", ["new"] * 500 + ["old"] * 500)
    found = SegmentedColumn.of(values, {"old": SegmentLevel(10_000, 0.5)})
    assert found.names == ("old",)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_chance_alone_never_makes_a_segment_stand_out(seed: int, rate: float) -> None:
    """The size of the deviations, freed of chance, stays below its threshold without drift."""
    rng = np.random.default_rng(seed)
    values = pl.Series("zone", rng.choice(["a", "b", "c", "d"], 3000))
    levels = {name: SegmentLevel(10**6, rate) for name in "abcd"}
    made = (rng.random(3000) < rate).astype(float)
    size, threshold = SegmentedColumn.of(values, levels).size(made)
    assert size < threshold


def test_the_summary_carries_the_labelled_part(reference: DriftReference) -> None:
    """It survives the file, segments and all."""
    summary = detect(reference, *game(9000, 4, relabelled=True))
    read = DriftSummary.from_json(summary.to_json())
    assert read.performance == summary.performance
    assert summary.to_dict()["concept_columns"] == ["action_type"]

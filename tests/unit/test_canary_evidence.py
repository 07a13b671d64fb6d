"""Logged predictions as evidence: the service's own facts, each shot once, by whom."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from parivision.canary import evidence
from parivision.canary.record import RolloutStage
from parivision.prediction_log.records import LabelledPrediction, ServedPrediction
from parivision.shots.facts import from_records
from rollouts import rollout

SHOT = {"player_id": 7, "period": 2, "clock_s": 30.5, "x_ft": 1.0, "y_ft": 24.0}


def served(number=0, *, track="primary", version="1", **facts):
    """A prediction as the log has it."""
    return ServedPrediction(
        id=f"{number:032x}",
        at="2026-02-03T04:05:06.789+00:00",
        model="shots",
        version=version,
        track=track,
        pod="pod",
        p_made=0.5,
        facts=SHOT | facts,
    )


def labelled(one, *, made=True, was=None):
    """The same with its end."""
    return LabelledPrediction(one, made, "2026-02-03T05:00:00.000+00:00", was)


@pytest.fixture
def bundle(league_bundle):
    """A small model."""
    return league_bundle


def test_the_facts_are_those_that_the_service_took(bundle):
    """With the shot's date, or else the day on which it was asked: to the last bit."""
    given = [served(game_date="2024-12-31", action_type="Jump Shot"), served()]
    records: list[dict[str, Any]] = [
        {**SHOT, "game_date": date(2024, 12, 31), "action_type": "Jump Shot"},
        {**SHOT},
    ]
    direct = from_records(records, date(2026, 2, 3))
    assert bundle.predict(evidence.facts_of(given)).tolist() == bundle.predict(direct).tolist()


def test_who_answered_is_told_by_the_track_and_in_the_watch_by_the_version(bundle):
    """After a promotion there is one track, and two versions on it."""
    one = rollout()
    records = [served(), served(track="canary", version="2"), served(track="shadow", version="2")]
    batch = evidence.of_predictions(one, records, bundle, bundle)
    assert batch is not None
    assert batch.by_challenger.tolist() == [False, True, True]
    assert batch.same_version.all()
    one.stage = RolloutStage.WATCHING
    batch = evidence.of_predictions(one, [served(), served(version="2")], bundle, bundle)
    assert batch is not None
    assert batch.by_challenger.tolist() == [False, True]
    assert batch.same_version.all()


def test_another_version_than_the_image_names_is_found(bundle):
    """On either side."""
    records = [served(version="7"), served(track="canary", version="7")]
    batch = evidence.of_predictions(rollout(), records, bundle, bundle)
    assert batch is not None
    assert batch.same_version.tolist() == [False, False]


def test_what_others_answered_is_no_evidence(bundle):
    """Pods of a rollout that was replaced, and the primary when it takes the challenger over."""
    one = rollout(stale_versions=("3",))
    records = [served(track="canary", version="3"), served(version="2")]
    assert evidence.of_predictions(one, records, bundle, bundle) is None
    one.stage = RolloutStage.WATCHING
    assert evidence.of_predictions(one, [served(version="9")], bundle, bundle) is None


def test_a_shot_is_labelled_once(bundle):
    """By game and event, whoever was asked about it, also after a restart; corrections are late."""
    one = rollout()
    twice = [served(n, game_id=5, event_id=9) for n in (1, 2)]
    batch = evidence.of_labelled(one, [labelled(x) for x in [*twice, served(3)]], bundle, bundle)
    assert batch is not None
    assert len(batch) == 2
    again = type(one).from_dict(one.to_dict())
    assert evidence.of_labelled(again, [labelled(twice[0])], bundle, bundle) is None
    assert evidence.of_labelled(again, [labelled(served(4), was=False)], bundle, bundle) is None


def test_segments_are_those_of_the_verdict(bundle):
    """Codes that it knows, for overtime and a player whom nobody knows, too."""
    facts = evidence.facts_of([served(period=9, player_id=999_999), served(x_ft=23.0, y_ft=0.0)])
    found = evidence.segments_of(facts, bundle)
    assert found.period.tolist() == [4, 1]
    assert found.volume[0] == 0
    found.cells()
    assert np.all(found.zone >= 0)

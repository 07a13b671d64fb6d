"""The page of a drift summary."""

import re

import numpy as np
import polars as pl
import pytest

from drift_league import league
from parivision.drift import DriftSummary, build_reference, detect
from parivision.reports.drift_page import summary_page
from parivision.sources.synthetic import P_TRUE


@pytest.fixture(scope="module")
def summaries() -> dict[str, DriftSummary]:
    """A quiet summary, one with drift of every kind, one without evidence."""
    training, week = league(2022, 60), league(2023, 25)
    reference = build_reference(training, training, training[P_TRUE], champion="<b>&co</b>")
    changed = week.with_columns(
        y_ft=pl.col("y_ft") + 5, action_type=pl.lit("Brand <new> Shot"), made=1 - pl.col("made")
    )
    return {
        "quiet": detect(reference, week, week[P_TRUE]),
        "drift": detect(reference, changed, week[P_TRUE]),
        "wrong input": detect(
            reference, week.with_columns(y_ft=pl.col("y_ft") + 5), np.full(week.height, 0.9)
        ),
        "no data": detect(reference, week[:50]),
    }


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("quiet", "Nothing has drifted."),
        ("drift", "y_ft, zone, action_type"),
        ("drift", "Shots no longer end as they did, given"),
        ("wrong input", "y_ft, zone"),
        ("no data", "Too few shots to judge."),
    ],
)
def test_the_page_answers_first(summaries: dict[str, DriftSummary], name: str, answer: str) -> None:
    """The verdict in words stands above the numbers."""
    page = summary_page(summaries[name])
    assert answer in page[: page.index("<section")]


@pytest.mark.parametrize("name", ["quiet", "drift", "wrong input", "no data"])
def test_the_page_is_safe_and_whole(summaries: dict[str, DriftSummary], name: str) -> None:
    """What comes in is escaped, nothing is fetched, and every column is in the table."""
    page = summary_page(summaries[name])
    assert "<b>" not in page
    assert "<new>" not in page
    assert "&lt;b&gt;&amp;co" in page
    assert not re.search(r"(?:src|href)=\"?http", page)
    assert "nan" not in page.lower().replace("finance", "")
    for column in summaries[name].columns:
        assert f'<td class="t">{column.name}</td>' in page


def test_the_columns_that_moved_most_are_drawn_first(summaries: dict[str, DriftSummary]) -> None:
    """A reader sees what drifted without scrolling."""
    captions = re.findall(r"<figcaption>(\w+):", summary_page(summaries["drift"]))
    severity = {column.name: column.severity for column in summaries["drift"].columns}
    assert captions == sorted(captions, key=lambda name: -severity[name])
    assert "player_id" not in captions

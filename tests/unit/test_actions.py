"""Action types: families and modifiers of the scorer's words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.shots.actions import FAMILIES, MODIFIERS, family, family_codes, modifier_flags


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("driving layup shot", "layup"),
        ("driving finger roll shot", "layup"),
        ("tip dunk shot", "dunk"),
        ("tip layup shot", "layup"),
        ("tip shot", "tip"),
        ("turnaround hook shot", "hook"),
        ("jump shot", "jump"),
        ("step back bank jump shot", "jump"),
        ("something nobody has seen", "jump"),
        ("", "jump"),
    ],
)
def test_words_belong_to_a_family(words, expected):
    """The first word that names a family decides; the rest are jump shots."""
    assert family(words) == expected
    assert FAMILIES[family_codes([words])[0]] == expected


def test_modifiers_are_found_in_any_combination():
    """Each modifier's flag is set exactly when its words are there."""
    flags = modifier_flags(["driving reverse layup shot", "jump shot", "pullup jump shot"])
    names = list(MODIFIERS)
    found = [{names[i] for i in np.flatnonzero(row)} for row in flags]
    assert found == [{"driving", "reverse"}, set(), {"pullup"}]


def test_no_actions_have_no_rows():
    """An empty list gives empty arrays of the right width."""
    assert modifier_flags([]).shape == (0, len(MODIFIERS))
    assert family_codes([]).shape == (0,)


@given(st.lists(st.text()))
def test_any_words_have_a_family(words):
    """No words raise, and "not given" is never the family of words."""
    assert all(1 <= code < len(FAMILIES) for code in family_codes(words))
    assert set(np.unique(modifier_flags(words))) <= {0.0, 1.0}

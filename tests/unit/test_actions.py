"""Action types: families and modifiers of the scorer's words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parivision.shots.actions import FAMILIES, MODIFIERS, family, held_modifiers


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


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("driving reverse layup shot", {"driving", "reverse"}),
        ("jump shot", set()),
        ("pullup jump shot", {"pullup"}),
    ],
)
def test_modifiers_are_found_in_any_combination(words, expected):
    """Each modifier's flag is set exactly when its words are there."""
    flags = dict(zip(MODIFIERS, held_modifiers(words), strict=True))
    assert {name for name, flag in flags.items() if flag} == expected
    assert set(flags.values()) <= {0.0, 1.0}


@given(st.text())
def test_any_words_have_a_family(words):
    """No words raise, and "not given" is never the family of words."""
    assert family(words) in FAMILIES[1:]
    assert len(held_modifiers(words)) == len(MODIFIERS)

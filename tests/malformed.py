"""Requests as no client should send them, and good ones to spoil."""

import json
import random
from collections.abc import Iterator, Mapping
from typing import Any

from hypothesis import strategies as st

from parivision.serving.openapi import FULL_SHOT, SMALL_SHOT
from parivision.serving.shot import FIELDS

NUMBERS = st.one_of(
    st.integers(),
    st.floats(),
    st.sampled_from([2**31, 2**63, 2**64, -(2**63) - 1, 10**50, 10**400, 1e308, -0.0, 5e-324]),
)
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=200))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.dictionaries(st.text(max_size=20), inner, max_size=5)
    ),
    max_leaves=10,
)
NAMES = st.one_of(st.sampled_from([*FIELDS, "shots"]), st.text(max_size=60))
GOOD_SHOTS: st.SearchStrategy[dict[str, Any]] = st.sampled_from([SMALL_SHOT, FULL_SHOT])


@st.composite
def spoiled_shots(draw: st.DrawFn) -> dict[str, Any]:
    """A shot with fields replaced, added or taken away."""
    shot = {**draw(GOOD_SHOTS), **draw(st.dictionaries(NAMES, VALUES, max_size=4))}
    for name in draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=2)):
        shot.pop(name, None)
    return shot


@st.composite
def damaged(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> bytes:
    """JSON with a byte changed, a piece cut out or a piece put in."""
    text = draw(texts).encode("utf-8", "surrogatepass")
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, min(len(text), start + 8)))
    return text[:start] + draw(st.binary(max_size=8)) + text[end:]


OBJECTS = st.one_of(
    spoiled_shots(),
    st.builds(lambda shots: {"shots": shots}, st.lists(spoiled_shots(), max_size=4)),
    st.builds(lambda shots, rest: {"shots": shots, **rest}, VALUES, st.dictionaries(NAMES, VALUES)),
    VALUES,
)
TEXTS = OBJECTS.map(json.dumps)
DEEP = st.builds(
    lambda opening, depth: (opening * depth).encode(),
    st.sampled_from(["[", '{"shots":[', '{"x_ft":', '[{"a":']),
    st.integers(1, 20_000),
)
BODIES = st.one_of(
    TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass")),
    damaged(TEXTS),
    st.binary(max_size=300),
    st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")),
    DEEP,
)
"""Bodies of every kind; a few of them happen to be right."""


_WORDS = ("NaN", "-Infinity", "1e999", "null", "true", '"x"', "[]", "{}", "-1", "2.5", "1" * 400)
_BYTES = (b'"', b"{", b"}", b"[", b",", b":", b"\\", b"\x00", b"\xff", b"9", b"-", b"e", b" ")


def mutated_bodies(seed: int, count: int) -> Iterator[bytes]:
    """Many bodies in little time: values exchanged, then a few bytes changed in some."""
    rng = random.Random(seed)
    for _ in range(count):
        shots = [_mutated(rng) for _ in range(rng.choice([1, 1, 1, 2, 5]))]
        text = shots[0] if len(shots) == 1 else f'{{"shots": [{", ".join(shots)}]}}'
        body = text.encode()
        for _ in range(rng.choice([0, 0, 1, 3])):
            place = rng.randrange(len(body) + 1)
            body = body[:place] + rng.choice(_BYTES) + body[place + rng.choice([0, 1, 1, 7]) :]
        yield body


def _mutated(rng: random.Random) -> str:
    shots: list[Mapping[str, object]] = [SMALL_SHOT, FULL_SHOT]
    members = {name: json.dumps(value) for name, value in rng.choice(shots).items()}
    for _ in range(rng.choice([1, 1, 2, 4])):
        name = rng.choice([*FIELDS, "shots", "y", ""])
        if rng.random() < 0.3:
            members.pop(name, None)
        else:
            members[name] = rng.choice(_WORDS)
    return "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}"

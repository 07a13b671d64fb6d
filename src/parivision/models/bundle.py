"""The bundle: everything one model needs to answer, in one folder.

Trees (or what a family has instead) for shots with and without an action type, the form of the
league on the last day known, the recalibration, and a card that says where it all comes from. The
same bundle is evaluated, registered, packed into a Bento and served.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from parivision import durable
from parivision.errors import ModelError
from parivision.features import kernel
from parivision.features.form import Form
from parivision.features.inputs import ShotInputs
from parivision.features.rows import FeatureRows, advance, lookup, walk
from parivision.features.tally import Tables
from parivision.models.estimators import Estimator, load_estimator
from parivision.models.recalibration import Recalibration, logit, recalibrated, sigmoid
from parivision.shots import leagues
from parivision.shots.facts import EPOCH, NO_ACTION, Facts, Floats

WITH_ACTION: Final = "with_action"
WITHOUT_ACTION: Final = "without_action"
NEWER_SHARE: Final = 0.8
"""Found on the seasons 2006 to 2015: better than the newer alone in nine of ten, by 0.0001."""
PARTNER: Final = "_partner"
PLAYERS: Final = "players.json"
"""Kept beside a promoted bundle: the newest shooters by name, for people to choose from."""
CARD: Final = "bundle.json"
# What a card says of the model that was judged, and not of a part that it is made of.
_OF_THE_WHOLE: Final = frozenset({"partner", "scores", "reliability"})
FORM: Final = "form.npz"


@dataclass
class Part:
    """One estimator with its features and its recalibration.

    `settled` is the recalibration as training left it, before any game that came later. A part may
    have a `partner`, an older model's part that has its say too: the log odds of the two are
    averaged, the newer one's weighing `NEWER_SHARE`.
    """

    names: tuple[str, ...]
    estimator: Estimator
    recalibration: Recalibration = field(default_factory=Recalibration)
    settled: Recalibration = field(default_factory=Recalibration)
    partner: "Part | None" = None

    def raw(self, features: FeatureRows) -> Floats:
        """The estimator's probabilities, before recalibration and without the partner."""
        return self.estimator.predict(features.matrix(self.names))

    def predict(self, features: FeatureRows) -> Floats:
        """Probabilities as of the last day known."""
        own = self.recalibration.apply(self.raw(features))
        return own if self.partner is None else _mean(own, self.partner.predict(features))

    def one(self, form: Tables) -> Callable[[ShotInputs], float]:
        """What `predict` says of one shot, with the recalibration as it is now."""
        row, answer = kernel.row(self.names), self.estimator.one
        shift, slope = self.recalibration.shift_and_slope

        def own(shot: ShotInputs) -> float:
            return recalibrated(answer(row(shot, form)), shift, slope)

        if self.partner is None:
            return own
        partner = self.partner.one(form)

        def both(shot: ShotInputs) -> float:
            return float(_mean(own(shot), partner(shot)))

        return both

    def walk(self, facts: Facts, features: FeatureRows, made: Floats) -> Floats:
        """Probabilities of past games, each day's as of its morning; recalibration moves on."""
        own = self.recalibration.walk(self.raw(features), made, facts.by_day())
        return own if self.partner is None else _mean(own, self.partner.walk(facts, features, made))

    def copy(self) -> "Part":
        """A copy whose recalibration moves on its own; the estimators are shared."""
        partner = self.partner.copy() if self.partner else None
        return replace(self, recalibration=self.recalibration.copy(), partner=partner)

    def as_settled(self) -> "Part":
        """A copy with the recalibration that training left."""
        partner = self.partner.as_settled() if self.partner else None
        return replace(self, recalibration=self.settled.copy(), partner=partner)

    def members(self) -> "list[Part]":
        """The part and its partners."""
        return [self, *(self.partner.members() if self.partner else ())]

    def features(self) -> tuple[str, ...]:
        """What the part and its partners need."""
        return tuple(dict.fromkeys(name for part in self.members() for name in part.names))


@dataclass
class Bundle:
    """A model as it is served.

    `parts` has `without_action` always and `with_action` where the family can use an action.
    `card` holds plain values: family, feature set, seed, parameters, dates.
    """

    family: str
    feature_set: str
    parts: dict[str, Part]
    form: Form
    card: dict[str, Any] = field(default_factory=dict)

    def predict(self, facts: Facts) -> Floats:
        """Probabilities as the service answers: form and recalibration as of the last day known."""
        out = np.empty(len(facts))
        given = (facts.action != NO_ACTION) & (WITH_ACTION in self.parts)
        for name, rows in (
            (WITHOUT_ACTION, np.flatnonzero(~given)),
            (WITH_ACTION, np.flatnonzero(given)),
        ):
            if len(rows):
                part = self.parts[name]
                asked = facts if len(rows) == len(facts) else facts.take(rows)
                out[rows] = part.predict(lookup(self.form, asked, part.features()))
        return out

    def walk(self, facts: Facts, made: Floats) -> Floats:
        """Probabilities of past games, each day's from what was known that morning.

        Form and recalibration move on with the games, as they do in production when the bundle is
        refreshed every night; the estimators stay. `facts` must be in time order.
        """
        return self.follow(facts, made, walk(self.form, facts, made))

    def follow(self, facts: Facts, made: Floats, features: FeatureRows) -> Floats:
        """Like `walk`, for features already walked (they are the same for every model)."""
        out = np.empty(len(facts))
        everything, given = np.arange(len(facts)), np.flatnonzero(facts.action != NO_ACTION)
        # In this order: a shot whose action is known is answered by the part that uses it.
        for name, rows in ((WITHOUT_ACTION, everything), (WITH_ACTION, given)):
            if name in self.parts and len(rows):
                asked = facts.take(rows), features.take(rows)
                out[rows] = self.parts[name].walk(*asked, made[rows])
        return out

    def refreshed(self, facts: Facts, made: Floats) -> "Bundle":
        """The same model with form and recalibration brought up to the last of these games.

        `facts` must be in time order; games already known are passed over.
        """
        fresh = self.copy()
        new = facts.after(self.form.as_of_day)
        fresh.walk(facts.take(new), made[new])
        fresh.card["known_through"] = _iso(fresh.form.as_of_day)
        return fresh

    def rebuilt(self, facts: Facts, made: Floats) -> "Bundle":
        """The same estimators with their state made anew from these games, as if it knew no later.

        How a champion that knows later games already is judged on them. `facts` are the whole
        history in time order.
        """
        parts = {name: part.as_settled() for name, part in self.parts.items()}
        past = replace(self, parts=parts, form=Form(), card=dict(self.card))
        days = [each.settled.as_of_day for part in parts.values() for each in part.members()]
        # From where the older of two models was settled: the newer one passes over what it counted.
        # A part that no shot with an action settled was settled on the same games all the same.
        settled = min((day for day in days if day is not None), default=None)
        later = facts.after(settled)
        earlier = slice(later.start)
        advance(past.form, facts.take(earlier), made[earlier])
        past.walk(facts.take(later), made[later])
        return past

    @property
    def league(self) -> str:
        """The key of the league that it was trained on; older bundles, of the NBA, lack it."""
        return str(self.card.get("league", leagues.NBA.key))

    def importances(self) -> dict[str, float]:
        """Feature to importance (shares), of the part that uses the action if there is one."""
        part = self.parts.get(WITH_ACTION, self.parts[WITHOUT_ACTION])
        shares = part.estimator.importances()
        if shares is None:
            return {}
        return dict(zip(part.names, (float(share) for share in shares), strict=True))

    def copy(self) -> "Bundle":
        """A copy whose state moves on its own; the estimators are shared."""
        parts = {name: part.copy() for name, part in self.parts.items()}
        return replace(self, parts=parts, form=self.form.copy(), card=dict(self.card))

    def save(self, folder: Path) -> None:
        """Write the bundle over what was there; the same bundle gives the same bytes.

        The card comes last and knows all files by their content, so that a folder that was written
        in part only, or was damaged, is told from a bundle.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(_model_file("*")):
            old.unlink()
        described = {name: _save_part(part, folder, name) for name, part in self.parts.items()}
        _save_arrays(folder / FORM, self.form.to_arrays())
        files = (FORM, *_files_of(described))
        card = {
            "family": self.family,
            "feature_set": self.feature_set,
            "parts": described,
            "digests": {name: _digest(folder / name) for name in files},
            "card": self.card,
        }
        durable.put_json(folder / CARD, card, sort_keys=True)

    @classmethod
    def load(cls, folder: Path) -> "Bundle":
        """Read what `save` wrote; raises ModelError when a file is missing, damaged or unusable."""
        try:
            card = json.loads((folder / CARD).read_text())
            for name in (FORM, *_files_of(card["parts"])):
                # Before it is parsed: the families' own readers may abort on a damaged file.
                if _digest(folder / name) != card["digests"][name]:
                    raise ModelError(f"{folder / name} is damaged: fetch or train the model again")
            with np.load(folder / FORM, allow_pickle=False) as arrays:
                form = Form.from_arrays(dict(arrays))
            parts = {name: _load_part(part, folder, name) for name, part in card["parts"].items()}
            parts[WITHOUT_ACTION]  # a shot without an action can always be answered
            return cls(card["family"], card["feature_set"], parts, form, card["card"])
        except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"{folder} holds no usable bundle ({error}); train one with `parivision train`"
            ) from error


def blended(newer: Bundle, older: Bundle) -> Bundle:
    """A bundle in which an older model keeps a say: `1 - NEWER_SHARE` of the log odds.

    Both must know the same games. Of an older model that is a blend itself only the newer half
    stays, so that a champion never grows. Raises ModelError when the two know different games.
    """
    if newer.form.as_of_day != older.form.as_of_day:
        raise ModelError(
            f"the newer model knows games through {_iso(newer.form.as_of_day)}, the older one "
            f"through {_iso(older.form.as_of_day)}: refresh both with the same games"
        )
    parts = {}
    for name in newer.parts | older.parts:
        own, partner = (
            bundle.parts.get(name, bundle.parts[WITHOUT_ACTION]).copy() for bundle in (newer, older)
        )
        parts[name] = replace(own, partner=replace(partner, partner=None))
    blend = replace(newer.copy(), parts=parts)
    blend.card["partner"] = {"family": older.family, **_alone(older.card)}
    return blend


def _alone(card: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in card.items() if key not in _OF_THE_WHOLE}


def _mean(newer: Any, older: Any) -> Any:
    """The log odds of a newer and an older model, averaged; numbers or arrays."""
    return sigmoid(NEWER_SHARE * logit(newer) + (1 - NEWER_SHARE) * logit(older))


def _model_file(part: str) -> str:
    return f"{part}.model"


def _files_of(described: Mapping[str, Any]) -> list[str]:
    names = []
    for name, part in described.items():
        partner = part.get("partner")  # bundles of before there were partners lack it
        below = {} if partner is None else {name + PARTNER: partner}
        names += [_model_file(name), *_files_of(below)]
    return names


def _save_part(part: Part, folder: Path, name: str) -> dict[str, Any]:
    part.estimator.save(folder / _model_file(name))
    partner = part.partner
    return {
        "features": list(part.names),
        "kind": part.estimator.kind,
        "recalibration": part.recalibration.to_dict(),
        "settled": part.settled.to_dict(),
        "partner": _save_part(partner, folder, name + PARTNER) if partner else None,
    }


def _load_part(card: Mapping[str, Any], folder: Path, name: str) -> Part:
    partner = card.get("partner")
    return Part(
        names=tuple(card["features"]),
        estimator=load_estimator(card["kind"], folder / _model_file(name)),
        recalibration=Recalibration.from_dict(card["recalibration"]),
        settled=Recalibration.from_dict(card["settled"]),
        partner=None if partner is None else _load_part(partner, folder, name + PARTNER),
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _iso(day: int | None) -> str | None:
    return None if day is None else str(EPOCH.fromordinal(EPOCH.toordinal() + day))


def _save_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """`numpy.savez` with no time stamps, so that equal arrays give equal bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in sorted(arrays.items()):
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, np.asanyarray(array), allow_pickle=False)
            archive.writestr(
                zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), buffer.getvalue()
            )

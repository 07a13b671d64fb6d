"""The bundle: everything one model needs to answer, in one folder.

Trees (or what a family has instead) for shots with and without an action type, the form of the
league on the last day known, the recalibration, and a card that says where it all comes from. The
same bundle is evaluated, registered, packed into a Bento and served.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from parivision import features
from parivision.errors import ModelError
from parivision.facts import EPOCH, NO_ACTION, Facts, Floats
from parivision.form import Form
from parivision.models.estimators import Estimator, load_estimator
from parivision.models.recalibration import Recalibration

WITH_ACTION: Final = "with_action"
WITHOUT_ACTION: Final = "without_action"
CARD: Final = "bundle.json"
FORM: Final = "form.npz"


@dataclass
class Part:
    """One estimator with its features and its recalibration.

    `settled` is the recalibration as training left it, before any game that came later.
    """

    names: tuple[str, ...]
    estimator: Estimator
    recalibration: Recalibration = field(default_factory=Recalibration)
    settled: Recalibration = field(default_factory=Recalibration)

    def raw(self, facts: Facts, form: Mapping[str, Floats]) -> Floats:
        """Probabilities before recalibration."""
        return self.estimator.predict(features.matrix(facts, form, self.names))


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
        form = self.form.lookup(facts)
        out = np.empty(len(facts))
        given = (facts.action != NO_ACTION) & (WITH_ACTION in self.parts)
        for name, rows in (
            (WITHOUT_ACTION, np.flatnonzero(~given)),
            (WITH_ACTION, np.flatnonzero(given)),
        ):
            if len(rows):
                part = self.parts[name]
                raw = part.raw(
                    facts.take(rows), {key: values[rows] for key, values in form.items()}
                )
                out[rows] = part.recalibration.apply(raw)
        return out

    def walk(self, facts: Facts, made: Floats) -> Floats:
        """Probabilities of past games, each day's from what was known that morning.

        Form and recalibration move on with the games, as they do in production when the bundle is
        refreshed every night; the estimators stay. `facts` must be in time order.
        """
        return self.follow(facts, made, self.form.walk(facts, made))

    def follow(self, facts: Facts, made: Floats, form: Mapping[str, Floats]) -> Floats:
        """Like `walk`, for form features already walked (they are the same for every model)."""
        out = np.empty(len(facts))
        everything, given = np.arange(len(facts)), np.flatnonzero(facts.action != NO_ACTION)
        # In this order: a shot whose action is known is answered by the part that uses it.
        for name, rows in ((WITHOUT_ACTION, everything), (WITH_ACTION, given)):
            if name in self.parts and len(rows):
                part, seen = self.parts[name], facts.take(rows)
                raw = part.raw(seen, {key: values[rows] for key, values in form.items()})
                out[rows] = part.recalibration.walk(raw, made[rows], seen.by_day())
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
        parts = {
            name: replace(part, recalibration=part.settled.copy())
            for name, part in self.parts.items()
        }
        past = replace(self, parts=parts, form=Form(), card=dict(self.card))
        columns = past.form.walk(facts, made)
        days = [part.settled.as_of_day for part in parts.values()]
        # A part that no shot with an action settled was settled on the same games all the same.
        settled = max((day for day in days if day is not None), default=None)
        rows = facts.after(settled)
        later = {name: values[rows] for name, values in columns.items()}
        past.follow(facts.take(rows), made[rows], later)
        return past

    def importances(self) -> dict[str, float]:
        """Feature to importance (shares), of the part that uses the action if there is one."""
        part = self.parts.get(WITH_ACTION, self.parts[WITHOUT_ACTION])
        shares = part.estimator.importances()
        if shares is None:
            return {}
        return dict(zip(part.names, (float(share) for share in shares), strict=True))

    def copy(self) -> "Bundle":
        """A copy whose state moves on its own; the estimators are shared."""
        parts = {
            name: replace(part, recalibration=part.recalibration.copy())
            for name, part in self.parts.items()
        }
        return replace(self, parts=parts, form=self.form.copy(), card=dict(self.card))

    def save(self, folder: Path) -> None:
        """Write the bundle over what was there; the same bundle gives the same bytes.

        The card comes last and knows all files by their content, so that a folder that was written
        in part only, or was damaged, is told from a bundle.
        """
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(_model_file("*")):
            old.unlink()
        described = {}
        for name, part in self.parts.items():
            part.estimator.save(folder / _model_file(name))
            described[name] = {
                "features": list(part.names),
                "kind": part.estimator.kind,
                "recalibration": part.recalibration.to_dict(),
                "settled": part.settled.to_dict(),
            }
        _save_arrays(folder / FORM, self.form.to_arrays())
        files = (FORM, *(_model_file(name) for name in self.parts))
        card = {
            "family": self.family,
            "feature_set": self.feature_set,
            "parts": described,
            "digests": {name: _digest(folder / name) for name in files},
            "card": self.card,
        }
        (folder / CARD).write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")

    @classmethod
    def load(cls, folder: Path) -> "Bundle":
        """Read what `save` wrote; raises ModelError when a file is missing, damaged or unusable."""
        try:
            card = json.loads((folder / CARD).read_text())
            for name in (FORM, *(_model_file(part) for part in card["parts"])):
                # Before it is parsed: the families' own readers may abort on a damaged file.
                if _digest(folder / name) != card["digests"][name]:
                    raise ModelError(f"{folder / name} is damaged: fetch or train the model again")
            with np.load(folder / FORM, allow_pickle=False) as arrays:
                form = Form.from_arrays(dict(arrays))
            parts = {
                name: Part(
                    names=tuple(part["features"]),
                    estimator=load_estimator(part["kind"], folder / _model_file(name)),
                    recalibration=Recalibration.from_dict(part["recalibration"]),
                    settled=Recalibration.from_dict(part["settled"]),
                )
                for name, part in card["parts"].items()
            }
            parts[WITHOUT_ACTION]  # a shot without an action can always be answered
            return cls(card["family"], card["feature_set"], parts, form, card["card"])
        except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise ModelError(
                f"{folder} holds no usable bundle ({error}); train one with `parivision train`"
            ) from error


def _model_file(part: str) -> str:
    return f"{part}.model"


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

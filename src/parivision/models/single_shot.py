"""One shot at a time: the prediction of `Bundle.predict`, from plain numbers and without arrays.

A request is one row, and an array of one costs as much as one of a hundred. The features are those
of `features.kernel`, by the same lines.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from parivision.features.inputs import InputsOfOne
from parivision.models.bundle import WITH_ACTION, WITHOUT_ACTION, Bundle
from parivision.shots import court


class ShotPrediction(NamedTuple):
    """The prediction of one shot: a probability, the points it is worth, and its zone's number."""

    p_made: float
    shot_value: int
    zone: int


class SingleShotPredictor:
    """Answers shots one by one; threads may share it, and it never changes."""

    def __init__(self, bundle: Bundle) -> None:
        """Games that the bundle follows later are not seen."""
        form = bundle.form.copy()
        self._inputs_of = InputsOfOne(form)
        tables = form.tables(is_for_one=True)
        self._without = bundle.parts[WITHOUT_ACTION].one(tables)
        part = bundle.parts.get(WITH_ACTION)
        self._with = self._without if part is None else part.one(tables)

    def __call__(self, shot: Mapping[str, Any]) -> ShotPrediction:
        """The prediction of a shot: what `facts.from_records` takes, with its place in range."""
        inputs = self._inputs_of(shot)
        p_made = self._with(inputs) if inputs.action_family else self._without(inputs)
        zone = court.zone(shot["x_ft"], shot["y_ft"])
        return ShotPrediction(p_made, int(inputs.shot_value), zone)

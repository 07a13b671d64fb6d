"""The bundle as an MLflow pyfunc model: what `mlflow models serve` and other tools load.

MLflow reads this file as code when a version is logged (`python_model=` path), so nothing is
pickled. What it imports of this library is logged beside it (`logged_model`), so keep it little.
It answers probabilities; a plain classifier behind pyfunc would answer labels.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from parivision import strict_json
from parivision.models.bundle import Bundle
from parivision.serving import requests
from parivision.serving.shot import MAX_SHOTS, SHOTS
from parivision.shots.facts import Facts, from_records


class BundleModel(PythonModel):
    """Raw facts of shots in (one row a shot), probabilities out."""

    def load_context(self, context: Any) -> None:
        """Load the bundle that was logged with the version."""
        self.bundle = Bundle.load(Path(context.artifacts["bundle"]))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """Probabilities of made shots, shape (n,), of a pandas frame with one row a shot.

        Raises MlflowException for shots that the prediction service refuses. No type hints: MLflow
        would take them for the model's signature.
        """
        # NaN is a missing fact here. As objects, since a column of numbers cannot hold None.
        given = model_input.astype(object).where(model_input.notna(), None)
        records = given.to_dict(orient="records")
        p_made: list[float] = []
        for first in range(0, len(records), MAX_SHOTS):
            facts = _facts(records[first : first + MAX_SHOTS], first)
            p_made += self.bundle.predict(facts).tolist()
        return p_made


def _facts(records: Sequence[Mapping[str, Any]], first: int) -> Facts:
    """Facts of shots, read as the service reads a request, so that both take and refuse the same.

    `first` is the row of the first of them, for the message.
    """
    try:
        request = requests.parse(strict_json.text({SHOTS: records}).encode())
    except requests.Refusal as refusal:
        counted = f" (shots[0] is row {first} of the input)" if first else ""
        raise MlflowException.invalid_parameter_value(refusal.sentence + counted) from refusal
    return from_records(request.shots, today=datetime.now(tz=UTC).date())


set_model(BundleModel())

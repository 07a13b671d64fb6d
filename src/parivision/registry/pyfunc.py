"""The bundle as an MLflow pyfunc model: what `mlflow models serve` and other tools load.

MLflow reads this file as code when a version is logged (`python_model=` path), so nothing is
pickled. It answers probabilities; a plain classifier behind pyfunc would answer labels.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

from parivision.models.bundle import Bundle
from parivision.shots.facts import from_records


class BundleModel(PythonModel):
    """Raw facts of shots in (one row a shot), probabilities out."""

    def load_context(self, context: Any) -> None:
        """Load the bundle that was logged with the version."""
        self.bundle = Bundle.load(Path(context.artifacts["bundle"]))

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # noqa: ARG002
        """Probabilities of made shots, shape (n,), of a pandas frame with one row a shot.

        No type hints: MLflow would take them for the model's signature.
        """
        # NaN is a missing fact here. As objects, since a column of numbers cannot hold None.
        given = model_input.astype(object).where(model_input.notna(), None)
        records = given.to_dict(orient="records")
        for record in records:
            record["game_date"] = _day(record.get("game_date"))
        facts = from_records(records, today=datetime.now(tz=UTC).date())
        return [float(p) for p in self.bundle.predict(facts)]


def _day(value: Any) -> date | None:
    """The day that a cell means: a date, a time stamp of pandas, or ISO text as JSON has it."""
    if isinstance(value, str):
        return date.fromisoformat(value[:10])
    return value.date() if isinstance(value, datetime) else value


set_model(BundleModel())

"""The model that answers: a bundle, and the name and version it is registered under."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from parivision import durable
from parivision.errors import ModelError, ServiceError
from parivision.features.inputs import InputsOfOne
from parivision.models.bundle import PLAYERS, WITH_ACTION, WITHOUT_ACTION, Bundle
from parivision.serving.shot import Rows, Shot
from parivision.shots import court
from parivision.shots.facts import EPOCH, Floats, Ints, from_columns

CHAMPION_FILE: Final = "champion.json"
BUNDLE_FOLDER: Final = "bundle"

# A shot to answer once at the start, so that the first client does not wait for what loads lazily.
_FIRST_SHOT: Final = Shot(player_id=1, period=1, clock_s=300.0, x_ft=0.0, y_ft=15.0)


def utc_today() -> date:
    """Today's date, the default of a shot's game date."""
    return datetime.now(UTC).date()


@dataclass(frozen=True)
class ChampionRecord:
    """What the registry says about the model in a Bento.

    `digest` identifies the Bento's content: two of one version that differ in it differ in files.
    `metrics` are those that it was promoted with.
    """

    name: str
    version: str
    digest: str = ""
    metrics: Mapping[str, float | None] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Keep it in a Bento's folder."""
        durable.put_json(folder / CHAMPION_FILE, asdict(self), sort_keys=True)

    @classmethod
    def read(cls, folder: Path) -> "ChampionRecord":
        """What `write` wrote; raises ServiceError when there is none."""
        try:
            return cls(**json.loads((folder / CHAMPION_FILE).read_text()))
        except (OSError, TypeError, ValueError) as error:
            raise ServiceError(
                f"{folder} is not the content of a Bento ({error}): "
                "build one with parivision.packaging.bento"
            ) from error


@dataclass(frozen=True)
class Answer:
    """Predictions of n shots; every array has shape (n,)."""

    p_made: Floats
    expected_points: Floats
    zone: Ints


class AnswerOfOne(NamedTuple):
    """The prediction of one shot."""

    p_made: float
    expected_points: float
    zone: int


class Predictor:
    """Answers shots with one bundle; safe to share between threads, it changes nothing."""

    def __init__(
        self, bundle: Bundle, champion: ChampionRecord, today: Callable[[], date] = utc_today
    ) -> None:
        self.bundle = bundle
        self.players = b'{"players":[]}'
        """JSON that says who may be asked for by name (`answers.Players`)."""
        self.champion = champion
        self.model = {
            "name": champion.name,
            "version": champion.version,
            "family": bundle.family,
        }
        """Name, version and family, as every answer carries them."""
        self._today = today
        # For single shots: a request is one row, and an array of one costs as much as of a hundred.
        self._inputs_of = InputsOfOne(bundle.form)
        tables = bundle.form.tables(is_for_one=True)
        self._without_action = bundle.parts[WITHOUT_ACTION].one(tables)
        with_action = bundle.parts.get(WITH_ACTION)
        self._with_action = with_action.one(tables) if with_action else self._without_action

    @classmethod
    def load(cls, folder: Path) -> "Predictor":
        """The model in a Bento's folder, proven to answer.

        Raises ServiceError or ModelError when the folder holds none that does.
        """
        bundle = folder / BUNDLE_FOLDER
        predictor = cls(Bundle.load(bundle), ChampionRecord.read(folder))
        if (bundle / PLAYERS).is_file():  # Bentos of before they were kept have none
            predictor.players = (bundle / PLAYERS).read_bytes()
        # Both ways, because one shot is plain numbers and many are columns.
        predictor.answer([_FIRST_SHOT])
        predictor.answer_one(_FIRST_SHOT)
        return predictor

    def answer(self, shots: Sequence[Shot]) -> Answer:
        """Probabilities, expected points and zones of shots.

        Raises ModelError when the model answers with something else than probabilities.
        """
        return self.answer_rows(Rows.of(shots))

    def answer_rows(self, rows: Rows) -> Answer:
        """What `answer` says, of shots in columns."""
        facts = from_columns(rows.columns, rows.size, self._today())
        p_made = self.bundle.predict(facts)
        # As a condition that must hold, because each comparison with NaN is false.
        if not np.all((p_made >= 0) & (p_made <= 1)):
            raise self._no_probabilities()
        return Answer(
            p_made=p_made,
            expected_points=p_made * facts.shot_value,
            zone=court.zone(facts.x_ft, facts.y_ft),
        )

    def answer_one(self, shot: Shot) -> AnswerOfOne:
        """What `answer` says of one shot, some hundred times as fast; raises ModelError too."""
        inputs = self._inputs_of(shot)
        p_made = (self._with_action if inputs.action_family else self._without_action)(inputs)
        if not 0 <= p_made <= 1:
            raise self._no_probabilities()
        zone = court.zone(shot["x_ft"], shot["y_ft"])
        return AnswerOfOne(p_made, p_made * inputs.shot_value, zone)

    def _no_probabilities(self) -> ModelError:
        return ModelError(
            f"{self.champion.name}:{self.champion.version} answers with numbers that are no "
            "probabilities: train it again"
        )

    def today(self) -> date:
        """The day of a shot that names none."""
        return self._today()

    @property
    def reliability(self) -> Sequence[Mapping[str, float]]:
        """Rows of `scores.reliability` as judged at promotion; none in bundles without them."""
        rows: Sequence[Mapping[str, float]] = self.bundle.card.get("reliability", ())
        return rows

    def age_days(self) -> int | None:
        """Days since the last game that the model knows of; None if it knows of none."""
        last = self.bundle.form.as_of_day
        return None if last is None else (self._today() - EPOCH).days - last

    def described(self) -> dict[str, Any]:
        """The champion in full, as `GET /champion` shows it."""
        card = self.bundle.card
        return {
            **self.model,
            "feature_set": self.bundle.feature_set,
            "fitted_through": card.get("fitted_through"),
            "known_through": card.get("known_through"),
            "digest": self.champion.digest,
            "metrics": dict(self.champion.metrics),
            "card": card,
        }


def zone_labels(codes: Ints) -> list[str]:
    """The zones' names as people read them."""
    return [ZONE_LABELS[code] for code in codes.tolist()]


ZONE_LABELS: Final = {int(zone): zone.label for zone in court.Zone}

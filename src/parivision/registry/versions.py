"""Versions in MLflow, and the alias `champion` that one of them holds.

A version is made only of a bundle that takes the alias; its tags say why.
"""

import logging
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final, Literal

import mlflow
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from parivision import durable
from parivision.errors import RegistryError
from parivision.models.bundle import Bundle
from parivision.promotion.decision import Decision
from parivision.registry import logged_model
from parivision.registry.client_settings import within
from parivision.registry.records import RegisteredVersion
from parivision.registry.reports import Reports
from parivision.registry.runs import moment
from parivision.registry.succession import NOBODY, SUCCEEDS, Succession, is_ours
from parivision.settings.logins import Login

ALIAS: Final = "champion"
MODEL_NAME: Final = "shots"
_NOT_THERE: Final = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})
"""What stores answer to a question for an alias, a version or a run that they do not have."""
_LONGEST_TAG: Final = 4000
"""Characters of a tag that MLflow's stores take."""
_logger = logging.getLogger(__name__)


class Registry(Reports):
    """Runs, reports and versions behind one tracking URI (`sqlite:///...` or a server's)."""

    def __init__(self, uri: str, artifacts: Path | None = None, login: Login | None = None) -> None:
        """Connect lazily; `artifacts` is where a local store keeps files, a server knows."""
        super().__init__(uri, artifacts, login)
        self._succession = Succession(self._client, MODEL_NAME, ALIAS)

    def require(self, seconds: float) -> None:
        """Raise a RegistryError unless a server answers within `seconds`, and lets us in."""
        # A store in a file answers at once, or says itself what is wrong.
        if self.uri.startswith("http"):
            trouble = (
                f"MLflow at {self.uri} gave no answer within {seconds:g} s: is it running, and is "
                "MLFLOW_TRACKING_URI its address?"
            )
            within(seconds, self.champion, trouble)

    def champion(self) -> RegisteredVersion | None:
        """The version that holds the alias, or None before the first promotion."""
        with self._translated("look the champion up"):
            try:
                holder = self._client.get_model_version_by_alias(MODEL_NAME, ALIAS)
            except MlflowException as error:
                if error.error_code in _NOT_THERE:
                    return None
                # A server with users forbids to ask for the alias of a model that is not there.
                if error.error_code == "PERMISSION_DENIED" and not self._has_model():
                    return None
                raise
            return _version(holder)

    def version(self, number: str) -> RegisteredVersion | None:
        """The version of that number, or None when there is none."""
        with self._translated(f"look version {number} up"):
            try:
                return _version(self._client.get_model_version(MODEL_NAME, number))
            except MlflowException as error:
                if error.error_code in _NOT_THERE:
                    return None
                raise

    def bundle(self, number: str, folder: Path) -> Bundle:
        """A version's bundle, fetched into `folder` once."""
        return Bundle.load(self.fetch(number, folder))

    def incumbent(self) -> RegisteredVersion | None:
        """The champion; where somebody took the alias away, the version that held it last.

        None before the first promotion. Raises RegistryError when the champion was made by hand.
        """
        champion = self.champion()
        if champion is None:
            with self._translated("look the last champion up"):
                last = self._succession.last() if self._has_model() else None
            if last is None:
                return None
            champion = replace(_version(last), has_alias=False)
            _logger.warning("%s", without_alias(champion.number))
        self._refuse_by_hand(champion)
        return champion

    def standing(self) -> tuple[RegisteredVersion | None, Mapping[str, str]]:
        """The champion for people who look, and under `trouble` what is wrong with it."""
        champion = self.champion()
        if champion is not None and self.is_by_hand(champion):
            return champion, {"trouble": self._by_hand(champion)}
        champion = champion or self.incumbent()
        if champion is None or champion.has_alias:
            return champion, {}
        return champion, {"trouble": without_alias(champion.number)}

    def is_by_hand(self, version: RegisteredVersion) -> bool:
        """Whether a version was registered by hand in MLflow, without a bundle of ours."""
        # The tags are at hand, and a look at the files is one more request.
        if is_ours(version.tags):
            return False
        with self._translated(f"look at the files of version {version.number}"):
            try:
                files = self._client.list_artifacts(version.run_id, "bundle")
            except MlflowException as error:
                if error.error_code in _NOT_THERE:
                    return True
                raise
        return not files

    def _refuse_by_hand(self, version: RegisteredVersion) -> None:
        if self.is_by_hand(version):
            raise RegistryError(self._by_hand(version))

    def _by_hand(self, version: RegisteredVersion) -> str:
        with self._translated("look the last champion up"):
            last = self._succession.last()
        advice = "train and promote"
        if last is not None:
            advice = f"give the alias to version {last.version}, which held it last, or remove it"
        return (
            f"version {version.number} of the model {MODEL_NAME!r} was made by hand in MLflow: it "
            f"has no bundle, so nothing can be done with it as {ALIAS!r}; {advice}"
        )

    def point_alias(self, number: str) -> None:
        """Let a version hold the alias; again changes nothing."""
        with self._translated(f"give version {number} the alias {ALIAS!r}"):
            self._succession.crown(number)

    def tag_version(self, number: str, tags: Mapping[str, str]) -> None:
        """Add tags to a version; again changes nothing."""
        with self._translated(f"tag version {number}"):
            for key, value in tags.items():
                self._client.set_model_version_tag(MODEL_NAME, number, key, value)

    def _has_model(self) -> bool:
        try:
            self._client.get_registered_model(MODEL_NAME)
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise
        return True

    def fetch(self, number: str, folder: Path) -> Path:
        """Bring a version's bundle into `folder`, once, and return its path."""
        with self._translated(f"look version {number} up"):
            version = _version(self._client.get_model_version(MODEL_NAME, number))
        self._refuse_by_hand(version)
        return self._download(version.run_id, folder)

    def champion_bundle(self, folder: Path) -> tuple[RegisteredVersion, Bundle] | None:
        """The champion's version and bundle, or None before the first promotion; `incumbent`."""
        version = self.incumbent()
        if version is None:
            return None
        return version, Bundle.load(self.fetch(version.number, folder))

    def promised_by(self, version: RegisteredVersion) -> float | None:
        """The log loss of a version in the evaluation it was promoted by; None if not known."""
        if version.evaluation is None:
            return None
        with self._translated(f"read the evaluation of version {version.number}"):
            metrics = self._client.get_run(version.evaluation).data.metrics
        return metrics.get(f"{version.tags.get('winner')}.log_loss")

    def record(
        self,
        decision: Decision,
        bundle: Path | None,
        source_run: str | None,
        extra_tags: Mapping[str, str] | None = None,
        *,
        against: RegisteredVersion | Literal["whoever it is"] | None = "whoever it is",
    ) -> RegisteredVersion | None:
        """Keep a decision as a run and, if it promotes, make `bundle` the champion.

        `extra_tags` join the tags that say what was decided and why; `against` is the champion
        that the contest saw. Returns the new version, or None when the champion stays. The alias
        moves last: whatever dies before leaves the old champion in place. Raises ModelError when
        another promotion was quicker.
        """
        tags = {
            "kind": "promotion",
            "winner": str(decision.winner),
            "promoted": str(decision.promoted).lower(),
            "reason": decision.reason,
            **(extra_tags or {}),
        }
        with tempfile.TemporaryDirectory() as scratch:
            page = Path(scratch) / "decision.json"
            durable.put_json(page, decision.to_dict())
            artifacts = {"": page}
            if decision.promoted and bundle is not None:
                artifacts["bundle"] = bundle
            run_id = self.log("promotion", tags=tags, artifacts=artifacts)
        if not decision.promoted or bundle is None:
            return None
        tags |= {"source_run": source_run or "", "family": str(decision.winner)}
        with self._translated("register the champion"):
            seen = self._number_seen(against)
            number = self._register(self._log_model(run_id, bundle), tags, seen)
        return RegisteredVersion(number, run_id, tags)

    def _number_seen(self, against: RegisteredVersion | str | None) -> str | None:
        if isinstance(against, str):
            return self._succession.champion() if self._has_model() else None
        return None if against is None else against.number

    def _log_model(self, run_id: str, bundle: Path) -> str:
        return logged_model.log(self.uri, run_id, bundle)

    def _register(self, model: str, tags: Mapping[str, str], seen: str | None) -> str:
        """Make a logged model a version, and the champion unless another is; returns its number."""
        began_s = self._succession.clock()
        # With its number it must be known whom it wants to succeed: others look at both.
        claim = {SUCCEEDS: seen or NOBODY, "kind": tags["kind"]}
        number = str(mlflow.register_model(model, MODEL_NAME, tags=claim).version)
        try:
            for key, value in tags.items():
                self._client.set_model_version_tag(MODEL_NAME, number, key, value[:_LONGEST_TAG])
            self._succession.succeed(number, seen, began_s)
        except BaseException:
            self._give_up(number)
            raise
        return number

    def _give_up(self, number: str) -> None:
        """Take a version that did not get the alias out of the way, if that is known."""
        # If the store is away it stays, and does not count once its time is over.
        with suppress(Exception):
            if self._succession.holder() != number:
                self._client.delete_model_version(MODEL_NAME, number)


def without_alias(number: str) -> str:
    """What it means that nobody holds the alias."""
    return (
        f"no version holds the alias {ALIAS!r} in MLflow any more; version {number} held it last "
        "and counts as the champion: `parivision promote` gives it back"
    )


def _version(entry: ModelVersion) -> RegisteredVersion:
    """MLflow's entry as ours."""
    made = moment(entry.creation_timestamp)
    return RegisteredVersion(str(entry.version), str(entry.run_id), dict(entry.tags), made)

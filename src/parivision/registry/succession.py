"""Who is champion, who was, and who may be the next: on the tags of MLflow's versions.

MLflow moves an alias wherever it pointed before, so two promotions that saw the same champion would
both move it, the later one unjudged against the other. What MLflow does keep apart is numbers: of
two versions one has the lower number, and is there before the other is. So a promotion registers
its version with the champion that it was judged against (`succeeds`), and of those that name the
same champion the lowest number wins; the others see it and withdraw. Nobody waits for a lock that a
dead process holds: a version that did not get the alias in time does not count any more.

Each time a version gets the alias its tag `reign` is one more than all others': where somebody took
the alias away, the highest is the last champion.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from parivision.errors import ModelError, RegistryError
from parivision.promotion.ends import LOST_ENDS, NEVER_SERVED, OUTCOME_TAG
from parivision.registry.pages import paged

SUCCEEDS: Final = "succeeds"
"""Tag of a version: number of the champion that it was judged against, or `NOBODY`."""
REIGN: Final = "reign"
"""Tag of a version: the how-manieth champion it was when it last got the alias."""
NOBODY: Final = "none"
CLAIM_S: Final = 300.0
"""How long after a version was registered it may get the alias; its promotion died otherwise."""
_PROMOTED: Final = {"kind": "promotion", "promoted": "true"}
_PAGE: Final = 1000


@dataclass
class Succession:
    """The champions of one registered model; `client` is MLflow's, whose errors pass through."""

    client: Any
    model: str
    alias: str
    clock: Callable[[], float] = time.monotonic

    def last(self) -> Any | None:
        """The version that held the alias last, whoever holds it now; None before the first."""
        versions = list(self._versions())
        reigned = [version for version in versions if REIGN in version.tags]
        if reigned:
            return max(reigned, key=lambda version: (int(version.tags[REIGN]), _number(version)))
        # Of a time when reigns were not counted.
        old = [version for version in versions if _was_served(version.tags)]
        return max(old, key=_number, default=None)

    def crown(self, number: str) -> None:
        """Give a version the alias and note it; again changes nothing."""
        holder = self.holder()
        versions = {str(version.version): version for version in self._versions()}
        reigns = {key: int(version.tags.get(REIGN, 0)) for key, version in versions.items()}
        newest = max(reigns.values(), default=0)
        if holder == number and 0 < reigns.get(number, 0) == newest:
            return
        # A holder without a reign got the alias by hand, or before reigns were counted.
        if holder is not None and holder != number and not reigns.get(holder, newest):
            newest += 1
            self._tag(holder, newest)
        if holder != number:
            self.client.set_registered_model_alias(self.model, self.alias, number)
        self._tag(number, newest + 1)

    def succeed(self, number: str, seen: str | None, began_s: float) -> None:
        """Give a version, registered with `SUCCEEDS`, the alias, if the champion is still `seen`.

        `began_s` is when it began to be registered, by `clock`. Raises ModelError when another
        version was quicker, and RegistryError when this took too long or the alias did not stay.
        """
        rival = self._rival(number, seen)
        if rival is not None:
            raise self._too_late(seen, f"version {rival} is taking the alias")
        # After the rivals: one that has the alias and a reign by now is no rival any more.
        champion = self.champion()
        if champion != seen:
            raise self._too_late(seen, f"the champion is {_called(champion)} now")
        # Half of the time that others wait; the rest is for the call that moves the alias.
        if self.clock() - began_s > CLAIM_S / 2:
            raise RegistryError(
                f"version {number} took longer to register than others wait for it: promote again"
            )
        self.client.set_registered_model_alias(self.model, self.alias, number)
        holder = self.holder()
        if holder != number:
            raise RegistryError(
                f"version {number} was given the alias {self.alias!r}, which {_called(holder)} "
                "holds now: somebody moved it meanwhile; evaluate and promote again"
            )
        self.crown(number)

    def champion(self) -> str | None:
        """Number of the alias's holder, or else of the last one."""
        holder = self.holder()
        if holder is not None:
            return holder
        last = self.last()
        return None if last is None else str(last.version)

    def holder(self) -> str | None:
        """Number of the version that the alias names."""
        aliases = self.client.get_registered_model(self.model).aliases
        number = aliases.get(self.alias)
        return None if number is None else str(number)

    def _rival(self, number: str, seen: str | None) -> str | None:
        """A version of a lower number that is about to succeed the same champion."""
        claims = {
            int(version.version): version
            for version in self._versions()
            if version.tags.get(SUCCEEDS) == (seen or NOBODY)
        }
        mine = claims[int(number)]
        for other, version in sorted(claims.items()):
            age_s = (mine.creation_timestamp - version.creation_timestamp) / 1000
            # One with a reign has had its turn, and one that is too old died on its way.
            if other < int(number) and REIGN not in version.tags and age_s <= CLAIM_S:
                return str(other)
        return None

    def _too_late(self, seen: str | None, why: str) -> ModelError:
        return ModelError(
            f"this was decided against {_called(seen)}, and {why}: nothing was promoted; evaluate "
            "once more"
        )

    def _tag(self, number: str, reign: int) -> None:
        self.client.set_model_version_tag(self.model, number, REIGN, str(reign))

    def _versions(self) -> Iterator[Any]:
        """All versions, on every page."""
        yield from paged(
            lambda token: self.client.search_model_versions(
                f"name = '{self.model}'", max_results=_PAGE, page_token=token
            )
        )


def is_ours(tags: Mapping[str, str]) -> bool:
    """Whether a version was made by a promotion, and not by hand."""
    return tags.get("kind") == _PROMOTED["kind"]


def _was_served(tags: Mapping[str, str]) -> bool:
    promoted = all(tags.get(key) == value for key, value in _PROMOTED.items())
    is_lost = tags.get(OUTCOME_TAG) in {*LOST_ENDS, NEVER_SERVED}
    return promoted and SUCCEEDS not in tags and not is_lost


def _number(version: Any) -> int:
    return int(version.version)


def _called(number: str | None) -> str:
    return "no champion" if number is None else f"version {number}"

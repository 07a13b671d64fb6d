"""A step: look at the cluster, take in evidence, decide, and let everything follow from that.

Each step may die anywhere, and the next one, in another process, goes on from what is stored. What
follows from a decision is done again until all of it is done, and again is as good as once.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from parivision.canary import counters, evidence, ruling
from parivision.canary.counters import CounterReading
from parivision.canary.interfaces import Sources
from parivision.canary.record import End, Order, Rollout, RolloutStage
from parivision.canary.ruling import NEVER_SERVED, Ruling
from parivision.canary.views import point_of, said_about
from parivision.errors import PariVisionError, ServiceError
from parivision.kubernetes.canary import FAILED, SUCCEEDED, TAKING_OVER, WAITING, Look
from parivision.kubernetes.release import Release
from parivision.models.bundle import Bundle
from parivision.verdict import Action, Rules, State

STALE_S: Final = 60.0
"""A ruling that is older passes nothing."""
LOST_S: Final = 600.0
"""After so long a rollout that Flagger calls failed, and that was never seen to run, is over."""
SAY_S: Final = 60.0
PAGES: Final = 200
"""Pages of the log in one step: 200,000 records at most."""

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class View:
    """What the last step saw, for those who only look: pages, metrics and webhooks."""

    at: float
    look: Look | None
    rollouts: Sequence[Rollout]
    ruling: Ruling | None
    ruled_key: str
    troubles: Sequence[str]


class Watcher:
    """Watches the rollouts of one service, whichever process it runs in."""

    def __init__(
        self, sources: Sources, rules: Rules, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._at = sources
        self._rules = rules
        self._clock = clock
        self._lock = threading.Lock()
        self._known: list[Rollout] | None = None
        self._said_at = 0.0
        self.view = View(0.0, None, (), None, "", ("nothing was looked at yet",))

    def step(self) -> None:
        """Look once and do what follows. Raises PariVisionError when it could not."""
        with self._lock:
            try:
                self._step()
            except BaseException as error:
                # What was taken in and not stored is forgotten: it is read again.
                self._known = None
                self.view = replace(self.view, ruling=None, troubles=(str(error),))
                raise

    def confirm_rollout(self) -> tuple[bool, str]:
        """Whether a rollout may begin: it is remembered, and its evidence can be taken in."""
        with self._lock:
            try:
                return self._confirm()
            except PariVisionError as error:
                self._known = None
                return False, f"hold: {error}"

    def ask(self, what: str) -> tuple[bool, str]:
        """What Flagger's other webhooks ask: increase, promote or roll_back; and why."""
        try:
            look = self._at.scene.look()
        except PariVisionError as error:
            return False, f"hold: {error}"
        view = self.view
        if view.ruling is None or look is None or view.ruled_key != look.key:
            said = "; ".join(view.troubles) or "this rollout has not been looked at yet"
            return False, f"hold: {said}"
        if what == "roll_back":
            return view.ruling.must_roll_back, view.ruling.reason
        if view.look is None or view.look.weight != look.weight:
            return False, "hold: the weight has just changed"
        age_s = self._clock() - view.at
        if age_s > STALE_S:
            return False, f"hold: the evidence is {age_s:.0f} s old"
        may = view.ruling.may_increase if what == "increase" else view.ruling.may_promote
        return may, view.ruling.reason

    def _confirm(self) -> tuple[bool, str]:
        now, look = self._clock(), self._look()
        if look is None or look.primary is None:
            return False, "hold: Flagger has no primary yet"
        if not look.target.version:
            return False, "hold: the target's pods name no version of the model"
        if any(not one.is_settled for one in self._all()):
            return False, "hold: what follows from the rollout before is not done yet"
        rollout = self._opened(look, now)
        if rollout.order is not Order.NONE or look.is_forced:
            return True, f"it is not judged: {rollout.order.value or 'forced'}"
        self._bundles(rollout)
        if rollout.counted_at is None:
            self._count(rollout, self._at.counts.read(now), is_weighted=False)
            self._save(rollout)
        return True, f"version {rollout.version} against {rollout.former.version}"

    def _step(self) -> None:
        now, look = self._clock(), self._look()
        known = self._all()
        troubles: list[str] = []
        found: Ruling | None = None
        if look is not None and look.primary is not None and not look.is_new:
            if all(one.is_settled for one in known):
                if look.is_running:
                    found = self._judged(self._opened(look, now), look, now, troubles)
                else:
                    self._close(look, now)
                self._watch(now, troubles)
            self._follow_up(look, now, troubles)
            self._say(look, now)
        key = look.key if look is not None else ""
        if tuple(troubles) != tuple(self.view.troubles) and troubles:
            _logger.warning("%s", "; ".join(troubles))
        self.view = View(now, look, tuple(known), found, key, tuple(troubles))

    def _look(self) -> Look | None:
        """How it stands, once nothing is promoted unasked but what that was ordered for.

        Who deploys while a bad champion is being replaced by the former one takes its place, and
        would be promoted as that was meant to be.
        """
        look = self._at.scene.look()
        if look is None or not look.is_stray:
            return look
        self._at.scene.force(None)
        _logger.warning("version %s is judged: the order was for another", look.target.version)
        return replace(look, is_forced=False, forced_for="")

    # What is remembered.

    def _all(self) -> list[Rollout]:
        if self._known is None:
            self._known = self._at.rollouts.all()
        return self._known

    def _save(self, rollout: Rollout) -> None:
        self._at.rollouts.save(rollout)

    def _judging(self) -> Rollout | None:
        return next((one for one in self._all() if one.stage is RolloutStage.JUDGING), None)

    def _opened(self, look: Look, now: float) -> Rollout:
        """The rollout that is under way; a new one takes the place of all before it."""
        current = self._judging()
        if current is not None and current.key == look.key:
            return current
        stale: tuple[str, ...] = ()
        if current is not None:
            current.finish(End.SUPERSEDED, f"version {look.target.version} took its place", now)
            self._save(current)
            stale = (*current.stale_versions, current.version)
        rollout = self._new(look, now, stale)
        self._save(rollout)
        self._all().append(rollout)
        return rollout

    def _new(self, look: Look, now: float, stale: tuple[str, ...]) -> Rollout:
        assert look.primary is not None  # noqa: S101 - the caller has looked
        known = self._all()
        predictions, labelled = self._at.log.ends()
        same = sum(one.key == look.key for one in known)
        versions = {look.target.version, look.primary.version}
        is_way_back = any(
            one.end is End.TAKEN_BACK
            and one.release.is_same(look.primary)
            and one.former.is_same(look.target)
            for one in known
        )
        return Rollout(
            id=f"{look.key}-{same + 1}" if same else look.key,
            key=look.key,
            release=look.target,
            former=look.primary,
            state=State(self._rules),
            started_at=now,
            order=Order.RESTORE if is_way_back else Order.NONE,
            weight_since=now,
            predictions_cursor=predictions,
            labelled_cursor=labelled,
            stale_versions=tuple(one for one in stale if one not in versions),
        )

    # Evidence.

    def _judged(self, rollout: Rollout, look: Look, now: float, troubles: list[str]) -> Ruling:
        """Take in what is new and rule on it; all of that is stored at once."""
        rollout.was_running = True
        if look.ordered.get("key") == rollout.key and rollout.order is Order.NONE:
            rollout.order = Order(look.ordered["order"])
            rollout.ordered_by = str(look.ordered.get("by", ""))
        if look.is_forced and rollout.order is Order.NONE:
            rollout.order, rollout.ordered_by = Order.PROMOTE, "spec.skipAnalysis"
        if look.phase not in TAKING_OVER and rollout.order is Order.NONE:
            if look.weight != rollout.weight:
                rollout.weight, rollout.weight_since = look.weight, now
                rollout.requests_at_weight = 0
            self._take_counts(rollout, look, now, troubles)
            self._take_log(rollout, troubles)
        if look.weight == 0:
            rollout.trouble = self._at.scene.trouble() or rollout.trouble
        found = ruling.rule(rollout, now, is_mirrored=look.is_mirrored, troubles=troubles)
        if found.must_roll_back and not rollout.condemned:
            rollout.condemned = found.reason
        rollout.verdict = found.verdict.to_dict() | {"reason": found.reason}
        rollout.remember(point_of(rollout, found.verdict, now))
        if look.phase == WAITING and found.must_roll_back:
            # It has not begun, so Flagger does not ask whether to roll it back.
            rollout.finish(End.ROLLED_BACK, rollout.condemned, now)
        self._save(rollout)
        return found

    def _take_counts(self, rollout: Rollout, look: Look, now: float, troubles: list[str]) -> None:
        try:
            reading = self._at.counts.read(now)
        except ServiceError as error:
            troubles.append(str(error))
            return
        is_split = look.weight > 0 and not look.is_mirrored
        self._count(rollout, reading, is_weighted=is_split)

    def _count(self, rollout: Rollout, now: CounterReading, *, is_weighted: bool) -> None:
        """Take in a window; the first reading only begins one."""
        if rollout.counted_at is not None:
            if now.at < rollout.counted_at + counters.WINDOW_S:
                return
            settled = rollout.counted_at >= rollout.weight_since + counters.SETTLE_S
            weight = rollout.weight if is_weighted and settled else None
            served = counters.window(rollout.counters, now, weight)
            rollout.state.add_served(served)
            if rollout.counted_at >= rollout.weight_since:
                rollout.requests_at_weight += served.canary.requests
        # A pod that is gone from Prometheus for a moment must not be counted anew.
        rollout.counters, rollout.counted_at = {**rollout.counters, **now.counters}, now.at

    def _take_log(self, rollout: Rollout, troubles: list[str]) -> None:
        """Take in logged and labelled predictions; what cannot be scored is not read past."""
        try:
            champion, challenger = self._bundles(rollout)
            for page in islice(self._at.log.predictions(rollout.predictions_cursor), PAGES):
                batch = evidence.of_predictions(rollout, page.records, champion, challenger)
                if batch is not None:
                    rollout.state.add_predictions(batch)
                rollout.predictions_cursor = page.cursor
            for labelled in islice(self._at.log.labelled(rollout.labelled_cursor), PAGES):
                shots = evidence.of_labelled(rollout, labelled.records, champion, challenger)
                if shots is not None:
                    rollout.state.add_labelled(shots)
                rollout.labelled_cursor = labelled.cursor
        except PariVisionError as error:
            troubles.append(str(error))

    def _bundles(self, rollout: Rollout) -> tuple[Bundle, Bundle]:
        models = self._at.models
        return models.bundle(rollout.former.version), models.bundle(rollout.version)

    # How rollouts come out.

    def _close(self, look: Look, now: float) -> None:
        """Nothing is under way: what was judged has come out."""
        rollout = self._judging()
        if rollout is None:
            return
        is_lost = now - rollout.started_at > LOST_S
        if look.phase == FAILED and (rollout.was_running or is_lost):
            said = rollout.trouble or "; ".join(self._at.scene.warnings())
            why = rollout.condemned or said or "Flagger does not say why"
            rollout.finish(End.ROLLED_BACK, why, now)
        elif (
            look.phase == SUCCEEDED
            and rollout.was_running
            and rollout.release.is_same(look.primary)
        ):
            is_judged = rollout.order is Order.NONE and not rollout.is_same_model
            reason = str(rollout.verdict.get("reason", ""))
            rollout.finish(End.PROMOTED if is_judged else End.SERVED, reason, now)
            self._end_watches(rollout, now)
        elif look.is_settled and look.key != rollout.key:
            rollout.finish(End.SUPERSEDED, "it was withdrawn before it began", now)
        else:
            return
        self._save(rollout)

    def _end_watches(self, winner: Rollout, now: float) -> None:
        """A champion that was replaced is watched no more."""
        for one in self._all():
            if one.stage is RolloutStage.WATCHING and one.version != winner.version:
                one.stage, one.ended_at = RolloutStage.ENDED, now
                self._save(one)

    def _watch(self, now: float, troubles: list[str]) -> None:
        """Hold a new champion against the former one, on the shots that were logged since."""
        for one in self._all():
            if one.stage is not RolloutStage.WATCHING or not one.is_settled:
                continue
            self._take_log(one, troubles)
            verdict = ruling.watched(one, now)
            one.verdict = verdict.to_dict()
            one.remember(point_of(one, verdict, now))
            if verdict.action is Action.ROLL_BACK:
                one.finish(End.TAKEN_BACK, verdict.reason, now)
            elif verdict.action is Action.CONFIRM and not troubles:
                one.finish(End.CONFIRMED, verdict.reason, now)
            self._save(one)

    # What follows.

    def _follow_up(self, look: Look, now: float, troubles: list[str]) -> None:
        unsettled = [one for one in self._all() if not one.is_settled]
        try:
            for one in unsettled:
                self._settle(one, look)
            if not unsettled and look.is_settled and self._judging() is None:
                self._tidy(look, now)
        except PariVisionError as error:
            # It stays to be done; what was decided stands.
            troubles.append(str(error))

    def _settle(self, one: Rollout, look: Look) -> None:
        """Let everybody know how a rollout came out, the cluster first: there users are served."""
        scene = self._at.scene
        name = f"parivision-{one.id}-{one.end.value}".replace("_", "-").lower()
        message = f"version {one.version} {one.end.value.replace('_', ' ')}: {one.reason}"
        scene.note(look.uid, name, _EVENTS[one.end], message)
        scene.say(said_about(self._all()))
        if one.end is End.ROLLED_BACK and look.key == one.key and not one.is_same_model:
            # So that no later change of the chart rolls the loser out again. What was promoted last
            # is no news to Flagger, unless it is about to begin.
            if look.phase == WAITING:
                scene.force(one.former)
            scene.serve(one.former)
        if one.end is End.TAKEN_BACK and one.release.is_same(look.primary):
            scene.force(one.former)
            scene.serve(one.former)
        if not one.is_same_model:
            self._record(one)
        one.is_settled = True
        if not one.is_open:
            one.forget()
        self._save(one)

    def _record(self, one: Rollout) -> None:
        last = one.history[-1] if one.history else {}
        numbers = {k: v for k, v in last.items() if isinstance(v, (int, float))}
        tags = {
            "outcome": one.end.value,
            "reason": one.reason[:1000],
            "version": one.version,
            "former": one.former.version,
        }
        document = {"id": one.id, "verdict": one.verdict, "history": one.history}
        models = self._at.models
        models.record_rollout(one.id, metrics=numbers, tags=tags, document=document)
        if one.end is not End.SUPERSEDED:
            models.tag_version(one.version, ruling.tags_of(one.end.value, one.reason, one.id))

    def _tidy(self, look: Look, now: float) -> None:
        """At rest: Flagger asks again before it promotes, and the alias names what is served."""
        assert look.primary is not None  # noqa: S101 - it is settled
        if look.is_forced:
            self._at.scene.force(None)
        if not self._is_accounted_for(look.primary):
            self._adopt(look, look.primary, now)
            return
        holder = self._at.models.champion()
        due = ruling.alias_due(holder, look.primary.version, now)
        if due is None:
            return
        if holder is not None and ruling.OUTCOME_TAG not in holder.tags:
            reason = "its rollout never began"
            self._at.models.tag_version(holder.number, ruling.tags_of(NEVER_SERVED, reason, ""))
        self._at.models.point_alias(due)
        _logger.info("the alias names version %s again, which is served", due)

    def _is_accounted_for(self, served: Release) -> bool:
        """Whether it is known how what is served came to be; the first champion just is."""
        known = self._all()
        return not known or any(
            one.former.is_same(served) or (one.release.is_same(served) and one.end in _GOOD_ENDS)
            for one in known
        )

    def _adopt(self, look: Look, served: Release, now: float) -> None:
        """Somebody had it promoted while rollouts could not be remembered: that is said, too."""
        rollout = replace(self._new(look, now, ()), former=self._all()[-1].former)
        rollout.order, rollout.ordered_by = Order.PROMOTE, "somebody, unseen"
        reason = f"version {served.version} was promoted while nobody could judge it"
        rollout.finish(End.SERVED, reason, now)
        self._save(rollout)
        self._all().append(rollout)

    def _say(self, look: Look, now: float) -> None:
        """Keep on the Canary what there is to say, when it changed or is old."""
        said = said_about(self._all())
        is_news = _gist(said) != _gist(look.said)
        if said and (is_news or now - self._said_at >= SAY_S):
            self._at.scene.say(said)
            self._said_at = now


_GOOD_ENDS: Final = frozenset({End.PROMOTED, End.CONFIRMED, End.SERVED})
_EVENTS: Final = {
    End.PROMOTED: "Promoted",
    End.CONFIRMED: "Confirmed",
    End.SERVED: "Served",
    End.ROLLED_BACK: "RolledBack",
    End.TAKEN_BACK: "RolledBack",
    End.SUPERSEDED: "Superseded",
}


def _gist(said: Mapping[str, Any]) -> Any:
    """What of it is news: not every number."""
    checks = [(check["name"], check["outcome"]) for check in said.get("checks", ())]
    names = ("rollout", "stage", "end", "outcome", "action", "weight", "ended")
    return [said.get(name) for name in names], checks

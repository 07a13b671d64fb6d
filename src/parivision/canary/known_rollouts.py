"""The rollouts of one service as this process knows them: the store, read once and kept."""

from parivision.canary.record import Rollout, RolloutStage
from parivision.canary.store import Rollouts
from parivision.kubernetes.release import Release
from parivision.promotion.ends import SERVING_ENDS


class KnownRollouts:
    """Keeps all rollouts in memory, in step with the store.

    Evidence is added to these objects before it is stored. So whoever fails between the two must
    call `forget`: what was added is dropped, and the next reader goes on from what is stored. Not
    safe for several threads: the watcher's lock is around every use. Methods raise StoreError.
    """

    def __init__(self, store: Rollouts) -> None:
        self._store = store
        self._rollouts: list[Rollout] | None = None

    def all(self) -> list[Rollout]:
        """Every rollout, the oldest first."""
        if self._rollouts is None:
            self._rollouts = self._store.all()
        return self._rollouts

    def forget(self) -> None:
        """Read the store again at the next use."""
        self._rollouts = None

    def save(self, rollout: Rollout) -> None:
        """Store a rollout that is known, and has changed."""
        self._store.save(rollout)

    def add(self, rollout: Rollout) -> None:
        """Store a new rollout; only what is stored is known."""
        self._store.save(rollout)
        self.all().append(rollout)

    def under_way(self) -> Rollout | None:
        """The rollout that is judged now."""
        return next((r for r in self.all() if r.stage is RolloutStage.JUDGING), None)

    def watched(self) -> list[Rollout]:
        """Promoted ones that are compared with the former champion still."""
        return [r for r in self.all() if r.stage is RolloutStage.WATCHING]

    def unreconciled(self) -> list[Rollout]:
        """Those that have ended while some consequence is still to be carried out."""
        return [r for r in self.all() if not r.is_settled]

    def made_champion(self, served: Release | None) -> Rollout | None:
        """The newest rollout that made `served` champion; None for the first champion.

        It may have been taken back since. A change of the chart makes no champion.
        """
        return next(
            (
                r
                for r in reversed(self.all())
                if r.release.is_same(served) and r.was_champion and not r.is_same_model
            ),
            None,
        )

    def account_for(self, served: Release) -> bool:
        """Whether some rollout tells how `served` came to be served.

        It was the champion in a rollout, or came out of one. The first champion needs none.
        """
        known = self.all()
        return not known or any(
            r.former.is_same(served) or (r.release.is_same(served) and r.end in SERVING_ENDS)
            for r in known
        )

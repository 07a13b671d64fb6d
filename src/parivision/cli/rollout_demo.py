"""A demonstration on a cluster: a good and a bad challenger are rolled out under traffic."""

import getpass
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.table import Table

from parivision.cli import context
from parivision.cli.console import out, say, working
from parivision.errors import PariVisionError, ServiceError, SettingsError
from parivision.reports.numbers import number
from parivision.settings import Settings

if TYPE_CHECKING:
    from parivision.kubernetes import CanaryState, Cluster, DeploymentTarget, Release
    from parivision.models.bundle import Bundle
    from parivision.registry import Registry
    from parivision.simulation.recording import RecordedRollout
    from parivision.simulation.traffic import Outcome

commands = typer.Typer()

DEMO_TAG: Final = "demo"
"""Tag of a version that a demonstration made: only such a rollout may the next one end."""
LOOK_S: Final = 5.0
"""Between two looks at the evidence; the verdict service takes new evidence every 10 s."""
END_S: Final = 90.0
"""Within so long after an end its record is there, and a withdrawn rollout is at rest."""
UNDECIDED: Final = "undecided"


@dataclass(frozen=True)
class Challenge:
    """A challenger of the demonstration: what it is, and how its rollout must end."""

    name: str
    what: str
    wanted: str
    make: "Callable[[Bundle, Sequence[Mapping[str, Any]]], Bundle]"


def challenges() -> tuple[Challenge, Challenge]:
    """The good one first: the bad one is then made of the new champion."""
    from parivision.promotion.ends import End
    from parivision.simulation.challengers import recalibrated, squared

    good = "the champion, made level with the season's shots"
    bad = "the champion, with every probability squared"
    return (
        Challenge("good", good, End.PROMOTED, recalibrated),
        Challenge("bad", bad, End.ROLLED_BACK, lambda bundle, _: squared(bundle)),
    )


@commands.command()
def demo(
    url: Annotated[str, typer.Option(help="The gateway.")] = "http://127.0.0.1:8080",
    rate: Annotated[float, typer.Option(min=1, max=1000, help="Predictions a second.")] = 60.0,
    minutes: Annotated[
        float, typer.Option(min=1, help="A rollout that is not decided by then is ended.")
    ] = 20.0,
    record: Annotated[
        Path | None, typer.Option(help="JSON file for what `rollout picture` draws.")
    ] = None,
) -> None:
    """Roll a good and a bad challenger out, under traffic whose outcomes come.

    Shows weights, evidence and reasons as they move, and what became of each. The exit code is 0 if
    the good one was promoted and the bad one rolled back. `make canary-demo` calls it with the
    settings of a cluster of `make cluster`; it may be interrupted, and run again.
    """
    from parivision import kubernetes
    from parivision.simulation.traffic import load, new_season

    settings = context.current()
    if not (settings.outcomes_token and settings.images_push):
        raise SettingsError(
            "PARIVISION_OUTCOMES_TOKEN and PARIVISION_IMAGES_PUSH are not both set: `make "
            "canary-demo` sets them"
        )
    cluster = kubernetes.connect()
    deployment = kubernetes.DeploymentTarget.parse(settings.deployment)
    with tempfile.TemporaryDirectory() as folder:
        registry = context.registry(settings, is_long=True)
        played = Demonstration(settings, registry, cluster, deployment, Path(folder), 60 * minutes)
        played.clear()
        say(f"{rate:g} predictions a second, and how each shot ended; interrupt to end it")
        shots = new_season()
        with load(url, rate, shots, token=settings.outcomes_token) as traffic:
            rollouts = [played.play(challenge, shots) for challenge in challenges()]
    if record is not None:
        _record(record, rollouts)
    _show(rollouts, traffic, played.served())
    if any(rollout.outcome != c.wanted for rollout, c in zip(rollouts, challenges(), strict=True)):
        raise typer.Exit(1)


@commands.command()
def picture(
    recording: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="What `rollout demo` recorded.")
    ],
    svg: Annotated[Path, typer.Argument(help="The picture, which is written.")],
) -> None:
    """Draw weights and evidence of recorded rollouts over time, as SVG."""
    from parivision import durable
    from parivision.reports import plots
    from parivision.reports.recording_plot import recording_plot
    from parivision.simulation.recording import Recording

    drawn = plots.figure_svg(recording_plot(Recording.load(recording)))
    with durable.exporting(svg) as stream:
        stream.write(drawn.encode())
    out.print(f"drawn: {svg}", markup=False, soft_wrap=True)


@dataclass
class Demonstration:
    """The rollouts of one demonstration, one after the other."""

    settings: Settings
    registry: "Registry"
    cluster: "Cluster"
    deployment: "DeploymentTarget"
    folder: Path
    rollout_s: float
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    looked_at: float = field(default=0.0, init=False)

    def play(self, challenge: Challenge, shots: Sequence[Mapping[str, Any]]) -> "RecordedRollout":
        """Make a challenger, roll it out to its end, and tell how that goes.

        Whatever cuts it off, nothing of it stays under way.
        """
        try:
            release = self._made(challenge, shots)
            self._roll_out(challenge, release)
            return self._outcome(challenge, release)
        except BaseException:
            with suppress(PariVisionError):
                self.withdraw()
                say(f"the demonstration was cut off; version {self.served()} serves all users")
            raise

    def _made(self, challenge: Challenge, shots: Sequence[Mapping[str, Any]]) -> "Release":
        from parivision.stages.challenger import make_release

        found = self.registry.champion_bundle(self.folder / "champions")
        if found is None:
            raise ServiceError("there is no champion to challenge: run `make cluster` first")
        champion, bundle = found
        say(f"{challenge.name} challenger of version {champion.number}: {challenge.what}")
        with working("its image"):
            return make_release(
                *(self.registry, self.settings, self.folder, challenge.name),
                challenge.make(bundle, shots),
                reason=f"demonstration: {challenge.what}",
                tags={DEMO_TAG: challenge.name},
            )

    def _roll_out(self, challenge: Challenge, release: "Release") -> None:
        from parivision import kubernetes

        def look(seconds: float) -> None:
            self.sleep(seconds)
            if self.clock() >= self.looked_at + LOOK_S:
                self.looked_at = self.clock()
                rollout = self._described(release.version)
                if rollout is not None:
                    out.print(line_of(challenge.name, rollout), markup=False, soft_wrap=True)

        try:
            kubernetes.deploy(
                release,
                str(self.deployment),
                timeout_s=self.settings.deploy_timeout_s,
                rollout_s=self.rollout_s,
                cluster=self.cluster,
                say=say,
                clock=self.clock,
                sleep=look,
            )
        except ServiceError as error:
            # It was rolled back, which may be what is wanted, or took too long, which is not.
            say(str(error))
            self.abort(self._state())

    def _outcome(self, challenge: Challenge, release: "Release") -> "RecordedRollout":
        """How the verdict service has it; undecided if a person or this command ended it."""
        from parivision.simulation.recording import RecordedRollout

        deadline = self.clock() + END_S
        while True:
            rollout = self._described(release.version)
            if rollout is not None and rollout["end"]:
                break
            if self.clock() >= deadline:
                raise ServiceError(
                    f"the verdict service has no end of version {release.version}'s rollout: look "
                    "at its log"
                )
            self.sleep(1.0)
        is_ordered = bool(rollout["order"])
        return RecordedRollout.of(
            challenge.name, rollout | ({"end": UNDECIDED} if is_ordered else {})
        )

    def clear(self) -> None:
        """End what an earlier demonstration left under way. Raises ServiceError for another's."""
        state = self._state()
        if state.is_running and not self._is_ours(state.target.version):
            raise ServiceError(
                f"version {state.target.version} is being rolled out: wait for its end, or end it "
                "with `parivision rollout abort`, then run the demonstration again"
            )
        self.withdraw()
        deadline = self.clock() + END_S + self.settings.deploy_timeout_s
        while not self._state().is_at_rest:
            if self.clock() >= deadline:
                raise ServiceError(
                    f"the Canary {self.deployment} does not come to rest: `parivision rollout "
                    "status` says how it stands"
                )
            self.sleep(1.0)

    def withdraw(self) -> None:
        """Leave no challenger of the demonstration under way, nor as champion in the registry.

        Nobody asks any more, so no evidence would come, and a version that is not rolled out would
        hold the alias for hours.
        """
        from parivision.canary import ruling
        from parivision.promotion.ends import NEVER_SERVED, OUTCOME_TAG

        # Only a version of a demonstration that never reached the cluster is tagged here. The
        # verdict service tags all others.
        state, holder = self._state(), self.registry.champion()
        if (
            not self.abort(state)
            and holder is not None
            and DEMO_TAG in holder.tags
            and OUTCOME_TAG not in holder.tags
            and holder.number not in {state.target.version, self.served()}
        ):
            tags = ruling.tags_of(NEVER_SERVED, "the demonstration was cut off", "")
            self.registry.tag_version(holder.number, tags)

    def abort(self, state: "CanaryState") -> bool:
        """Order a rollout of the demonstration rolled back; whether there is one under way."""
        from parivision.kubernetes import canary

        is_ours = state.is_running and self._is_ours(state.target.version)
        if is_ours:
            canary.order_end(self.cluster, self.deployment, state, "abort", getpass.getuser())
        return is_ours

    def served(self) -> str:
        """The version that users get."""
        primary = self._state().primary
        return primary.version if primary else "none"

    def _is_ours(self, version: str) -> bool:
        registered = self.registry.version(version)
        return registered is not None and DEMO_TAG in registered.tags

    def _state(self) -> "CanaryState":
        from parivision import kubernetes

        state = kubernetes.canary_state(self.cluster, self.deployment)
        if state is None:
            raise ServiceError(
                f"no Canary rolls {self.deployment} out: install the chart with "
                "global.canary.enabled, as `make cluster` does"
            )
        return state

    def _described(self, version: str) -> dict[str, Any] | None:
        """A version's rollout, if it is the newest; None while the service does not answer."""
        with suppress(ServiceError):
            rollout = self.cluster.verdict(self.deployment, "rollouts/current")
            return rollout if rollout["version"] == version else None
        return None


def line_of(name: str, rollout: Mapping[str, Any]) -> str:
    """How a rollout stands, in one line: time, share of the traffic, evidence, reason."""
    point = rollout["history"][-1] if rollout["history"] else {}
    low, high = number(point.get("low"), "+.4f"), number(point.get("high"), "+.4f")
    evidence = f"{point.get('labelled', 0):,} labelled shots"
    if point.get("difference") is not None:
        evidence += f", log loss {point['difference']:+.4f} ({low} to {high})"
    began = f"{datetime.now(UTC):%H:%M:%S}  {name}, version {rollout['version']}"
    share = f"{rollout['weight']:.0%} of the traffic"
    return f"{began}: {share}; {evidence}; {rollout['end'] or rollout['reason']}"


def _show(rollouts: Sequence["RecordedRollout"], traffic: "Outcome", served: str) -> None:
    table = Table(title="what became of the challengers", title_justify="left")
    table.add_column("challenger", no_wrap=True)
    for column in ("version", "against", "minutes", "labelled shots"):
        table.add_column(column, justify="right")
    table.add_column("outcome", no_wrap=True)
    table.add_column("why")
    for rollout in rollouts:
        last = rollout.points[-1] if rollout.points else {}
        table.add_row(
            rollout.name,
            rollout.version,
            rollout.former,
            number((last.get("elapsed_s") or 0.0) / 60, ".1f"),
            f"{last.get('labelled') or 0:,.0f}",
            rollout.outcome.replace("_", " "),
            rollout.reason,
        )
    out.print(table)
    failed = sum(traffic.failed.values())
    out.print(f"{traffic.sent:,} predictions were asked for, {failed:,} failed")
    out.print(f"version {served} is the champion and serves all users")


def _record(path: Path, rollouts: Sequence["RecordedRollout"]) -> None:
    from parivision.simulation.recording import CLUSTER, Recording

    Recording(CLUSTER, date.today().isoformat(), rollouts).save(path)
    say(f"recorded: {path}")

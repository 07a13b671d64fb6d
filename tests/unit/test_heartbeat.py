"""Signs of life: a line at the latest every ten seconds, of what is being done, and no other."""

import io
import logging
import sys
import threading
import time
from importlib import import_module
from itertools import pairwise

import pytest
import typer
from rich.console import Console

from parivision.cli import console
from parivision.cli import run as run_cli
from parivision.stages.heartbeat import Alive, elapsed, logs_heartbeat

pytestmark = pytest.mark.unit


@pytest.fixture
def told():
    """What was told."""
    return []


@pytest.fixture
def watch(told, clock):
    """Signs of life every 10 s of that clock."""
    return Alive(told.append, clock=clock)


def _pass(watch, clock, seconds):
    """Let so many seconds pass, one by one, as a thread would look."""
    for _ in range(seconds):
        clock.now_s += 1
        watch.beat()


def test_a_silent_stage_is_told_every_ten_seconds(watch, clock, told):
    """What is done and since when, however long it takes."""
    with watch.doing("training lightgbm"):
        _pass(watch, clock, 9)
        assert told == []
        _pass(watch, clock, 62)
    assert told == [
        f"training lightgbm, {since} so far"
        for since in ("10 s", "20 s", "30 s", "40 s", "50 s", "1 min 0 s", "1 min 10 s")
    ]


def test_no_gap_is_longer_than_ten_seconds(watch, clock):
    """Whatever else is told in between, from one line to the next."""
    moments = [clock.now_s]
    watch._tell = lambda _line: moments.append(clock.now_s)
    with watch.doing("a stage"):
        for step in (3, 9, 1, 25, 14, 8):
            _pass(watch, clock, step)
            watch.spoke()
            moments.append(clock.now_s)
    assert max(later - now for now, later in pairwise(moments)) <= 10


def test_what_else_is_told_puts_it_off(watch, clock, told):
    """A stage that tells by itself needs no other line."""
    with watch.doing("a stage"):
        for _ in range(6):
            _pass(watch, clock, 9)
            watch.spoke()
    assert told == []


def test_the_innermost_stage_is_told(watch, clock, told):
    """A stage in a stage is what is being done; after it the outer one goes on."""
    with watch.doing("outer"):
        with watch.doing("inner"):
            _pass(watch, clock, 10)
        _pass(watch, clock, 10)
    _pass(watch, clock, 60)
    assert told == ["inner, 10 s so far", "outer, 20 s so far"]


def test_a_stage_that_failed_is_told_no_more(watch, clock, told):
    """An error ends it as well as success does."""
    with pytest.raises(ValueError, match="broken"), watch.doing("a stage"):
        raise ValueError("broken")
    _pass(watch, clock, 30)
    assert told == []


def test_amounts_and_names_follow(watch, clock, told):
    """How much is done of how much, and what a stage goes on as, from then on."""
    with watch.doing("records") as activity:
        activity.done, activity.total = 1200, 3_576_381
        _pass(watch, clock, 10)
        activity.total = 0
        _pass(watch, clock, 10)
        watch.now_doing(activity, "the snapshot")
        _pass(watch, clock, 10)
    assert told == [
        "records, 1,200 of 3,576,381, 10 s so far",
        "records, 1,200, 20 s so far",
        "the snapshot, 10 s so far",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min 0 s"), (3725, "62 min 5 s")]
)
def test_durations_are_said_as_people_say_them(seconds, words):
    """Seconds, and minutes with seconds."""
    assert elapsed(seconds) == words


def test_the_thread_tells_and_ends():
    """Beside the work, in real time; nothing is told after the block, and no thread is left."""
    told, enough = [], threading.Event()

    def tell(line):
        told.append(line)
        if len(told) >= 3:
            enough.set()

    watch = Alive(tell, every_s=0.1)
    with watch.watching(), watch.doing("work"):
        assert enough.wait(20)
    count = len(told)
    assert told[0].startswith("work, ")
    assert not [thread for thread in threading.enumerate() if thread.name == "alive"]
    assert len(told) == count


def test_a_server_rests():
    """From where it serves, nothing is told, however long."""
    told: list[str] = []
    watch = Alive(told.append, every_s=0.05)
    with watch.watching(), watch.doing("a server"):
        watch.rest()
        for thread in [each for each in threading.enumerate() if each.name == "alive"]:
            thread.join(20)
        told.clear()
        assert not [each for each in threading.enumerate() if each.name == "alive"]
    assert told == []


def test_a_closed_pipe_ends_the_telling_and_not_the_work():
    """Who reads may go; the stage goes on."""

    def tell(_line):
        raise BrokenPipeError

    watch = Alive(tell, every_s=0.05)
    with watch.watching(), watch.doing("work"):
        [thread] = [thread for thread in threading.enumerate() if thread.name == "alive"]
        thread.join(20)
        assert not thread.is_alive()


def test_a_step_of_a_pipeline_logs_that_it_runs():
    """The line is in the pod's log, as KFP's executor shows it, with the step's name."""
    seen = threading.Event()

    class Seen(logging.Handler):
        def emit(self, record):
            if record.getMessage() == "train, 0 s so far":
                seen.set()

    def train(number):
        assert seen.wait(20)
        return number + 1

    logger, handler = logging.getLogger(__name__), Seen()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        assert logs_heartbeat(train, every_s=0.05)(1) == 2
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


@pytest.mark.parametrize(
    "name", ["ingest", "refine", "drift", "train", "evaluate", "promote", "package", "deploy"]
)
def test_every_step_shows_life(name):
    """No stage of a pipeline is silent for long."""
    step = getattr(import_module(f"parivision.stages.{name}"), name)
    names = []
    while hasattr(step, "__wrapped__"):
        names.append(step.__code__.co_name)
        step = step.__wrapped__
    assert "watched" in names


@pytest.fixture
def hurried(monkeypatch):
    """The command line's signs of life every 0.1 s, so that a test need not wait."""
    monkeypatch.setattr(console, "_alive", Alive(console._tell, every_s=0.1))


def test_a_command_on_a_pipe_tells_what_it_does(hurried, capfd, monkeypatch):
    """Lines on stderr, none on stdout; the command's name where no stage is named."""
    app = typer.Typer()

    @app.callback()
    def root(ctx: typer.Context) -> None:
        console.command(ctx.invoked_subcommand or "")

    def _wait_for(line):
        deadline, text = time.monotonic() + 20, ""
        while line not in text:
            assert time.monotonic() < deadline, text
            text += capfd.readouterr().err
            time.sleep(0.02)

    @app.command()
    def build() -> None:
        _wait_for("  ... parivision build, 0 s so far\n")
        with console.bar("records") as progress:
            progress(7, 9)
            _wait_for("  ... records, 7 of 9, 0 s so far\n")
        with console.working("starting") as stage:
            stage.rename("the Bento")
            _wait_for("  ... the Bento, 0 s so far\n")
        console.out.print("done")

    monkeypatch.setattr(sys, "argv", ["parivision", "build"])
    with pytest.raises(SystemExit) as stopped:
        run_cli(app)
    assert stopped.value.code == 0
    assert capfd.readouterr().out == "done\n"


def test_a_terminal_has_a_line_that_moves(monkeypatch):
    """What is done, how much, and the time that passed; gone at the end, and nothing doubled."""
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=100, highlight=False)
    monkeypatch.setattr(console, "err", terminal)
    with console.working("training lightgbm") as outer, console.bar("records") as progress:
        progress(1200, 3000)
        outer.rename("training xgboost")
        console._moving[0].refresh()
        console._tell("training lightgbm, 10 s so far")
        console.say("a note")
    text = screen.getvalue()
    assert "training lightgbm" in text
    assert "training xgboost" in text
    assert "1,200 of 3,000" in text
    assert "0:00:00" in text
    assert "a note" in text
    assert "so far" not in text
    assert console._moving == []

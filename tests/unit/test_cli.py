"""The command line: help, errors, and the commands on shots, in process."""

import json
import subprocess
import sys

import pytest
import typer

from parivision import __version__, cli
from parivision.cli import verdict_service
from parivision.cli.app import app
from parivision.errors import DataError, SettingsError, StoreError
from parivision.prediction_log import PREDICTIONS, RecordBatch
from parivision.prediction_log.folder import FolderStore
from parivision.sources.open import open_source
from parivision.sources.read import read_shots

SOURCE = "synthetic:?seed=2&seasons=2023&games=6&scale=0.1"


def _commands(group, path=()):
    for name, command in group.commands.items():
        yield (*path, name)
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))


COMMANDS = [(), *_commands(typer.main.get_command(app))]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(command, run):
    """`--help` works for each, says what it does and what its options mean, and opens nothing."""
    code, out, _ = run(*command, "--help")
    assert code == 0
    assert "Usage: " in out
    assert len(out.splitlines()) > 4


def test_the_version_is_printed(run):
    """`--version` prints the version and nothing else."""
    assert run("--version") == (0, f"{__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("ingest",),
        ("nonsense",),
        ("refine", "--until", "tomorrow"),
        ("ingest", SOURCE, "--limit", "0"),
        ("stats-api", "--port", "99999"),
        ("backtest", "drift", "--data", SOURCE, "--reference", "a,b", "--season", "2023"),
        ("predict", "/nowhere/shots.jsonl"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_told_from_failure(arguments, run):
    """What was typed wrong ends with 2, a hint, and no traceback."""
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "Usage: " in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "message",
    [
        "plain",
        "expected one of [red]dunk[/red], got [/]",
        "no shots in /data/[/x]/y",
        "a\\[b] " + "long " * 60,
        "",
    ],
)
def test_an_error_of_the_project_is_one_line(message, run, monkeypatch):
    """It is printed as it is, whatever it quotes, and the exit code is 1."""

    def fail():
        raise DataError(message)

    monkeypatch.setattr("parivision.cli.app.app", fail)
    assert run() == (1, "", f"error: {message}\n")


def test_an_unexpected_error_is_not_hidden(monkeypatch):
    """A fault of the program keeps its traceback."""

    def fail():
        raise ZeroDivisionError

    monkeypatch.setattr("parivision.cli.app.app", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("PARIVISION_PORT", "http", "PARIVISION_PORT is 'http'"),
        ("PARIVISION_LAKE", "redis://x", "a lake of the kind 'redis'"),
    ],
)
def test_wrong_settings_are_errors(name, value, says, run, monkeypatch):
    """A setting that cannot be used stops the command with its name."""
    monkeypatch.setenv(name, value)
    code, _, err = run("quarantine")
    assert code == 1
    assert says in err


def test_shots_go_all_the_way_to_silver(run, home, tmp_path):
    """Ingest, refine, export; each again changes nothing and says so."""
    code, out, _ = run("ingest", SOURCE)
    assert code == 0
    first = out.split()[0]
    assert f"{first} records read: {first} new, 0 there already, 0 in conflict" in out
    code, out, _ = run("refine")
    assert code == 0
    assert out.startswith(f"{first} records refined: {first} shots, 0 in quarantine")
    assert out.endswith(f"{first} shots in {home / 'shots.parquet'}\n")
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    assert run("export", files[0])[0] == 0
    code, out, _ = run("ingest", SOURCE, "--json")
    assert json.loads(out)["new"] == 0
    code, out, _ = run("refine", "--json")
    assert json.loads(out)["silver"] == 0
    assert json.loads(out)["snapshot"] == int(first.replace(",", ""))
    run("export", files[1])
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(files[0].read_text().splitlines()) == int(first.replace(",", "")) + 1


def test_the_snapshot_can_end_earlier(run):
    """`--until` leaves games from that day on out of the snapshot, not out of silver."""
    days = read_shots(open_source(SOURCE))[0]["game_date"].unique().sort()
    run("ingest", SOURCE)
    everything = json.loads(run("refine", "--json")[1])
    assert everything["snapshot"] == everything["silver"]
    code, out, _ = run("refine", "--json", "--until", days[1])
    assert code == 0
    assert 0 < json.loads(out)["snapshot"] < everything["snapshot"]
    code, _, err = run("refine", "--until", "1990-01-01")
    assert code == 1
    assert "silver has no shots before 1990-01-01" in err


def test_what_cannot_be_a_shot_is_shown_with_its_reason(run, tmp_path):
    """Records of a wrong kind are counted, kept in quarantine and shown."""
    records = next(iter(open_source(SOURCE).batches())).records.head(5)
    broken = records.with_columns(records["Period"].replace(records["Period"][0], "[9/9]"))
    broken.write_csv(tmp_path / "feed.csv")
    run("ingest", tmp_path / "feed.csv")
    code, _, err = run("refine")
    shown = run("quarantine", "--limit", "1")[1]
    n_bad = (records["Period"] == records["Period"][0]).sum()
    assert shown.startswith(f"{n_bad} records in quarantine\n")
    assert "[9/9]" in shown
    assert len(shown.splitlines()) == 3
    assert code == (1 if n_bad == 5 else 0), err


def test_nothing_there_is_said_plainly(run):
    """An empty lake has nothing to refine, export or show, and the error says what to run."""
    code, _, err = run("refine")
    assert code == 1
    assert "run `parivision ingest`" in err
    assert run("quarantine")[1] == "0 records in quarantine\n"


def test_a_source_that_is_none_is_a_clear_error(run, tmp_path):
    """The message names what was given."""
    for source in (tmp_path / "nowhere", "synthetic:?sede=1"):
        code, out, err = run("ingest", source)
        assert (code, out) == (1, "")
        assert str(source) in err


def test_only_what_was_asked_for_is_brought(run):
    """`--limit` stops after so many records; the next run goes on."""
    assert json.loads(run("ingest", SOURCE, "--limit", "10", "--json")[1])["records"] == 10
    rest = json.loads(run("ingest", SOURCE, "--json")[1])
    assert rest["duplicates"] <= 10
    assert rest["new"] > 0


def test_the_command_is_installed():
    """The program on the path is this one; a closed pipe behind it is no error."""
    program = [sys.executable, "-c", "from parivision.cli import main; main()"]
    done = subprocess.run([*program, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __version__


def test_a_store_that_fails_is_an_error_of_the_project(run, home, monkeypatch):
    """A lake that cannot be read ends the command with its message."""

    def fail(_settings):
        raise StoreError("the lake is locked")

    monkeypatch.setattr("parivision.cli.context.lake", fail)
    assert run("quarantine") == (1, "", "error: the lake is locked\n")


def test_predictions_are_shown_with_their_outcomes(run, tmp_path, monkeypatch):
    """What was logged is shown and exported, and outcomes from a file label it, once."""
    place = tmp_path / "log"
    monkeypatch.setenv("PARIVISION_PREDICTION_LOG", str(place))
    store = FolderStore(place)
    shared = {"model": "m", "version": "1", "track": "primary", "pod": "p"}
    facts = {"game_id": 7, "event_id": 1}
    records = [
        {"id": name, "at": f"2024-01-0{day}", "p_made": 0.5, "facts": facts}
        for day, name in enumerate("abc", 1)
    ]
    store.append(RecordBatch(PREDICTIONS, "w", 0, records, shared))
    lines = run("predictions", "tail", "-n", "2")[1].splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["b", "c"]
    assert run("predictions", "export", "--labelled")[1] == ""
    said = tmp_path / "said.jsonl"
    said.write_text('{"game_id": 7, "event_id": 1, "made": true}\n')
    assert run("outcomes", "import", str(said))[1] == "1 outcomes added\n"
    assert run("outcomes", "import", str(said))[1] == "0 outcomes added\n"
    said.write_text("\ufeff" + said.read_text())  # as spreadsheets and PowerShell write it
    assert run("outcomes", "import", str(said))[1] == "0 outcomes added\n"
    run("predictions", "export", "--labelled", str(tmp_path / "labelled"))
    rows = [json.loads(line) for line in (tmp_path / "labelled").read_text().splitlines()]
    assert [(row["id"], row["made"], row["was"]) for row in rows] == [
        (name, True, None) for name in "abc"
    ]
    assert run("outcomes", "import", "--from-lake")[1] == "0 outcomes added\n"


def test_outcomes_that_are_none_are_named_by_line(run, tmp_path, monkeypatch):
    """A wrong line, no file and no log are each an error that says what to do."""
    bad = tmp_path / "bad.jsonl"
    bad.write_text('\n{"game_id": 7, "made": true}\n')
    assert "PARIVISION_PREDICTION_LOG is not set" in run("predictions", "tail")[2]
    monkeypatch.setenv("PARIVISION_PREDICTION_LOG", str(tmp_path / "log"))
    assert "line 2: prediction_id: expected alone" in run("outcomes", "import", str(bad))[2]
    assert "expected a FILE, or --from-lake" in run("outcomes", "import")[2]


def test_the_rules_of_a_verdict_are_read_with_a_mark_and_told_when_they_are_none(tmp_path):
    """`judge --rules`: a byte order mark is read, anything but a JSON object is a sentence."""
    rules = tmp_path / "rules.json"
    rules.write_text('\ufeff{"margin": 0.01}', encoding="utf-8")
    assert verdict_service._rules(rules) == {"margin": 0.01}
    for content in (b"", b"[]", b"margin: 0.01", b"\xff\xfe\x00"):
        rules.write_bytes(content)
        with pytest.raises(SettingsError, match="expected a JSON object"):
            verdict_service._rules(rules)

"""The MLflow chart's backup: databases and artifacts come back to another volume."""

import io
import os
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from pipeline import charts

SCRIPT = charts.CHART / "charts" / "mlflow" / "files" / "backup.py"


def volume(folder: Path, run: str) -> Path:
    """A server's volume with one run in it and its artifact."""
    for name in ("mlflow.db", "auth.db"):
        folder.mkdir(exist_ok=True)
        with closing(sqlite3.connect(folder / name)) as database, database:
            database.execute("create table runs (id text)")
            database.execute("insert into runs values (?)", [run])
    (folder / "artifacts" / run).mkdir(parents=True)
    (folder / "artifacts" / run / "model").write_text(run)
    return folder


def backup(
    folder: Path, *arguments: str, given: bytes = b""
) -> "subprocess.CompletedProcess[bytes]":
    """Run the script on a volume."""
    command = [sys.executable, str(SCRIPT), *arguments]
    environment = os.environ | {"MLFLOW_DATA": str(folder)}
    return subprocess.run(command, input=given, env=environment, capture_output=True, check=False)


def runs(folder: Path) -> list[str]:
    """The runs that the server's database holds."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        return [row[0] for row in database.execute("select id from runs")]


def test_a_backup_comes_back(tmp_path: Path) -> None:
    """The databases are those of the backup; artifacts that are there already stay."""
    made = backup(volume(tmp_path / "old", "first"))
    assert made.returncode == 0, made.stderr
    new = volume(tmp_path / "new", "second")
    assert backup(new, "restore", given=made.stdout).returncode == 0
    assert runs(new) == ["first"]
    assert {path.read_text() for path in new.rglob("model")} == {"first", "second"}
    assert {path.name for path in new.iterdir()} == {"mlflow.db", "auth.db", "artifacts"}


@pytest.mark.parametrize("part", [b"", b"no tar"])
def test_what_is_no_backup_changes_nothing(tmp_path: Path, part: bytes) -> None:
    """It ends with an error, and the server keeps what it has."""
    kept = volume(tmp_path / "kept", "kept")
    assert backup(kept, "restore", given=part).returncode
    assert runs(kept) == ["kept"]


def test_what_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    """A tar with a link, or with a name that is not below the folder, writes nothing."""
    kept = volume(tmp_path / "kept", "kept")
    for name, kind in (("../outside", tarfile.REGTYPE), ("mlflow.db", tarfile.SYMTYPE)):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as archive:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        refused = backup(kept, "restore", given=made.getvalue())
        assert refused.returncode
        assert b"no place" in refused.stderr
    assert runs(kept) == ["kept"]
    assert not (tmp_path / "outside").exists()

"""Writes the server's databases and artifacts to stdout as a tar; `restore` reads one from stdin.

The databases are copied by SQLite while the server goes on. After a restore it must be started
anew.
"""

import os
import sqlite3
import sys
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path, PurePosixPath

DATA = Path(os.environ.get("MLFLOW_DATA", "/data"))
DATABASES = ("mlflow.db", "auth.db")


def backup() -> None:
    """Databases first: the artifacts that they name were there before."""
    with (
        tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive,
        tempfile.TemporaryDirectory() as folder,
    ):
        for name in DATABASES:
            copy(DATA / name, Path(folder) / name)
            archive.add(Path(folder) / name, name)
        if (DATA / "artifacts").is_dir():
            archive.add(DATA / "artifacts", "artifacts")


def copy(source: Path, target: Path) -> None:
    """A database as it is at one moment, in the place of another one."""
    with closing(sqlite3.connect(source)) as of, closing(sqlite3.connect(target)) as to:
        of.backup(to)


def is_plain(member: tarfile.TarInfo) -> bool:
    """Whether it is a file or folder within; the filters of tarfile are not in every 3.11."""
    path = PurePosixPath(member.name)
    return (member.isfile() or member.isdir()) and not path.is_absolute() and ".." not in path.parts


def restore() -> None:
    """Artifacts are added to; each database takes the place of the one that is there."""
    with tempfile.TemporaryDirectory(dir=DATA) as folder:
        with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
            for member in archive:
                if not is_plain(member):
                    sys.exit(f"{member.name!r} has no place in a backup: nothing was changed")
                archive.extract(member, folder)
        new = Path(folder)
        if missing := [name for name in DATABASES if not (new / name).is_file()]:
            sys.exit(f"this is no backup, or it was cut off: it has no {', '.join(missing)}")
        for path in sorted((new / "artifacts").rglob("*")):
            to = DATA / path.relative_to(new)
            if path.is_dir():
                to.mkdir(parents=True, exist_ok=True)
            else:
                path.replace(to)
        for name in DATABASES:
            copy(new / name, DATA / name)


restore() if sys.argv[1:] == ["restore"] else backup()

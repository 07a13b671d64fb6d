"""The CSV texts at a path: bare files, gzipped files and the members of zips."""

import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Protocol, cast

from parivision.errors import SourceError

BARE_SUFFIXES: Final = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet")
"""Tables, also within a zip; `csv_files.CONTAINERS` says how each is read."""
SUFFIXES: Final = (
    *(".csv", ".csv.gz", ".zip", ".tsv", ".tsv.gz"),
    *(".json", ".json.gz", ".jsonl", ".ndjson", ".parquet"),
)

CHUNK_BYTES: Final = 1 << 20
# What the standard library raises on damaged, encrypted or unreadable archives and files.
_UNREADABLE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    UnicodeError,
)


class Member(Protocol):
    """One CSV text; `label` names it in messages and cursors."""

    @property
    def label(self) -> str:
        """The file's name, and the member's if it is a zip."""
        ...

    def fingerprint(self) -> str:
        """A mark that changes when the content does."""
        ...

    def open(self) -> AbstractContextManager[IO[bytes]]:
        """The text's bytes, to be closed by the block that reads them."""
        ...


@dataclass(frozen=True)
class _File:
    path: Path

    @property
    def label(self) -> str:
        return self.path.name

    def fingerprint(self) -> str:
        with self.path.open("rb") as stream:
            return hashlib.file_digest(stream, "blake2b").hexdigest()[:32]

    def open(self) -> IO[bytes]:
        if self.path.name.lower().endswith(".gz"):
            return cast("IO[bytes]", gzip.open(self.path))
        return self.path.open("rb")


@dataclass(frozen=True)
class _ZipMember:
    path: Path
    entry: zipfile.ZipInfo

    @property
    def label(self) -> str:
        return f"{self.path.name}/{self.entry.filename}"

    def fingerprint(self) -> str:
        # From the zip's directory: the member itself need not be unpacked for it.
        return f"{self.entry.CRC:08x}-{self.entry.file_size}"

    @contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        with zipfile.ZipFile(self.path) as archive, archive.open(self.entry) as stream:
            yield stream


@dataclass(frozen=True)
class _Unusable:
    """A file of which nothing can be read; whoever tries is told why."""

    label: str
    problem: SourceError

    def fingerprint(self) -> str:
        raise self.problem

    def open(self) -> AbstractContextManager[IO[bytes]]:
        raise self.problem


def members(path: Path) -> Iterator[Member]:
    """The tables at a path, in the order of their names; raises SourceError if there is none.

    A zip that cannot be opened comes as a member that says so when it is read.
    """
    for file in _files(path):
        if file.suffix.lower() == ".zip":
            try:
                inside = _zip_members(file)
            except SourceError as error:
                inside = [_Unusable(file.name, error)]
            yield from inside
        else:
            yield _File(file)


@contextmanager
def opened(member: Member) -> Iterator[IO[bytes]]:
    """The member's bytes; whatever goes wrong while it is read becomes a SourceError."""
    with unreadable(member.label), member.open() as stream:
        yield stream


@contextmanager
def unreadable(label: str) -> Iterator[None]:
    """Translate the many errors of reading a file into one that says what to do."""
    try:
        yield
    except _UNREADABLE as error:
        raise SourceError(
            f"{label} cannot be read ({type(error).__name__}: {str(error)[:200]}); "
            "it may be cut off, damaged or locked: fetch it anew."
        ) from error


def _files(path: Path) -> list[Path]:
    with unreadable(str(path)):
        if path.is_file():
            if not path.name.lower().endswith(SUFFIXES):
                raise SourceError(f"{path} is none of {', '.join(SUFFIXES)}: give such a file.")
            return [path]
        if not path.is_dir():
            raise SourceError(f"{path} does not exist: give a file or folder of shots.")
        files = sorted(
            file
            for file in path.iterdir()
            if file.is_file()
            and file.name.lower().endswith(SUFFIXES)
            and not file.name.startswith(".")
        )
    if not files:
        raise SourceError(f"{path} holds none of {', '.join(SUFFIXES)}: give the shots' folder.")
    return files


def _zip_members(path: Path) -> Sequence[Member]:
    with unreadable(path.name), zipfile.ZipFile(path) as archive:
        entries = [entry for entry in archive.infolist() if _is_table(entry.filename)]
    if not entries:
        raise SourceError(f"{path.name} holds no {' or '.join(BARE_SUFFIXES)}: fetch it anew.")
    return [_ZipMember(path, entry) for entry in sorted(entries, key=lambda entry: entry.filename)]


def _is_table(name: str) -> bool:
    parts = name.split("/")
    by_macos = "__MACOSX" in parts or parts[-1].startswith("._")
    return name.lower().endswith(BARE_SUFFIXES) and not by_macos

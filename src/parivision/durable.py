"""Files that are whole or not there, whatever moment the power or the process goes."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final
from uuid import uuid4

from parivision import strict_json
from parivision.errors import StoreError

_POLL_S: Final = 0.02


def sync(path: Path) -> None:
    """Bring a file or folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary file beside `path` that takes its place, on disk, when the block ends well."""
    # Beside it, because a rename is atomic within one file system only; hidden, so that no pattern
    # for data files finds it.
    temporary = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        yield temporary
        # The content first, then the name: a rename may reach the disk before what it names. The
        # folder holds the name, so it is brought to disk as well.
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def put_json(path: Path, values: Any, *, indent: int | None = 1, sort_keys: bool = False) -> Path:
    """Put a JSON document at `path`, on disk, whole or not at all, and return the path.

    What JSON has no word for raises as in `parivision.strict_json.text`.
    """
    document = strict_json.text(values, indent=indent, sort_keys=sort_keys)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(f"{document}\n", encoding="utf-8")
    return path


@contextmanager
def exporting(path: Path) -> Iterator[IO[bytes]]:
    """A stream into a file that appears at `path` when the block ends well."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as stream:
            yield stream
    except OSError as error:
        raise StoreError(f"{path} cannot be written ({error}): give another path.") from error


@contextmanager
def exclusive(path: Path, wait_s: float) -> Iterator[None]:
    """Hold the lock file `path`; raises StoreError when another holds it longer than `wait_s`.

    The system drops the lock when its holder dies, so it is never stale.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, path, wait_s)
        # Only told to those who wait in vain: the lock is the kernel's, not the file's.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, path: Path, wait_s: float) -> None:
    # `flock` waits for ever or not at all, so it is asked again until the time is over.
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 20, 0).decode(errors="replace") or "unknown"
                raise StoreError(
                    f"{path.parent} is being written by another process (number {holder}); "
                    f"waited {wait_s:g} s. Let it end, or end it, and run this again."
                ) from None
            time.sleep(_POLL_S)
        else:
            return

"""A layer: a folder as a compressed archive, of which every byte follows from the content.

A layer has two digests in the OCI image specification: `digest`, of the compressed bytes, by which
it is stored and pulled, and `diff_id`, of the tar archive in it, by which the configuration lists
it: compressing anew must not change which files an image has.

Names are sorted, times are zero, and the owner is the user that the runtime image runs as.
"""

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Final

OWNER_ID: Final = 1000
# Models are dense numbers: more effort costs seconds and saves little.
COMPRESSION: Final = 1


@dataclass(frozen=True)
class Layer:
    """A layer in a file; `digest` and `size` are of the compressed bytes, `diff_id` of the others.

    Both are written `sha256:...`, as manifests and configurations have them.
    """

    path: Path
    digest: str
    diff_id: str
    size: int


def write_layer(
    folder: Path, prefix: PurePosixPath, target: Path, replaced: Mapping[str, bytes]
) -> Layer:
    """Write a folder's files to `target` as a layer that puts them under `prefix`.

    `prefix` has no leading slash. `replaced` gives other content for files, by their names in the
    folder: that which is not the same in two builds of the same thing.
    """
    with target.open("wb") as file:
        packed = _Measured(file)
        with gzip.GzipFile("", "wb", COMPRESSION, packed, mtime=0) as compressed:
            plain = _Measured(compressed)
            with tarfile.open(mode="w|", fileobj=plain, format=tarfile.PAX_FORMAT) as archive:
                for member, content in _members(folder, prefix, replaced):
                    archive.addfile(member, io.BytesIO(content))
    return Layer(target, packed.digest, plain.digest, packed.size)


def _members(
    folder: Path, prefix: PurePosixPath, replaced: Mapping[str, bytes]
) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    yield _member(prefix, None), b""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir():
            yield _member(prefix / name, None), b""
        else:
            content = replaced[name] if name in replaced else path.read_bytes()
            yield _member(prefix / name, content), content


def _member(prefix: PurePosixPath, content: bytes | None) -> tarfile.TarInfo:
    """The entry of a file, or of a folder where there is no content."""
    member = tarfile.TarInfo(prefix.as_posix())
    member.uid = member.gid = OWNER_ID
    member.mode = 0o755 if content is None else 0o644
    member.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
    member.size = len(content or b"")
    return member


class _Measured(io.RawIOBase):
    """Passes what is written on, and keeps its fingerprint and size."""

    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        super().__init__()
        self._stream = stream
        self._hash = hashlib.sha256()
        self.size = 0

    @property
    def digest(self) -> str:
        """Fingerprint of what was written so far."""
        return f"sha256:{self._hash.hexdigest()}"

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # buffers are not needed
        self._hash.update(data)
        self.size += len(data)
        return self._stream.write(data)

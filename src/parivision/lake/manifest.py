"""The file lake's table of contents: one small file whose replacement is the commit.

It names the data files that count, how far each source was read, and what is refined. A data file
that it does not name does not exist for a reader.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from parivision import durable
from parivision.errors import StoreError

VERSION: Final = 1
FILE_NAME: Final = "manifest.json"


@dataclass(frozen=True)
class DataFile:
    """A data file: rows of one layer, partition and format, added by commits `first` to `last`."""

    layer: str
    partition: int
    layout: str
    path: str
    rows: int
    first: int
    last: int


@dataclass
class LakeManifest:
    """What the lake holds after `commit` commits, and when a cursor was last among them."""

    commit: int = 0
    segments: list[DataFile] = field(default_factory=list)
    cursors: dict[str, str] = field(default_factory=dict)
    refined: dict[str, int] = field(default_factory=dict)
    ingested_at: datetime | None = None

    def of(
        self, layer: str, partition: int | None = None, layout: str | None = None
    ) -> Iterator[DataFile]:
        """Segments of a layer, in the order in which their rows came."""
        for segment in self.segments:
            same_partition = partition is None or segment.partition == partition
            same_layout = layout is None or segment.layout == layout
            if segment.layer == layer and same_partition and same_layout:
                yield segment

    def rows(self, layer: str) -> int:
        """Rows of a layer."""
        return sum(segment.rows for segment in self.of(layer))

    def refined_up_to(self, partition: int, layout: str) -> int:
        """The last commit whose bronze rows of a partition and format are refined."""
        return self.refined.get(_mark(partition, layout), 0)

    def mark_refined(self, partition: int, layout: str, commit: int) -> None:
        """Note that bronze rows up to `commit` are refined."""
        self.refined[_mark(partition, layout)] = commit


def read(root: Path) -> LakeManifest:
    """The manifest of the lake at `root`; that of an empty one if there is none."""
    path = root / FILE_NAME
    try:
        content = json.loads(path.read_bytes())
        if content["version"] != VERSION:
            raise StoreError(
                f"{path} has version {content['version']}, this program writes {VERSION}: "
                "use the program that wrote it, or fill a new lake."
            )
        return LakeManifest(
            commit=int(content["commit"]),
            segments=[DataFile(**segment) for segment in content["segments"]],
            cursors=dict(content["cursors"]),
            refined=dict(content["refined"]),
            # Lakes that were filled before this was kept have none.
            ingested_at=_moment(content.get("ingested_at")),
        )
    except FileNotFoundError:
        return LakeManifest()
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{path} is damaged ({error}): restore it, or move the folder away and fill a new lake."
        ) from error


def write(root: Path, manifest: LakeManifest) -> None:
    """Replace the manifest: the commit."""
    content = {"version": VERSION, **asdict(manifest)}
    durable.put_json(root / FILE_NAME, content, sort_keys=True)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _mark(partition: int, layout: str) -> str:
    return f"{partition}/{layout}"

"""The lake of shots: open it by its URL."""

from pathlib import Path
from urllib.parse import unquote

from parivision.errors import StoreError
from parivision.lake.base import Appended, Lake, LayerCounts, Pending, RefinedRows
from parivision.settings.retry import NEVER, Retry

__all__ = ["Appended", "Lake", "LayerCounts", "Pending", "RefinedRows", "open_lake"]


def open_lake(url: str, retry: Retry = NEVER) -> Lake:
    """The lake at a folder (`/data/lake`, `file:///data/lake`) or in MongoDB (`mongodb://...`).

    A folder is made by the first write. With `retry` a server that is away is asked again.
    """
    kind, separator, rest = url.partition("://")
    if not separator:
        return _files_lake(Path(url))
    if kind == "file" and rest.startswith("/"):
        return _files_lake(Path(unquote(rest)))
    if kind in ("mongodb", "mongodb+srv"):
        from parivision.lake.mongo import MongoLake

        return MongoLake.connect(url, retry)
    known = f"a lake of the kind {kind!r}" if kind.isalpha() else "a lake of this kind"
    raise StoreError(
        f"{known} is not known: give a folder, file:///folder or "
        "mongodb://user:password@host/database."
    )


def _files_lake(root: Path) -> Lake:
    from parivision.lake.files import FilesLake

    return FilesLake(root)

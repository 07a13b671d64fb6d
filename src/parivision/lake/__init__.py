"""The lake of shots: open it by its URL."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from parivision.errors import StoreError
from parivision.lake.base import Appended, Counts, Lake, Pending, Refined

__all__ = ["Appended", "Counts", "Lake", "Pending", "Refined", "open_lake"]


def open_lake(url: str) -> Lake:
    """The lake at a folder (`/data/lake`, `file:///data/lake`) or in MongoDB (`mongodb://...`).

    A folder is made by the first write.
    """
    if "://" not in url:
        return _files_lake(Path(url))
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path:
        return _files_lake(Path(unquote(parts.path)))
    if parts.scheme in ("mongodb", "mongodb+srv"):
        from parivision.lake.mongo import MongoLake

        return MongoLake.connect(url)
    raise StoreError(
        f"a lake of the kind {parts.scheme!r} is not known: give a folder, file:///folder or "
        "mongodb://user:password@host/database."
    )


def _files_lake(root: Path) -> Lake:
    from parivision.lake.files import FilesLake

    return FilesLake(root)

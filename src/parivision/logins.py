"""Names and passwords, as Kubernetes mounts a Secret: a folder with a file for each key.

Files are used, not the environment, where a process needs a password once: an environment is
inherited by children and shown by many tools.
"""

from dataclasses import dataclass, field
from pathlib import Path

from parivision.errors import SettingsError


@dataclass(frozen=True)
class Login:
    """A name and its password."""

    name: str
    password: str = field(repr=False)


def read_login(folder: Path, prefix: str = "") -> Login:
    """The login in a folder; raises SettingsError. The keys are PREFIXusername and -password."""
    return Login(read_key(folder / f"{prefix}username"), read_key(folder / f"{prefix}password"))


def read_key(path: Path) -> str:
    """One key of a Secret; raises SettingsError when it is missing or empty."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} could not be read ({type(error).__name__}): expected a key of a Secret, "
            "mounted as a file."
        ) from error
    if not text:
        raise SettingsError(f"{path} is empty: expected what a key of a Secret holds.")
    return text

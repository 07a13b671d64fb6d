"""Names and passwords, as Kubernetes mounts a Secret: a folder with a file for each key.

Files are used, not the environment, where a process needs a password once: an environment is
inherited by children and shown by many tools. No message here shows what a credential holds.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from parivision.errors import SettingsError

LONGEST: Final = 16_384
"""Characters of a credential: servers take no longer line of a head."""
# Four bytes at most for a character in UTF-8, and some for blanks around them.
_MOST_BYTES: Final = 4 * LONGEST + 1024
_SHOWN_CHARACTERS: Final = 300
# Control characters, what has no width, and line and paragraph ends.
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


@dataclass(frozen=True)
class Login:
    """A name and its password."""

    name: str
    password: str = field(repr=False)


def read_login(folder: Path, prefix: str = "") -> Login:
    """The login in a folder; raises SettingsError. The keys are PREFIXusername and -password."""
    return Login(read_key(folder / f"{prefix}username"), read_key(folder / f"{prefix}password"))


def read_key(path: Path, setting: str = "") -> str:
    """One key of a Secret; raises SettingsError when it is missing, empty or no credential.

    `setting` is the name of what names the file, for the message.
    """
    shown = str(path)[:_SHOWN_CHARACTERS]
    place = f"{setting}: {shown}" if setting else shown
    expected = "expected a key of a Secret, mounted as a file."
    try:
        # A pipe is a file too, so it is read and not asked for its size.
        with path.open("rb") as file:
            # Without the byte order mark that some editors write.
            text = file.read(_MOST_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"{place} could not be read (it is no UTF-8): {expected}") from None
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{place} could not be read ({type(error).__name__}): {expected}"
        ) from None
    if not text.strip():
        raise SettingsError(f"{place} is empty: expected what a key of a Secret holds.")
    return credential(place, text)


def given(environment: Mapping[str, str], name: str) -> str | None:
    """What the variable says as it stands, or the credential in the file that NAME_FILE names."""
    file = environment.get(f"{name}_FILE")
    return environment.get(name) or (read_key(Path(file), f"{name}_FILE") if file else None)


def is_invisible(character: str) -> bool:
    """Whether a character does not show, so that nobody sees it in a value."""
    return unicodedata.category(character) in _INVISIBLE


def credential(name: str, text: str, *, in_head: bool = False) -> str:
    """A password, token or address without the blanks around it, as files and Secrets have them.

    Raises SettingsError for one that nobody can mean: blank, too long, with a character that does
    not show; with `in_head`, for the head of a request, with one that is no ASCII.
    """
    stripped = text.strip()
    if text and not stripped:
        raise SettingsError(f"{name} is blank: give it a value, or leave it out")
    if len(stripped) > LONGEST:
        raise SettingsError(
            f"{name} has {len(stripped):,} characters: expected {LONGEST:,} at most"
        )
    for place, character in enumerate(stripped, 1):
        where = f"{name}: character {place} of {len(stripped)}"
        if is_invisible(character):
            raise SettingsError(
                f"{where} is a line break or another one that does not show: write it anew"
            )
        if in_head and not character.isascii():
            raise SettingsError(f"{where} is no ASCII, which the head of a request is made of")
    return stripped

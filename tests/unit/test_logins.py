"""Names and passwords from mounted Secrets."""

import pytest

from parivision.errors import SettingsError
from parivision.settings.logins import Login, read_login


def test_a_secret_folder_is_read(tmp_path):
    """Each key is a file; a prefix tells logins in one Secret apart; line ends do not matter."""
    for name, text in {"username": "lake\n", "password": "p:@/%", "admin-username": "root"}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "admin-password").write_text("other")
    assert read_login(tmp_path) == Login("lake", "p:@/%")
    assert read_login(tmp_path, "admin-") == Login("root", "other")


def test_a_password_is_not_shown():
    """What is logged or printed of a login holds the name only."""
    assert repr(Login("lake", "s3cret")) == "Login(name='lake')"


def test_a_missing_or_empty_key_is_told_by_its_file(tmp_path):
    """The message says which file was expected."""
    with pytest.raises(SettingsError, match="username could not be read"):
        read_login(tmp_path)
    (tmp_path / "username").write_text("lake")
    (tmp_path / "password").write_text(" \n")
    with pytest.raises(SettingsError, match="password is empty"):
        read_login(tmp_path)

"""Where settings come from: an environment that is handed over, and the files that it names."""

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from parivision.settings.logins import credential, given
from parivision.settings.marker import Credential


class EnvironmentSource(PydanticBaseSettingsSource):
    """Texts by the names of settings: of NAME, or of the file that NAME_FILE names.

    pydantic-settings' own source reads the environment of the process, and its `secrets_dir` one
    folder whose files bear the names of settings. Here Secrets lie in a folder each, with keys of
    their own.
    """

    def __init__(self, settings: type[BaseSettings], environment: Mapping[str, str]) -> None:
        super().__init__(settings)
        self._environment = environment

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The text that is given, None for none, and the setting's name; raises SettingsError."""
        name = field.alias or field_name
        text = given(self._environment, name)
        mark = mark_of(field)
        if text and mark:
            text = credential(name, text, in_head=mark.in_head)
        return text, name, False

    def __call__(self) -> dict[str, Any]:
        """All that is given; raises SettingsError for a credential that nobody can mean."""
        fields = self.settings_cls.model_fields.items()
        values = [self.get_field_value(field, field_name) for field_name, field in fields]
        return _Unshown({name: text for text, name, _ in values if text})


class _Unshown(dict[str, Any]):
    """Texts that pydantic-settings does not log, not even with PYDANTIC_SETTINGS_DEBUG."""

    def __repr__(self) -> str:
        return f"<{len(self)} settings>"


def mark_of(field: FieldInfo) -> Credential | None:
    """The mark of a setting that is a credential."""
    return next((mark for mark in field.metadata if isinstance(mark, Credential)), None)

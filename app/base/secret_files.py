"""Settings that are secrets may be in files: `TOKEN_SECRET_FILE=/run/secrets/token_secret`.

A file keeps a secret out of the environment, which other programs of the machine may read and
failures may print. Blanks and line ends around the secret are no part of it.
"""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

#: The settings that may be in a file, each named by the variable with `_FILE` behind its name.
IN_FILES = (
    "database_url",
    "migration_database_url",
    "database_listen_url",
    "token_secret",
    "webhook_key",
)


class SecretFiles(PydanticBaseSettingsSource):
    """Reads the files that the environment names; raises `ValueError` for one it cannot read."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:  # noqa: ARG002 - pydantic's
        variable = f"{field_name.upper()}_FILE"
        path = os.environ.get(variable, "") if field_name in IN_FILES else ""
        if not path:
            return None, field_name, False
        if os.environ.get(field_name.upper()):
            raise ValueError(f"{variable}: set this or {field_name.upper()}, not both")
        try:
            return Path(path).read_text("utf-8").strip(), field_name, False
        except (OSError, ValueError):
            raise ValueError(f"{variable}: the file cannot be read as text") from None

    def __call__(self) -> dict[str, Any]:
        fields = self.settings_cls.model_fields.items()
        values = ((name, self.get_field_value(field, name)[0]) for name, field in fields)
        return {name: value for name, value in values if value is not None}

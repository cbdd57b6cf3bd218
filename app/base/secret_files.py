"""Settings that are secrets may be in files: `TOKEN_SECRET_FILE=/run/secrets/token_secret`.

A file keeps a secret out of the environment, which other programs of the machine may read and
failures may print: it is how Docker, Kubernetes and systemd hand secrets over. Blanks and line ends
around the secret are no part of it. A file is read once, when the process starts: a secret that was
replaced takes a restart, as one in the environment does.
"""

import os
from pathlib import Path
from typing import Any

#: The settings that may be in a file, each named by the variable with `_FILE` behind its name.
IN_FILES = (
    "database_url",
    "migration_database_url",
    "database_listen_url",
    "token_secret",
    "webhook_key",
)


def secrets_in_files() -> dict[str, Any]:
    """Reads the files that the environment names: setting → secret.

    Raises `ValueError`, which names the variable, for a file that cannot be read, and where the
    setting itself is set, too.
    """
    named = {name: os.environ.get(f"{name.upper()}_FILE", "") for name in IN_FILES}
    return {name: _secret(name.upper(), path) for name, path in named.items() if path}


def _secret(variable: str, path: str) -> str:
    if os.environ.get(variable):
        raise ValueError(f"{variable}_FILE: set this or {variable}, not both")
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, ValueError):
        raise ValueError(f"{variable}_FILE: the file cannot be read as text") from None
    return text.strip()

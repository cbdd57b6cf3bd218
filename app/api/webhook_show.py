"""How an endpoint is shown to its owner: everything but its secrets and header values."""

from datetime import datetime

from sqlalchemy import RowMapping

from app.journey.notification.endpoint import Endpoint
from app.journey.notification.secrets import Vault
from app.journey.notification.signature import public_key


def shown(row: RowMapping, vault: Vault, now: datetime) -> Endpoint:
    """The endpoint as its owner reads it at `now`."""
    newest, *older = vault.open_secrets(row["secrets"], now)
    return Endpoint(
        **{name: row[name] for name in Endpoint.model_fields if name in row},
        header_names=sorted(vault.open_headers(row["headers"])),
        public_key=public_key(newest.value),
        old_secret_expires_at=older[0].expires_at if older else None,
    )

"""`python -m app rotate-keys`: encrypts every webhook secret with the first key of `WEBHOOK_KEY`.

To replace the key: put the new one before the old (`WEBHOOK_KEY=new,old`), restart every process,
run this command, then leave the old key out. It may be stopped and repeated; the service runs on.
"""

from cryptography.fernet import InvalidToken
from rich.console import Console

from app.base.errors import Stopped
from app.base.settings import Settings
from app.journey.notification.secrets import Vault
from app.store.database import opened

_BATCH = 100
_SEALED = """SELECT organization_id, id, secrets, headers FROM webhook_endpoint
WHERE (organization_id, id) > ($1, $2) ORDER BY organization_id, id LIMIT $3::int"""
#: Only what still is as it was read: an endpoint that changed meanwhile has the first key already.
_RENEW = """UPDATE webhook_endpoint SET secrets = $5, headers = $6
WHERE organization_id = $1 AND id = $2 AND secrets = $3 AND headers IS NOT DISTINCT FROM $4"""


async def rotate_keys(settings: Settings) -> int:
    """Encrypts everything anew; returns the number of endpoints. Raises `Stopped` if a row was
    encrypted with none of the keys.
    """
    vault, done, last = Vault(settings), 0, ("", "")
    async with opened(settings, size=1) as database:
        while rows := await database.fetch(_SEALED, *last, _BATCH):
            for row in rows:
                last = row["organization_id"], row["id"]
                sealed = row["secrets"], row["headers"]
                try:
                    renewed = (
                        vault.renew(value) if value is not None else None for value in sealed
                    )
                    await database.execute(_RENEW, *last, *sealed, *renewed)
                except InvalidToken:
                    raise Stopped(
                        f"The secrets of endpoint {row['id']} were encrypted with none of the keys "
                        "of WEBHOOK_KEY: add the key that encrypted them. Nothing is lost."
                    ) from None
                done += 1
    Console().print(f"Encrypted with the first key: {done} endpoints.", highlight=False)
    return 0

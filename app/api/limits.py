"""The limits of a deployment: of all requests of a client, and of its questions about members."""

import base64
import hashlib
import hmac
from asyncio import Semaphore
from collections import OrderedDict
from dataclasses import dataclass, field

from app.base.settings import Settings
from app.store.limits import Leases, Quota

#: Failures at the token endpoint: of one client from one address, and of one address. The second is
#: for whoever tries many clients; both lock out (`app.store.limits.strike`).
TRIES = Quota("token", 10, 60)
ADDRESS_TRIES = Quota("token-address", 100, 60)
#: Of one client from one address so many tries are looked at together, so that tries sent at once
#: are locked out like others. So many sources are remembered.
_TOGETHER, _REMEMBERED = 4, 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one process. `requests` is None where requests are not counted."""

    requests: Leases | None
    members: Quota
    misses: Quota
    _key: bytes
    _trying: OrderedDict[str, Semaphore] = field(default_factory=OrderedDict)

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        most = settings.requests_per_minute
        secret = settings.token_secret.get_secret_value().encode()
        return cls(
            Leases(Quota("requests", most, 60)) if most else None,
            Quota("members", settings.checked_members_per_day, 86_400),
            Quota("misses", settings.checked_misses_per_hour, 3600),
            hashlib.sha256(b"asked-member:" + secret).digest(),
        )

    def hashed(self, value: str) -> str:
        """A value as a key of ours has it: 43 characters that tell nothing without the secret."""
        digest = hmac.digest(self._key, value.encode(), "sha256")
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def trying(self, source: str) -> Semaphore:
        """The places of a source's tries that are looked at together."""
        places = self._trying.setdefault(source, Semaphore(_TOGETHER))
        self._trying.move_to_end(source)
        if len(self._trying) > _REMEMBERED:
            self._trying.popitem(last=False)
        return places

"""Where a page ended: opaque to the client, signed, good for the same caller and query only.

Keys, not offsets: a row that is written meanwhile neither repeats nor hides another.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from app.caller.model import Caller
from app.errors import Refusal, refuse
from app.settings import Settings

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAC = 16


@dataclass(frozen=True, slots=True)
class Position:
    """The last row shown: when it changed (for sorting by time) and its id."""

    at: datetime
    id: str


def seal(position: Position, secret: str, bound_to: str) -> str:
    """The cursor after `position`; `bound_to` names the caller and the query."""
    micros = (position.at - _EPOCH) // timedelta(microseconds=1)
    payload = orjson.dumps([micros, position.id])
    return base64.urlsafe_b64encode(_mac(payload, secret, bound_to) + payload).decode().rstrip("=")


def unseal(text: str, secret: str, bound_to: str) -> Position:
    """The position of a cursor. 400 where it was changed, or made for another caller or query."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise _refused() from None
    payload = raw[_MAC:]
    if not hmac.compare_digest(raw[:_MAC], _mac(payload, secret, bound_to)):
        raise _refused()
    micros, resource_id = orjson.loads(payload)
    return Position(_EPOCH + timedelta(microseconds=micros), resource_id)


class Pages:
    """The pages of one query by one caller. `link` is the path that asks it, without the cursor."""

    def __init__(self, settings: Settings, caller: Caller, link: str) -> None:
        self.public_url = settings.public_url.rstrip("/")
        self._secret = settings.token_secret.get_secret_value()
        self._link = link
        self._bound_to = f"{caller.client_id}\0{link}"

    def after(self, cursor: str) -> Position:
        """Where the page before ended; 400 for a cursor of something else."""
        return unseal(cursor, self._secret, self._bound_to)

    def next(self, at: datetime, id: str) -> str:
        """The address of the page that follows this last row."""
        cursor = seal(Position(at, id), self._secret, self._bound_to)
        return f"{self.public_url}{self._link}&cursor={cursor}"


def _mac(payload: bytes, secret: str, bound_to: str) -> bytes:
    key = hashlib.sha256(b"search cursor\0" + secret.encode()).digest()
    return hmac.digest(key, bound_to.encode() + b"\0" + payload, "sha256")[:_MAC]


def _refused() -> Refusal:
    return refuse(
        400,
        "value",
        "The page is not one of this search. Begin the search again and follow its `next` links.",
    )

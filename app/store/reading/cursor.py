"""Cursors: where a page ended. Opaque to the client, signed, valid for one caller and one query.

A cursor holds the key of the last row and no offset: a row that is written between two pages
neither repeats another row nor hides one.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import orjson
from pydantic import BaseModel, Field

from app.base.errors import Refusal, refuse
from app.base.settings import Settings
from app.model.caller import Caller

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAC = 16


@dataclass(frozen=True, slots=True)
class Position:
    """The last row shown: when it changed (for sorting by time) and its id."""

    at: datetime
    id: str


def sign(position: Position, secret: str, bound_to: str) -> str:
    """Makes the cursor after `position`; `bound_to` names the caller and the query.

    `secret` as `TOKEN_SECRET` has it: of several the first signs.
    """
    micros = (position.at - _EPOCH) // timedelta(microseconds=1)
    payload = orjson.dumps([micros, position.id])
    mac = _mac(payload, secret.split(",", maxsplit=1)[0], bound_to)
    return base64.urlsafe_b64encode(mac + payload).decode().rstrip("=")


def verify(text: str, secret: str, bound_to: str) -> Position:
    """Reads a cursor. 400 if it was changed, or was made for another caller or query."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise _refused() from None
    payload = raw[_MAC:]
    made = [_mac(payload, one, bound_to) for one in secret.split(",")]
    if not any(hmac.compare_digest(raw[:_MAC], one) for one in made):
        raise _refused()
    micros, resource_id = orjson.loads(payload)
    return Position(_EPOCH + timedelta(microseconds=micros), resource_id)


class PageFilters(BaseModel):
    """The query of a list: filters that must all hold, and the page.

    A list declares its filters first, then `limit` and `cursor` (`page_limit`, `page_cursor`): the
    contract shows them in this order.
    """

    def link(self, path: str) -> str:
        """Returns the path that repeats this query, without the cursor."""
        given = self.model_dump(mode="json", exclude_none=True, exclude={"cursor"})
        words = {
            name: str(value).lower() if isinstance(value, bool) else value
            for name, value in given.items()
        }
        return f"{path}?{urlencode(words)}"


def page_limit(what: str) -> Any:
    """Makes the field `limit: int` of a list of `what`."""
    return Field(50, description=f"{what} on a page.", ge=1, le=100)


def page_cursor(longest: int = 300) -> Any:
    """Makes the field `cursor: str | None` of a list."""
    return Field(None, description="Taken from `next`, never made up.", max_length=longest)


class Pages:
    """The pages of one query by one caller; `link` is the path of the query without the cursor."""

    def __init__(self, settings: Settings, caller: Caller, link: str) -> None:
        self.public_url = settings.public_url.rstrip("/")
        self._secret = settings.token_secret.get_secret_value()
        self._link = link
        self._bound_to = f"{caller.client_id}\0{link}"

    def after(self, cursor: str | None) -> Position | None:
        """Returns where the page before ended, if any; 400 for the cursor of another query."""
        return verify(cursor, self._secret, self._bound_to) if cursor is not None else None

    def next(self, at: datetime, id: str) -> str:
        """Returns the address of the page that follows this last row."""
        cursor = sign(Position(at, id), self._secret, self._bound_to)
        return f"{self.public_url}{self._link}&cursor={cursor}"


def _mac(payload: bytes, secret: str, bound_to: str) -> bytes:
    key = hashlib.sha256(b"search cursor\0" + secret.strip().encode()).digest()
    return hmac.digest(key, bound_to.encode() + b"\0" + payload, "sha256")[:_MAC]


def _refused() -> Refusal:
    return refuse(
        400,
        "value",
        "The page is not one of this search. Begin the search again and follow its `next` links.",
    )

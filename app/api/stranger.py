"""Whether a request comes from a stranger: without a good token, to a route that wants one.

Asked before a body is read, so that nobody but a client can make the service hold one. The refusal
itself is the door's (`dependency.py`), which the handler's own dependencies lead to.
"""

import time

from fastapi.dependencies.models import Dependant
from starlette.routing import Match
from starlette.types import Scope

from app.api.bearer import TokenRefused
from app.api.caller import caller
from app.api.deployment import deployment_of


def is_stranger(scope: Scope) -> bool:
    """True where the door will not let this request in."""
    return not _has_token(scope) and any(
        _is_guarded(route.dependant)
        for route in scope["app"].routes
        if hasattr(route, "dependant") and route.matches(dict(scope))[0] is Match.FULL
    )


def _has_token(scope: Scope) -> bool:
    sent = [value for name, value in scope["headers"] if name == b"authorization"]
    kind, _, token = (sent[0] if len(sent) == 1 else b"").partition(b" ")
    if kind.lower() != b"bearer":
        return False
    known = deployment_of(scope["app"]).tokens
    try:
        known.verify(token.decode("latin-1").strip(), time.time())
    except TokenRefused:
        return False
    return True


def _is_guarded(dependant: Dependant) -> bool:
    return dependant.call is caller or any(map(_is_guarded, dependant.dependencies))

"""Limits how many requests a client may send in a minute, before their bodies are read.

Every answer to a client has `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-
headers): the quota, what is left of it and when all of it is there again. Who has used it up is
answered 429 with `Retry-After`. A request without a good token is no client's, and costs nobody's.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.caller import holder_of
from app.api.deployment import deployment_of
from app.api.web.refusals import respond
from app.base.errors import refuse
from app.store.limits import Quota, Taken


class Throttle:
    """ASGI middleware: counts the requests of each client (`app.api.limits`)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        parts = deployment_of(scope["app"])
        leases = parts.limits.requests
        caller = await holder_of(scope) if leases and parts.started else None
        if caller is None or leases is None:
            await self._app(scope, receive, send)
            return
        scope["state"]["client_id"] = caller.client_id
        taken = await leases.use(parts.database, caller.client_id)
        headers = _headers(leases.quota, taken)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        if not taken.refused:
            await self._app(scope, receive, sending)
            return
        text = (
            f"These are more than {leases.quota.most} requests in a minute. Nothing was done; send "
            "this one again when Retry-After says."
        )
        refusal = refuse(429, "throttled", text, Retry_After=str(taken.resets_s))
        await respond(scope["path"], refusal)(scope, receive, sending)


def _headers(quota: Quota, taken: Taken) -> list[tuple[bytes, bytes]]:
    policy = f'"{quota.name}";q={quota.most};w={quota.seconds}'
    left = f'"{quota.name}";r={taken.left};t={taken.resets_s}'
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]

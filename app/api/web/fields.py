"""Header fields as RFC 9110 has them: lists on several lines are one list, other fields come once.

`Host` must be there and be a host: it is looked at here and builds no link (`PUBLIC_URL` does).
"""

import re

from starlette.types import Scope

from app.base.errors import refuse

Lines = list[tuple[bytes, bytes]]

#: Fields that are lists: each further line goes on with the list (RFC 9110 5.3).
_LISTS = frozenset(
    {
        b"accept", b"accept-charset", b"accept-encoding", b"accept-language", b"cache-control",
        b"connection", b"content-encoding", b"if-match", b"if-none-match", b"prefer", b"te",
    }
)  # fmt: skip
#: Which of two such lines is meant would be a guess.
_SINGLE = frozenset(
    {b"host", b"content-type", b"content-length", b"if-none-exist", b"idempotency-key"}
)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


def combined(scope: Scope) -> dict[bytes, bytes]:
    """The fields by name; the scope's own lines are put together in the same way. 400: see above.

    Lines of other names stay as they are; the last one stands here.
    """
    found: dict[bytes, bytes] = {}
    lines: Lines = scope["headers"]
    repeated = False
    for name, value in lines:
        if name in found:
            if name in _SINGLE:
                raise refuse(400, "structure", f"Send one {name.decode().title()} header.")
            if name in _LISTS:
                repeated = True
                found[name] += b", " + value
                continue
        found[name] = value
    if repeated:
        others = [line for line in lines if line[0] not in _LISTS]
        scope["headers"] = others + [line for line in found.items() if line[0] in _LISTS]
    _check_host(scope, found.get(b"host"))
    return found


def _check_host(scope: Scope, host: bytes | None) -> None:
    if host is None and scope.get("http_version") == "1.0":
        return  # HTTP/1.0 knows no Host: probes of load balancers
    if host is None or not _HOST.fullmatch(host.strip()):
        raise refuse(400, "structure", "Send one Host header: a host name, with its port if any.")

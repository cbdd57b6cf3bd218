"""The document as it is sent: rendered and compressed once, with a tag for whether it changed.

PURE, but for the compression.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from typing import Any, Self

import orjson

_CODING = re.compile(r"\s*([^\s;,]+)\s*(?:;\s*q\s*=\s*([0-9.]+)\s*)?")


@dataclass(frozen=True, slots=True)
class Served:
    """The bytes, plain and compressed."""

    plain: bytes
    packed: bytes
    tag: str

    @classmethod
    def of(cls, document: Any) -> Self:
        """Renders a document; the same one has the same bytes and tag in every process."""
        plain = orjson.dumps(document)
        return cls(plain, gzip.compress(plain, 9, mtime=0), hashlib.sha256(plain).hexdigest()[:32])

    def answer(self, accepted: str, known: str) -> tuple[int, bytes, dict[str, str]]:
        """Status, body and headers for what `Accept-Encoding` and `If-None-Match` say.

        The two forms differ byte by byte, so that each has a strong tag of its own.
        """
        small = takes_gzip(accepted)
        tag = f'"{self.tag}-gzip"' if small else f'"{self.tag}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        if self._has(known):
            return 304, b"", headers
        if small:
            headers["Content-Encoding"] = "gzip"
        return 200, self.packed if small else self.plain, headers

    def _has(self, known: str) -> bool:
        """Whether the caller holds this document, in whichever form (RFC 9110, weak comparison)."""
        tags = {one.strip().removeprefix("W/") for one in known.split(",")}
        return bool(tags & {"*", f'"{self.tag}"', f'"{self.tag}-gzip"'})


def takes_gzip(accepted: str) -> bool:
    """Whether `Accept-Encoding` names gzip, or anything at all, with a weight that is not zero."""
    weights: dict[str, bool] = {}
    for part in accepted.split(","):
        if found := _CODING.fullmatch(part):
            weight = found[2] or "1"
            weights[found[1].lower()] = weight.strip("0.") != ""
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))

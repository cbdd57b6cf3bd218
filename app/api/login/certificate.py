"""Reads the certificate of a caller's TLS connection, as the proxy before the service hands it on.

Only where `CLIENT_CERTIFICATE_HEADER` names the header: the proxy must set it on every request and
strip what a caller sent under that name. Two forms are read: URL-encoded PEM (nginx's
`$ssl_client_escaped_cert`, Envoy and HAProxy can do it) and `:base64 DER:` (RFC 9440).
"""

import base64
import hashlib
from functools import lru_cache
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.types import Scope

#: Characters of a header that is read.
_LONGEST = 16 * 1024


def thumbprint(certificate: x509.Certificate) -> str:
    """Returns the SHA-256 of a certificate, base64url (RFC 8705 3.1)."""
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def shown_certificate(scope: Scope, header: str) -> str | None:
    """Returns the SHA-256 of the certificate that a request's connection has shown.

    None where there is none, where it cannot be read, or where `header` is empty: then nobody
    vouches for what a caller sends.
    """
    if not header:
        return None
    name = header.lower().encode("latin-1")
    sent = [value for given, value in scope["headers"] if given == name]
    if len(sent) != 1 or len(sent[0]) > _LONGEST:
        return None
    return _read(sent[0].decode("latin-1"))


@lru_cache(maxsize=256)
def _read(text: str) -> str | None:
    try:
        if text.startswith(":") and text.endswith(":"):
            der = base64.b64decode(text[1:-1], validate=True)
            return thumbprint(x509.load_der_x509_certificate(der))
        return thumbprint(x509.load_pem_x509_certificate(unquote(text).encode("ascii")))
    except ValueError:
        return None

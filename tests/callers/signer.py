"""A client's own keys, and assertions that it signs with them: right ones and every wrong one."""

import base64
import hmac
import json
import time
import uuid

from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-384", {"kid": "ec", "use": "sig"})
STRANGER = {"RS384": RSAKey.generate_key(2048), "ES384": ECKey.generate_key("P-384")}
BY = {"RS384": RSA, "ES384": EC}
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def jwks(*keys) -> dict:
    return {"keys": [key.as_dict(private=False) for key in keys or (RSA, EC)]}


def part(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(client: str, url: str, now: float | None = None, **changed) -> dict:
    """What a good assertion says; `changed`: other values, None leaves a claim out."""
    at = int(time.time() if now is None else now)
    said = {"iss": client, "sub": client, "aud": url, "exp": at + 240, "jti": uuid.uuid4().hex}
    return {name: value for name, value in {**said, **changed}.items() if value is not None}


def signed(said: object, algorithm: str = "ES384", key=None, **header) -> str:
    """A JWT of this header and these claims, whatever they are. `key`: instead of our own."""
    kid = BY[algorithm].kid if algorithm in BY else "ec"
    head = {"alg": algorithm, "typ": "JWT", "kid": kid, **header}
    head = {name: value for name, value in head.items() if value is not None}
    text = f"{part(head)}.{part(said)}"
    if algorithm.startswith("HS"):  # the library refuses to take a public key for a secret
        made = hmac.digest(key, text.encode(), f"sha{algorithm[2:]}")
    else:
        made = JWSRegistry.algorithms[algorithm].sign(text.encode(), key or BY[algorithm])
    return f"{text}.{part(made)}"


def form(assertion: str, **more) -> dict:
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": JWT_BEARER,
        "client_assertion": assertion,
        **more,
    }

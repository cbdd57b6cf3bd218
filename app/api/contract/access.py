"""The token endpoint, introspection and discovery in the contract: forms, answers, examples."""

from typing import Any

from app.api.contract.responses import errors
from app.fhir.r4.codes import JWT_BEARER

_TOKEN_ERRORS = {
    400: ("invalid_request", "The form cannot be read, or asks for what was never granted."),
    401: ("invalid_client", "The client is not known, or its secret or key is not."),
    408: ("invalid_request", "The body did not arrive in time."),
    413: ("invalid_request", "The body is larger than 64 KB."),
    415: ("invalid_request", "The body is not a form in UTF-8."),
    429: (
        "temporarily_unavailable",
        "Too many tries have failed; `Retry-After` says when to come back.",
    ),
    503: ("temporarily_unavailable", "The database is away; `Retry-After` says when to come back."),
}


def _text(description: str) -> dict[str, Any]:
    """The schema of a text, with a description of its own.

    openapi-generator merges equal schemas: without descriptions all texts would share one type,
    with the description of any of them.
    """
    return {"type": "string", "description": description}


_ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 6749 5.2",
    "required": ["error"],
    "properties": {
        "error": _text("A code of RFC 6749 5.2."),
        "error_description": _text("What to do."),
    },
}

_TOKEN_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["access_token", "token_type", "expires_in", "scope"],
    "properties": {
        "access_token": _text("To be sent as `Authorization: Bearer`."),
        "token_type": {"type": "string", "const": "bearer"},
        "expires_in": {
            "type": "integer",
            "minimum": 1,
            "maximum": 300,
            "description": "Seconds that it is good for.",
        },
        "scope": _text("What it carries, separated by spaces."),
    },
}


def _error(code: str, description: str) -> dict[str, Any]:
    example = {"error": code, "error_description": description}
    content = {"application/json": {"schema": _ERROR_SCHEMA, "example": example}}
    return {"description": description, "content": content}


TOKEN_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The token, how long it is good for, and what it carries.",
        "content": {
            "application/json": {
                "schema": _TOKEN_SCHEMA,
                "example": {
                    "access_token": "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
                    "token_type": "bearer",
                    "expires_in": 300,
                    "scope": "system/ServiceRequest.crus system/Task.crus",
                },
            }
        },
    },
    **{status: _error(*error) for status, error in _TOKEN_ERRORS.items()},
}

#: How a client says who it is, here and at introspection.
_CREDENTIALS: dict[str, Any] = {
    "client_id": _text("Yours, where it is not sent as HTTP Basic or in the assertion."),
    "client_secret": {"type": "string", "format": "password"},
    "client_assertion_type": {"type": "string", "const": JWT_BEARER},
    "client_assertion": _text(
        "Instead of a secret: a JWT of yours, signed with RS384 or ES384. `iss` and `sub` are your "
        "client_id, `aud` is this address, `exp` is at most 300 seconds from now, `jti` is new "
        "each time; the header names your key (`kid`)."
    ),
}

TOKEN: dict[str, Any] = {
    "security": [],
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"type": "string", "const": "client_credentials"},
                        **_CREDENTIALS,
                        "scope": {"type": "string", "description": "Space-separated"},
                    },
                },
                "examples": {
                    "secret": {
                        "summary": "With a secret",
                        "value": {
                            "grant_type": "client_credentials",
                            "client_id": "hospital",
                            "client_secret": "demo-hospital",
                        },
                    },
                    "key": {
                        "summary": "With a key of one's own (SMART Backend Services)",
                        "value": {
                            "grant_type": "client_credentials",
                            "client_assertion_type": JWT_BEARER,
                            "client_assertion": "eyJhbGciOiJFUzM4NCIsImtpZCI6IjEifQ.e30.c2ln",
                            "scope": "system/ServiceRequest.crus",
                        },
                    },
                },
            }
        },
    },
}

INTROSPECTION: dict[str, Any] = {
    "security": [],
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["token"],
                    "properties": {
                        "token": _text("The access token that is asked about."),
                        **_CREDENTIALS,
                    },
                },
                "example": {
                    "token": "eyJhbGciOiJIUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2ln",
                    "client_id": "hospital",
                    "client_secret": "demo-hospital",
                },
            }
        },
    },
}

INTROSPECTION_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "What the token is; of a token that is not good here, or not the caller's "
        "own, `active` is false and nothing else is said.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["active"],
                    "properties": {
                        "active": {"type": "boolean"},
                        "scope": _text("What it carries, separated by spaces."),
                        "client_id": _text("Whose it is."),
                        "sub": _text("The same as `client_id`."),
                        "token_type": {"type": "string", "const": "bearer"},
                        "iss": {"type": "string", "format": "uri"},
                        "aud": {"type": "string", "format": "uri"},
                        "iat": {"type": "integer", "description": "Seconds since 1970."},
                        "exp": {"type": "integer", "description": "Seconds since 1970."},
                        "cnf": {
                            "type": "object",
                            "description": "The certificate without which it is not good: its "
                            "SHA-256 as `x5t#S256` (RFC 8705 3.1).",
                        },
                    },
                },
                "example": {
                    "active": True,
                    "scope": "system/ServiceRequest.crus system/Task.crus",
                    "client_id": "hospital",
                    "sub": "hospital",
                    "token_type": "bearer",
                    "iss": "https://referrals.example/fhir",
                    "aud": "https://referrals.example/fhir",
                    "iat": 1795000000,
                    "exp": 1795000300,
                },
            }
        },
    },
    **{status: _error(*error) for status, error in _TOKEN_ERRORS.items()},
}

DISCOVERY: dict[str, Any] = {"security": []}

_STRINGS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
DISCOVERY_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The discovery document.",
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": [
                        "token_endpoint",
                        "grant_types_supported",
                        "capabilities",
                        "code_challenge_methods_supported",
                    ],
                    "properties": {
                        "token_endpoint": {"type": "string", "format": "uri"},
                        "grant_types_supported": _STRINGS,
                        "token_endpoint_auth_methods_supported": _STRINGS,
                        "token_endpoint_auth_signing_alg_values_supported": _STRINGS,
                        "introspection_endpoint": {"type": "string", "format": "uri"},
                        "scopes_supported": _STRINGS,
                        "response_types_supported": _STRINGS,
                        "code_challenge_methods_supported": _STRINGS,
                        "capabilities": _STRINGS,
                    },
                },
                "example": {
                    "token_endpoint": "https://referrals.example/oauth/token",
                    "grant_types_supported": ["client_credentials"],
                    "token_endpoint_auth_methods_supported": [
                        "private_key_jwt",
                        "client_secret_basic",
                        "client_secret_post",
                    ],
                    "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
                    "introspection_endpoint": "https://referrals.example/oauth/introspect",
                    "code_challenge_methods_supported": ["S256"],
                    "capabilities": [
                        "client-confidential-asymmetric",
                        "client-confidential-symmetric",
                        "permission-v1",
                        "permission-v2",
                    ],
                },
            }
        },
    },
    **errors(405),
}

"""How the token endpoint and discovery stand in the contract: forms, answers, examples."""

from typing import Any

from app.api.contract.responses import errors

_TOKEN_ERRORS = {
    400: ("invalid_request", "The form cannot be read, or asks for what was never granted."),
    401: ("invalid_client", "The client or its secret is not known."),
    408: ("invalid_request", "The body did not arrive in time."),
    413: ("invalid_request", "The body is larger than 64 KB."),
    415: ("invalid_request", "The body is not a form in UTF-8."),
    503: ("temporarily_unavailable", "The database is away; `Retry-After` says when to come back."),
}


def _text(said: str) -> dict[str, Any]:
    """Described: of equal bare schemas openapi-generator makes one, with what is said of any."""
    return {"type": "string", "description": said}


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


def _error(code: str, said: str) -> dict[str, Any]:
    example = {"error": code, "error_description": said}
    content = {"application/json": {"schema": _ERROR_SCHEMA, "example": example}}
    return {"description": said, "content": content}


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
    **{status: _error(*found) for status, found in _TOKEN_ERRORS.items()},
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
                        "client_id": _text("Yours, where it is not sent as HTTP Basic."),
                        "client_secret": {"type": "string", "format": "password"},
                        "scope": {"type": "string", "description": "Space-separated"},
                    },
                },
                "example": {
                    "grant_type": "client_credentials",
                    "client_id": "hospital",
                    "client_secret": "demo-hospital",
                },
            }
        },
    },
}

DISCOVERY: dict[str, Any] = {"security": []}

_WORDS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
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
                        "grant_types_supported": _WORDS,
                        "token_endpoint_auth_methods_supported": _WORDS,
                        "scopes_supported": _WORDS,
                        "response_types_supported": _WORDS,
                        "code_challenge_methods_supported": _WORDS,
                        "capabilities": _WORDS,
                    },
                },
                "example": {
                    "token_endpoint": "https://referrals.example/oauth/token",
                    "grant_types_supported": ["client_credentials"],
                    "token_endpoint_auth_methods_supported": [
                        "client_secret_basic",
                        "client_secret_post",
                    ],
                    "code_challenge_methods_supported": ["S256"],
                    "capabilities": [
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

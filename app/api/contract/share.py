"""What many operations say alike is said once, under `components`: failures and examples.

Without it the committed document would be ten times as long, and its differences unreadable.
"""

from typing import Any

from app.api.contract.responses import errors

_METHODS = ("get", "post", "put", "patch", "delete")
_NAMES = {
    400: "Unreadable",
    401: "Unauthenticated",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    408: "Timeout",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "TooLarge",
    414: "TargetTooLong",
    415: "UnsupportedMediaType",
    422: "Unprocessable",
    428: "PreconditionRequired",
    431: "HeadersTooLarge",
    503: "Unavailable",
}


def share(document: dict[str, Any]) -> None:
    """Moves common failures and named examples to `components`, and refers to them."""
    responses: dict[str, Any] = {}
    examples: dict[str, Any] = {}
    for item in document["paths"].values():
        for method in _METHODS:
            if method in item:
                _share_failures(item[method]["responses"], responses)
                _share_examples(item[method], examples)
    document["components"]["responses"] = dict(sorted(responses.items()))
    document["components"]["examples"] = dict(sorted(examples.items()))


def _share_failures(found: dict[str, Any], shared: dict[str, Any]) -> None:
    for status, name in _NAMES.items():
        common = errors(status)[status]
        if found.get(str(status)) == common:
            shared[name] = common
            found[str(status)] = {"$ref": f"#/components/responses/{name}"}


def _share_examples(operation: dict[str, Any], shared: dict[str, Any]) -> None:
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    for body in bodies:
        for content in body.get("content", {}).values():
            for stem, shown in content.get("examples", {}).items():
                if "$ref" not in shown:
                    shared[stem] = shown
                    content["examples"] = {
                        **content["examples"],
                        stem: {"$ref": f"#/components/examples/{stem}"},
                    }

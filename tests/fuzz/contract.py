"""What the contract says of every operation: what may be sent, and which answers it describes."""

from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import orjson

from tests.outside import ROOT

METHODS = ("get", "post", "put", "patch", "delete")
DOCUMENT = orjson.loads((ROOT / "openapi" / "openapi.json").read_bytes())


def resolved(node: Any) -> Any:
    """The node itself, or what its `$ref` points to."""
    while isinstance(node, dict) and "$ref" in node:
        found: Any = DOCUMENT
        for name in node["$ref"].removeprefix("#/").split("/"):
            found = found[name.replace("~1", "/").replace("~0", "~")]
        node = found
    return node


@dataclass(frozen=True)
class Operation:
    """One operation: its parameters by place, and example bodies by media type."""

    method: str
    path: str
    queries: list[str]
    headers: list[str]
    bodies: list[tuple[str, Any]]
    responses: dict[str, Any]

    @property
    def label(self) -> str:
        return f"{self.method.upper()} {self.path}"


def _examples(content: dict[str, Any]) -> list[tuple[str, Any]]:
    found = []
    for media, described in content.items():
        named = [resolved(example)["value"] for example in described.get("examples", {}).values()]
        schema = resolved(described.get("schema", {}))
        single = [described["example"]] if "example" in described else schema.get("examples", [])
        found += [(media, value) for value in [*named, *single] or [{}]]
    return found


def _operation(method: str, path: str, said: dict[str, Any]) -> Operation:
    parameters = [resolved(parameter) for parameter in said.get("parameters", ())]
    return Operation(
        method,
        path,
        [each["name"] for each in parameters if each["in"] == "query"],
        [each["name"] for each in parameters if each["in"] == "header"],
        _examples(said.get("requestBody", {}).get("content", {})),
        said["responses"],
    )


OPERATIONS = [
    _operation(method, path, item[method])
    for path, item in DOCUMENT["paths"].items()
    for method in METHODS
    if method in item
]


class Described:
    """Tells whether the contract describes an answer; its validators are compiled once."""

    def __init__(self) -> None:
        self._validators: dict[str, Any] = {}

    def complaint(
        self, operation: Operation, status: int, media: str, body: bytes, applied: str = ""
    ) -> str | None:
        """What the contract does not say of this answer; None where it says all of it. `applied`:
        the preference that the answer goes by (`Preference-Applied`).
        """
        if status >= 500:
            return f"{status}"
        said = resolved(operation.responses.get(str(status)))
        if said is None:
            return f"{status} is not described"
        kinds = said.get("content", {})
        if not body:
            return None
        if media not in kinds:
            return f"{status} comes as {media!r}, described are {sorted(kinds)}"
        if not media.endswith("json"):
            return None
        schema = kinds[media].get("schema", {})
        if applied == "return=OperationOutcome":  # as the parameter `Prefer` says of a write
            schema = {"$ref": "#/components/schemas/OperationOutcome"}
        return self._misfit(operation.label, status, schema, body)

    def _misfit(self, label: str, status: int, schema: dict[str, Any], body: bytes) -> str | None:
        key = orjson.dumps(schema).decode()
        if key not in self._validators:
            whole = {**schema, "components": DOCUMENT["components"]}
            self._validators[key] = jsonschema_rs.validator_for(whole)
        for error in self._validators[key].iter_errors(orjson.loads(body)):
            return f"{label} {status}: {error.message[:300]} at {error.instance_path}"
        return None

"""The whole contract, tried from outside by schemathesis: every operation, every check it has.

In the suite each operation meets all that can be made of its parameters, headers and methods, and
a bounded number of bodies: what FHIR's schemas can make has no end. `FUZZ=1000 make test
ARGS=tests/contract/test_schemathesis.py` tries so many more of each operation (CONTRIBUTING.md).

No operation and no check is left out. What a check is told to expect beyond its own list:

* A FHIR body that fits its JSON Schema may still break a rule of FHIR or of this service
  (invariants, bindings, formats, references): 400, 409, 412 or 422.
* An id in a path that fits its schema is seldom one that exists: 404.
* `ALSO` names, operation by operation, what a schema cannot say.
"""

import copy
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from typing import Any

import orjson
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from tests.outside import ROOT, Tokens

DOCUMENT = orjson.loads((ROOT / "openapi" / "openapi.json").read_bytes())
METHODS = ("get", "post", "put", "patch", "delete")
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}
FHIR_JSON = "application/fhir+json"
FORM = "application/x-www-form-urlencoded"
BLANK = {"type": "string", "pattern": r"^\s*$"}
#: What valid data may be answered beside success, and why a schema cannot say so.
ALSO = {
    # A cursor is opaque and signed; dates have an order and a calendar.
    "GET /v1/work-queue": ["400"],
    "GET /v1/correspondence": ["400"],
    "GET /v1/organization-proposals": ["400"],
    "GET /v1/deliveries": ["400"],
    "GET /v1/deliveries.html": ["400"],
    "GET /v1/reports": ["400"],
    "GET /fhir/Questionnaire": ["400"],
    "POST /fhir/Questionnaire/_search": ["400"],
    # A patch of no operations, or one that does not fit the Task.
    "PATCH /fhir/Task/{id}": ["400", "409", "412", "422"],
    # Fifty endpoints are the most; a target that is not public is refused.
    # Text with control characters is refused wherever it stands in JSON.
    "POST /v1/webhook-endpoints": ["400", "409", "422"],
    "PATCH /v1/webhook-endpoints/{id}": ["400", "422"],
    # The example's own words are nobody's note.
    "POST /v1/correspondence/{id}/sent": ["400", "422"],
    "POST /v1/correspondence/{id}/release": ["400", "422"],
    "POST /v1/organization-proposals/{id}/confirm": ["400", "422"],
    "POST /v1/organization-proposals/{id}/reject": ["400", "422"],
    # A secret is right or wrong.
    "POST /oauth/token": ["400", "401"],
    "POST /oauth/introspect": ["400", "401"],
    # An id is taken or free; keys are keys, at a public address; scopes are somebody's to give.
    "GET /v1/clients": ["400"],
    "POST /v1/clients": ["400", "409", "422"],
    "PUT /v1/clients/{id}/keys": ["400", "422"],
    # The plan of an offer must be the caller's.
    "POST /fhir/HealthcareService": ["400", "403", "409", "412", "422"],
    "PUT /fhir/HealthcareService/{id}": ["400", "403", "409", "412", "422", "428"],
}
#: A search takes ten conditions, and a URL has a length: no schema of one parameter can say either.
ALSO |= {
    label: [*ALSO.get(label, ["400"]), "414"]
    for label, operation in OPERATIONS.items()
    if operation.get("x-fhir", {}).get("interaction") == "search-type"
}
#: How many bodies of each kind, and how many requests at random, each operation meets.
MANY = int(os.environ.get("FUZZ", "0"))
BODIES = MANY or 12
RANDOM = MANY or 6
#: Of what surrounds a body (a search has hundreds of combinations), spread evenly.
SURROUNDINGS = None if MANY else 100


def takes_fhir(operation: dict[str, Any]) -> bool:
    return FHIR_JSON in operation.get("requestBody", {}).get("content", {})


def whole() -> dict[str, Any]:
    """The contract with single values in its forms, where one value is a list of one, and with
    a blank `_total` or `:missing`, which is ignored.
    """
    document = copy.deepcopy(DOCUMENT)
    for item in document["paths"].values():
        for operation in (item[method] for method in METHODS if method in item):
            for one in operation.get("parameters", ()):
                if one.get("name", "").endswith(("_total", ":missing")):
                    one["schema"] = {"anyOf": [one["schema"], BLANK]}
            content = operation.get("requestBody", {}).get("content", {}).get(FORM, {})
            properties = content.get("schema", {}).get("properties", {})
            for name, one in properties.items():
                properties[name] = one.get("items", one)
            for name, values in content.get("example", {}).items():
                content["example"][name] = values[0] if isinstance(values, list) else values
    return document


def outline() -> dict[str, Any]:
    """The contract with its FHIR bodies reduced to their `resourceType`."""
    document = whole()
    for item in document["paths"].values():
        for operation in (item[method] for method in METHODS if method in item):
            if takes_fhir(operation):
                for content in operation["requestBody"]["content"].values():
                    content["schema"] = {
                        "type": "object",
                        "required": ["resourceType"],
                        "properties": {"resourceType": {"const": "Basic"}},
                    }
                    content.pop("examples", None)
    return document


def loaded(document: dict[str, Any]):
    fhir = [label for label, operation in OPERATIONS.items() if takes_fhir(operation)]
    accepted = {"expected-statuses": ["2xx", "304", "404"]}
    ruled = {"expected-statuses": ["2xx", "400", "404", "409", "412", "422"]}
    config = SchemathesisConfig.from_dict(
        {
            "seed": 20261123,
            "generation": {"allow-x00": True, "deterministic": True, "database": "none"},
            "checks": {
                "positive_data_acceptance": accepted,
                "missing_required_header": {"expected-statuses": ["4xx"]},
                # What is too long is not read: 414, whatever it holds.
                "negative_data_rejection": {"expected-statuses": ["4xx"]},
            },
            "operations": [
                {"include-name": label, "checks": {"positive_data_acceptance": ruled}}
                for label in fhir
                if label not in ALSO
            ]
            + [
                {
                    "include-name": label,
                    "checks": {
                        "positive_data_acceptance": {
                            "expected-statuses": ["2xx", "304", "404", *statuses]
                        }
                    },
                }
                for label, statuses in ALSO.items()
            ],
        }
    )
    return schemathesis.openapi.from_dict(document, config=config)


WHOLE, OUTLINE = loaded(whole()), loaded(outline())


def found(schema, label: str):
    method, _, path = label.partition(" ")
    return schema[path][method]


def client_of(label: str) -> str:
    """Who may: the plan's staff, but for what belongs to the organization that refers."""
    return "hospital" if OPERATIONS[label]["tags"] == ["Referrals"] else "staff-hpsm"


class Trial:
    """Sends cases of one operation and keeps what the checks say, each complaint once."""

    def __init__(self, url: str, tokens: Tokens) -> None:
        self._url, self._tokens = url, tokens
        self._session = requests.Session()
        self.complaints: dict[tuple[str, str, int], str] = {}
        self.sent = 0

    def send(self, case, label: str) -> None:
        headers = {}
        if OPERATIONS[label].get("security"):
            headers["Authorization"] = f"Bearer {self._tokens.of(client_of(label))}"
        self.sent += 1
        response = case.call(base_url=self._url, session=self._session, headers=headers)
        try:
            case.validate_response(
                response,
                headers=headers,
                transport_kwargs={
                    "base_url": self._url,
                    "session": self._session,
                    "headers": headers,
                },
            )
        except FailureGroup as group:
            for failure in group.exceptions:
                key = (type(failure).__name__, failure.title, response.status_code)
                said = f"{failure.title} ({response.status_code}): {failure.message}"
                self.complaints.setdefault(key, f"{said}\n{case.as_curl_command()}"[:3000])

    def conclude(self) -> None:
        assert self.sent
        assert not self.complaints, "\n\n".join(self.complaints.values())


@pytest.fixture
def trial(service_url, tokens) -> Trial:
    return Trial(service_url, tokens)


def covered(operation, *modes: GenerationMode) -> Iterator[Any]:
    schema = operation.schema
    config = schema.config.generation_for(operation=operation)
    return schema.iter_coverage_cases(
        operation, generation_modes=list(modes), generation_config=config
    )


@pytest.mark.parametrize("label", OPERATIONS)
def test_whatever_surrounds_a_body(trial, label):
    operation = found(OUTLINE, label)
    cases = list(covered(operation, GenerationMode.POSITIVE, GenerationMode.NEGATIVE))
    for case in cases[:: -(-len(cases) // (SURROUNDINGS or len(cases) or 1)) or 1]:
        trial.send(case, label)
    trial.conclude()


def of_bodies(label: str) -> Iterable[Any]:
    operation = found(WHOLE, label)
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        yield from islice(covered(operation, mode), BODIES)


@pytest.mark.parametrize("label", [each for each in OPERATIONS if takes_fhir(OPERATIONS[each])])
def test_bodies(trial, label):
    for case in of_bodies(label):
        trial.send(case, label)
    trial.conclude()


@pytest.mark.parametrize("label", OPERATIONS)
def test_examples_and_anything_else(trial, label):
    # A random body of FHIR's recursive schemas takes a second to make: in the suite the bodies of
    # `test_bodies`, in a longer run these too.
    operation = found(WHOLE if MANY else OUTLINE, label)
    limits = settings(
        max_examples=RANDOM,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    for strategy in found(WHOLE, label).get_strategies_from_examples():
        given(strategy)(settings(limits, max_examples=1)(lambda case: trial.send(case, label)))()
    for mode in GenerationMode:
        strategy = operation.as_strategy(generation_mode=mode)
        with suppress(Unsatisfiable):  # nothing breaks a schema that takes any text
            given(strategy)(limits(lambda case: trial.send(case, label)))()
    trial.conclude()

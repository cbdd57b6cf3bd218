"""Network and rosters: who serves whom, where there is room, and whom a plan knows.

Everybody with the scope reads the network; a roster is its plan staff's alone, and what came with a
referral its parties'. The rules of writing are `app.api.directory_write`.
"""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.caller import CallerDep
from app.api.capability import fhir
from app.api.contract.bodies import created, fhir_body, fhir_response, versioned
from app.api.contract.responses import errors
from app.api.deployment import Connection
from app.api.directory_write import create, update
from app.api.reads import add_reading
from app.fhir.outcome import FHIR_JSON
from app.store.directory.second_word import accepted

router = APIRouter()

_ROSTER = (
    "For plan staff with `nwd/roster`, of their own plan. What the rules know of the member "
    "follows from it at once."
)
_NETWORK = "For plan staff with `nwd/network`, of their own plan's network."
_PROVIDER = (
    "For plan staff with `nwd/network`. An existing Organization is changed by a plan that "
    "contracts with it (has an active offer of it, or made it); one that is a plan, by that plan. "
    "An NPI is one Organization's: 409 names the one that has it. Where other plans contract with "
    "it too, or a client of its own can speak for it, an update that changes its name (alias), "
    "address (telecom, contact) or NPI is answered with 202 and waits, whole, for a second word: "
    "see `/v1/organization-proposals`."
)
_TYPES: dict[str, tuple[list[str], str]] = {
    "Organization": (["organization"], _PROVIDER),
    "HealthcareService": (
        ["healthcare-service"],
        _NETWORK
        + " The offer's own organization may update its capacity, status and hours. `taken` in "
        "an update counts all places taken, as a read shows it.",
    ),
    "Patient": (["patient"], _ROSTER),
    "Coverage": (["coverage"], _ROSTER),
    "QuestionnaireResponse": (["questionnaire-response"], _ROSTER),
}


#: An update of an organization that waits for a second word.
_WAITS: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Accepted, and nothing changed yet: it waits for a second word.",
        "headers": {
            "Location": {
                "description": "The proposal, where the second word is given",
                "schema": {"type": "string"},
            }
        },
        "content": {
            FHIR_JSON: {
                "schema": {"$ref": "#/components/schemas/OperationOutcome"},
                "example": accepted(["name", "address"], "staff of HPSJ with nwd/network"),
            }
        },
    }
}


def _add_writing(kind: str, examples: list[str], said: str) -> None:
    async def create_one(request: Request, caller: CallerDep, connection: Connection) -> Response:
        return await create(request, connection, caller, kind)

    async def update_one(
        id: str,
        request: Request,
        caller: CallerDep,
        connection: Connection,
    ) -> Response:
        return await update(request, connection, caller, kind, id)

    failures = errors(400, 403, 409, 422)
    made = fhir_response(kind, examples, "The resource under its id.", created())
    router.add_api_route(
        f"/fhir/{kind}",
        create_one,
        methods=["POST"],
        operation_id=f"create{kind}",
        summary=f"Create a {kind}",
        description=said,
        tags=["Directory"],
        status_code=201,
        responses={201: made, **failures},
        openapi_extra={**fhir_body(kind, examples), **fhir(kind, interaction="create")},
    )
    router.add_api_route(
        f"/fhir/{kind}/{{id}}",
        update_one,
        methods=["PUT"],
        operation_id=f"update{kind}",
        summary=f"Update a {kind}, or create it under your id",
        description=said + " `If-Match` guards a version.",
        tags=["Directory"],
        responses={
            200: fhir_response(kind, examples, "The new version.", versioned()),
            201: made,
            **(_WAITS if kind == "Organization" else {}),
            **failures,
            **errors(404, 412),
        },
        openapi_extra={
            **fhir_body(kind, examples),
            **fhir(kind, interaction="update", creates=True),
        },
    )


for _kind, (_examples, _said) in _TYPES.items():
    if _kind != "QuestionnaireResponse":  # read beside the referral: app.api.read_routes
        add_reading(router, _kind, "Directory", _examples)
    _add_writing(_kind, _examples, _said)

"""Reads of resources that come with a referral and that no rule reads, kept as they were sent.

A Bundle may bring a Practitioner or a Procedure beside the facts. The response to the Bundle says
where each resource is; the parties of the referral read it here. There is no search, because a
party that has the referral has the references.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor

from app.api.caller import CallerDep
from app.api.capability import fhir_each
from app.api.contract.bodies import in_query
from app.api.reads import answer_read, answer_vread, read_responses
from app.fhir.bundle import CARRIED
from app.store.reading.subset import IN_READS

router = APIRouter()


class _Carried(StringConvertor):
    """Matches one of these types in a path, and nothing else."""

    regex = "|".join(CARRIED)


register_url_convertor("carried", _Carried())

_Kind = Annotated[
    str, Path(description="The resource's type.", json_schema_extra={"enum": list(CARRIED)})
]
_RESPONSES = read_responses("Resource", ["practitioner"])


@router.get(
    "/fhir/{kind:carried}/{id}",
    operation_id="readCarried",
    summary="Read what else came with a referral",
    description="A resource that no rule reads, such as the Practitioner who refers, as it was "
    "sent. What is not the caller's to see is 404.",
    tags=["Referrals"],
    responses=_RESPONSES,
    openapi_extra={
        "parameters": in_query(IN_READS),
        **fhir_each(CARRIED, interaction="read", not_match=True),
    },
)
async def read_carried(kind: _Kind, id: str, request: Request, caller: CallerDep) -> Response:
    """For the parties of the referral that it came with."""
    return await answer_read(request, caller, kind, id)


@router.get(
    "/fhir/{kind:carried}/{id}/_history/{version}",
    operation_id="readVersionOfCarried",
    summary="Read one version of what else came with a referral",
    description="As it was stored then; a transaction's response points here.",
    tags=["Referrals"],
    responses=_RESPONSES,
    openapi_extra={
        "parameters": in_query(IN_READS),
        **fhir_each(CARRIED, interaction="vread"),
    },
)
async def read_version_of_carried(
    kind: _Kind,
    id: str,
    version: str,
    request: Request,
    caller: CallerDep,
) -> Response:
    """Reads one version of a carried resource."""
    return await answer_vread(request, caller, kind, id, version)

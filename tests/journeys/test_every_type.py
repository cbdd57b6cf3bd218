"""Whatever R4 resource comes along, the referral is taken or told what is wrong: never a 500.

The resources are made from the element tables (tests/edge/made.py), each seed others; several go
together in one request, so that every type is tried at every door in a few hundred requests.
"""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from app.fhir.bundle import CARRIED
from tests.edge.made import TYPES, valid_resource
from tests.journeys.payloads import a_bundle, a_referral, incomplete

#: What a Bundle of a referral does not take beside the request, or only about it.
_ALONE = {"Bundle", "ServiceRequest", "Task"}


def about(resource: dict[str, Any], member: str) -> dict[str, Any]:
    """The same, where it speaks of a Patient about this member: so that it is read."""
    return orjson.loads(orjson.dumps(resource).replace(b'"Patient/1"', orjson.dumps(member)))


def made(seed: int, kinds=TYPES) -> list[dict[str, Any]]:
    found = (valid_resource(kind, seed) for kind in kinds)
    return [one for one in found if one is not None]


def batched(items: list[Any], size: int) -> Iterator[list[Any]]:
    return (items[start : start + size] for start in range(0, len(items), size))


async def answered(service, where, body, by="hospital"):
    answer = await service.ask(by, "POST", where, body)
    assert answer.status_code < 500, (where, orjson.dumps(body))
    return answer.status_code


@pytest.mark.parametrize("seed", range(1))
async def test_contained(service, seed):
    """In `$check` and in intake, eight types at a time."""
    statuses = set()
    for some in batched(made(seed), 8):
        body = a_referral()
        body["contained"] += [
            {**about(one, "#patient"), "id": f"c{n}"} for n, one in enumerate(some)
        ]
        for where in ("/fhir/ServiceRequest/$check", "/fhir/ServiceRequest"):
            statuses.add(await answered(service, where, body))
    assert {200, 201} <= statuses


@pytest.mark.parametrize("seed", range(1, 2))
async def test_as_an_entry(service, seed):
    statuses = set()
    kinds = [kind for kind in TYPES if kind not in _ALONE]
    for some in batched(made(seed, kinds), 8):
        patient = {"resourceType": "Patient"}
        names = [f"urn:uuid:00000000-0000-4000-8000-00000000000{n}" for n in range(len(some) + 2)]
        others = [patient, *(about(one, names[0]) for one in some)]
        body = a_bundle(incomplete(), *others, urns=names)
        for where in ("/fhir/ServiceRequest/$check", "/fhir"):
            statuses.add(await answered(service, where, body))
    assert 200 in statuses


@pytest.mark.parametrize("seed", range(2, 3))
async def test_added_later(service, seed):
    referral = await service.refer(incomplete())
    statuses = set()
    where = f"/fhir/ServiceRequest/{referral}/$add-information"
    for some in batched(made(seed), 8):
        parts = [{"name": "resource", "resource": one} for one in some]
        body = {"resourceType": "Parameters", "parameter": parts}
        statuses.add(await answered(service, where, body))
    kinds = (*CARRIED, "Condition", "Encounter", "Observation", "QuestionnaireResponse")
    for one in made(seed, kinds):
        parts = [{"name": "resource", "resource": one}]
        body = {"resourceType": "Parameters", "parameter": parts}
        statuses.add(await answered(service, where, body))
    assert 200 in statuses

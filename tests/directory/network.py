"""Organizations of the network as tests put them together and change them."""

from app.model.caller import Caller
from tests.reading.scene import HOSPITAL, OTHER_STAFF, STAFF, STAFF_SCOPES

THIRD_STAFF = Caller("staff-ccah", "plan-ccah", "CCAH", STAFF_SCOPES)
NPI = "http://hl7.org/fhir/sid/us-npi"
PLAN = "https://nowrongdoor.example/fhir/sid/plan"
TIDEPOOL = "Organization/org-tidepool"
FOGHORN = "Organization/org-foghorn"


def organization(id_=None, *npis, **more):
    made = {"resourceType": "Organization", "name": "One", **more}
    if id_ is not None:
        made["id"] = id_
    if npis:
        made["identifier"] = [
            npi if isinstance(npi, dict) else {"system": NPI, "value": npi} for npi in npis
        ]
    return made


async def stored(world, path):
    return (await world.get(HOSPITAL, path)).json()


async def change(world, caller, path, headers=None, **elements):
    """The caller puts an organization back with these elements changed."""
    body = {**await stored(world, path), **elements}
    kept = {name: value for name, value in body.items() if value is not None}
    return await world.send(caller, "PUT", path, kept, **(headers or {}))


async def offered_by(world, plan, organization, **more):
    """The plan adds an offer of the organization."""
    offer = await stored(world, "HealthcareService/offer-tidepool-ecm")
    offer |= {"id": f"offer-{plan}", "providedBy": {"reference": organization}, **more}
    offer["program"][0]["coding"][0]["code"] = plan
    caller = {"HPSM": STAFF, "HPSJ": OTHER_STAFF, "CCAH": THIRD_STAFF}[plan]
    answer = await world.send(caller, "PUT", f"HealthcareService/{offer['id']}", offer)
    assert answer.status_code in (200, 201), answer.text

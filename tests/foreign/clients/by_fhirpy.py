"""fhirpy: create, read, search page by page, a conditional create, and what is not there."""

import json
import sys

from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome, ResourceNotFound

told = json.load(sys.stdin)
client = SyncFHIRClient(told["base"], authorization=f"Bearer {told['token']}")
seen = {}

made = []
for referral in told["referrals"]:
    resource = client.resource("ServiceRequest", **referral)
    resource.save()
    made.append(resource.id)
seen["made"] = len(set(made))
read = client.reference("ServiceRequest", made[0]).to_resource()
seen["read"] = read.id == made[0]
found = client.resources("ServiceRequest").limit(2).fetch_all()
seen["found"] = len({one.id for one in found} & set(made))
by_member = client.resources("ServiceRequest").search(
    **{"patient.identifier": f"{told['cin_system']}|{told['cins'][0]}"}
)
seen["by_member"] = [one.id for one in by_member.fetch()] == [made[0]]
again = told["referrals"][0]
key = again["identifier"][0]
existing, created = (
    client.resources("ServiceRequest")
    .search(identifier=f"{key['system']}|{key['value']}")
    .get_or_create(client.resource("ServiceRequest", **again))
)
seen["conditional"] = [existing.id == made[0], created]
try:
    client.reference("ServiceRequest", "nothing-here").to_resource()
except ResourceNotFound:
    seen["missing"] = 404
try:
    client.resource("ServiceRequest", status="active").save()
except OperationOutcome as outcome:
    seen["refused"] = outcome.resource["resourceType"]
sys.stdout.write(json.dumps(seen))

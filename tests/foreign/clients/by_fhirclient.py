"""fhirclient (SMART): reads the capability statement, creates, reads, pages, and meets a 404."""

import json
import sys

from fhirclient import client, server
from fhirclient.models.servicerequest import ServiceRequest

told = json.load(sys.stdin)
smart = client.FHIRClient(settings={"app_id": "hospital", "api_base": told["base"]})
smart.server.get_capability()
seen = {"oauth": smart.server.auth is not None and smart.server.auth.auth_type}
smart.server.auth = None
smart.server.session.headers["Authorization"] = f"Bearer {told['token']}"

made = []
for referral in told["referrals"]:
    answer = ServiceRequest(referral).create(smart.server)
    made.append(answer["id"])
seen["made"] = len(set(made))
read = ServiceRequest.read(made[0], smart.server)
seen["read"] = read.id == made[0]
pages = ServiceRequest.where({"_count": "2"}).perform_resources_iter(smart.server)
seen["found"] = len({one.id for one in pages} & set(made))
try:
    ServiceRequest.read("nothing-here", smart.server)
except server.FHIRNotFoundException:
    seen["missing"] = 404
sys.stdout.write(json.dumps(seen))

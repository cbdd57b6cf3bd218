"""The journey with openapi-generator's Python client."""

import json
import sys

import nwd

told = json.load(sys.stdin)
settings = nwd.Configuration(host=told["base"])
access = nwd.AccessApi(nwd.ApiClient(settings))
token = access.request_token(
    grant_type="client_credentials", client_id=told["client"], client_secret=told["secret"]
)
settings.access_token = token.access_token
client = nwd.ApiClient(settings)
referrals = nwd.ReferralsApi(client)
made = referrals.create_referral(nwd.ServiceRequest.from_dict(told["referral"]))
read = referrals.read_service_request(made.id)
found = nwd.ProvidersApi(client).search_task(focus=[f"ServiceRequest/{made.id}"], count=5)
tasks = [entry.resource.to_dict() for entry in found.entry]
seen = {
    "read": read.id == made.id,
    "contained": [one.resource_type for one in read.contained],
    "task": tasks[0]["focus"]["reference"] == f"ServiceRequest/{made.id}",
}
sys.stdout.write(json.dumps(seen))

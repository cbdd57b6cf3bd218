"""The journey with openapi-python-client's client."""

import json
import sys

from nwd import AuthenticatedClient, Client
from nwd.api.access import request_token
from nwd.api.providers import search_task
from nwd.api.referrals import create_referral, read_service_request
from nwd.models import RequestTokenBody, ServiceRequest

told = json.load(sys.stdin)
asked = RequestTokenBody.from_dict(
    {
        "grant_type": "client_credentials",
        "client_id": told["client"],
        "client_secret": told["secret"],
    }
)
token = request_token.sync(client=Client(told["base"]), body=asked)
client = AuthenticatedClient(told["base"], token.access_token)
made = create_referral.sync(client=client, body=ServiceRequest.from_dict(told["referral"]))
read = read_service_request.sync(made.id, client=client)
found = search_task.sync(client=client, focus=[f"ServiceRequest/{made.id}"], field_count=5)
task = found.entry[0].resource.to_dict()
seen = {
    "read": read.id == made.id,
    "contained": [one.resource_type for one in read.contained],
    "task": task["focus"]["reference"] == f"ServiceRequest/{made.id}",
}
sys.stdout.write(json.dumps(seen))

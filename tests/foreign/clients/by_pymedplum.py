"""pymedplum: its own login by a secret, at our token path; create, read, search, a 404."""

import json
import sys

from pymedplum import MedplumClient
from pymedplum.exceptions import NotFoundError

told = json.load(sys.stdin)
root = told["base"].removesuffix("fhir")
client = MedplumClient(
    root,
    client_id=told["client"],
    client_secret=told["secret"],
    fhir_url_path="fhir/",
    allow_insecure_http=True,
)
client._tokens.token_url = f"{root}oauth/token"
seen = {}

made = [client.create_resource(one)["id"] for one in told["referrals"]]
seen["made"] = len(set(made))
seen["read"] = client.read_resource("ServiceRequest", made[0])["id"] == made[0]
bundle = client.search_resources("ServiceRequest", {"_count": "50"})
seen["found"] = set(made) <= {entry["resource"]["id"] for entry in bundle["entry"]}
try:
    client.read_resource("ServiceRequest", "nothing-here")
except NotFoundError:
    seen["missing"] = 404
sys.stdout.write(json.dumps(seen))

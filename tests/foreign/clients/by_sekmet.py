"""sekmet-fhir: its own login by private_key_jwt, with each kind of key; create, read, page, 404."""

import json
import sys

from sekmet.client.peer import PeerClient
from sekmet.config import Peer, PeerAuth

told = json.load(sys.stdin)
seen = {"made": 0}
for number, (algorithm, key) in enumerate(sorted(told["keys"].items())):
    auth = PeerAuth(
        type="smart",
        client_id=told["client"],
        private_key_path=key["file"],
        kid=key["kid"],
        alg=algorithm,
        scope="system/ServiceRequest.read system/ServiceRequest.write",
    )
    peer = PeerClient("nwd", Peer(base_url=told["base"], auth=auth))
    made = [peer.create(one).location[1] for one in told["referrals"][number::2]]
    seen["made"] += len(set(made))
    seen["read"] = peer.read("ServiceRequest", made[0]).resource["id"] == made[0]
    found = {one["id"] for one in peer.search_all("ServiceRequest", {"_count": "2"})}
    seen["found"] = set(made) <= found
    seen["missing"] = peer.read("ServiceRequest", "nothing-here").status
    peer.close()
sys.stdout.write(json.dumps(seen))

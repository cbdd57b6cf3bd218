"""smart-fetch: its own login by private_key_jwt; it reads one referral, which it cannot make."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

told = json.load(sys.stdin)
request = urllib.request.Request(
    f"{told['base']}/ServiceRequest",
    json.dumps(told["referrals"][0]).encode(),
    {"Content-Type": "application/fhir+json", "Authorization": f"Bearer {told['token']}"},
)
with urllib.request.urlopen(request) as answer:
    made = json.load(answer)["id"]
program = Path(sys.executable).with_name("smart-fetch")
command = [program, "single", f"ServiceRequest/{made}", "--fhir-url", told["base"], "--compact"]
login = ["--smart-client-id", told["client"], "--smart-key", told["keys"]["RS384"]["jwks"]]
done = subprocess.run([*command, *login], capture_output=True, text=True, check=False)
sys.stderr.write(done.stderr)
sys.stdout.write(json.dumps({"read": json.loads(done.stdout)["id"] == made}))

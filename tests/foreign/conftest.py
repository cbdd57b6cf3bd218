"""The running service, and a way to let a program of somebody else's talk to it."""

import json
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.callers.signer import BY, jwks
from tests.journeys.payloads import CIN, EXTRA, a_referral
from tests.outside import ROOT, Tokens, served
from tests.postgres import token

CACHE = ROOT / ".ci-cache" / "foreign"
CLIENTS = Path(__file__).parent / "clients"


@pytest.fixture(scope="session")
def service_url(cluster, tmp_path_factory) -> str:
    log = tmp_path_factory.mktemp("service") / "log"
    with served(cluster.create(token()), log) as url:
        yield url


@pytest.fixture
def let_try(service_url, registered):
    """Runs a client's script with the service's address, a token, what it needs to log in itself,
    and a few referrals to send.

    It prints what it saw as one line of JSON.
    """

    def run(script: str, members: range) -> dict:
        told = {
            "base": f"{service_url}/fhir",
            "token": Tokens(service_url).of("hospital"),
            **registered,
            "cin_system": CIN,
            "cins": [EXTRA[number] for number in members],
            "referrals": [
                a_referral(EXTRA[number], identifier=f"{script}-{number}") for number in members
            ],
        }
        return run_script(script, told)

    return run


@pytest.fixture(scope="session")
def registered(service_url, tmp_path_factory) -> dict:
    """A client that the plan's staff registered: its id, secret, and keys by algorithm."""
    folder = tmp_path_factory.mktemp("keys")
    wanted = {
        "id": "foreign",
        "organization": "org-harbor-lantern",
        "jwks": jwks(*BY.values()),
        "secret": True,
    }
    request = urllib.request.Request(
        f"{service_url}/v1/clients",
        json.dumps(wanted).encode(),
        {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {Tokens(service_url).of('staff-hpsm')}",
        },
    )
    with urllib.request.urlopen(request) as answer:
        secret = json.load(answer)["secret"]
    keys = {}
    for algorithm, key in BY.items():
        file, own = folder / f"{algorithm}.pem", folder / f"{algorithm}.jwks"
        file.write_bytes(key.as_pem(private=True))
        with_use = {**key.as_dict(private=True), "alg": algorithm, "key_ops": ["sign"]}
        own.write_text(json.dumps({"keys": [with_use]}))
        keys[algorithm] = {"kid": key.kid, "file": str(file), "jwks": str(own)}
    return {"client": "foreign", "secret": secret, "keys": keys}


def run_script(script: str, told: dict) -> dict:
    python = CACHE / "python" / "bin" / "python"
    program = str(python) if script.endswith(".py") else "node"
    # Node finds modules beside the script that imports them: the script is read there.
    path = CLIENTS / script
    if program == "node":
        path = CACHE / script
        path.write_text((CLIENTS / script).read_text())
    done = subprocess.run(
        [program, str(path)],
        input=json.dumps(told),
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, "NO_PROXY": "127.0.0.1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])

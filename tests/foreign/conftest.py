"""The running service, and a way to let a program of somebody else's talk to it."""

import json
import os
import subprocess
from pathlib import Path

import pytest

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
def let_try(service_url):
    """Runs a client's script with the service's address, a token and a few referrals to send.

    It prints what it saw as one line of JSON.
    """

    def run(script: str, members: range) -> dict:
        told = {
            "base": f"{service_url}/fhir",
            "token": Tokens(service_url).of("hospital"),
            "cin_system": CIN,
            "cins": [EXTRA[number] for number in members],
            "referrals": [
                a_referral(EXTRA[number], identifier=f"{script}-{number}") for number in members
            ],
        }
        return run_script(script, told)

    return run


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

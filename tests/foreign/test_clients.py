"""Other people's clients, as they come from PyPI and npm, against the running service."""

import base64
import time

import pytest

from app.journey.notification.secrets import headers
from tests.foreign.conftest import run_script

pytestmark = pytest.mark.foreign


def test_fhirpy(let_try):
    seen = let_try("by_fhirpy.py", range(5))
    assert seen == {
        "made": 5,
        "read": True,
        "found": 5,
        "by_member": True,
        "conditional": [True, False],
        "missing": 404,
        "refused": "OperationOutcome",
    }


def test_fhirclient(let_try):
    seen = let_try("by_fhirclient.py", range(5, 10))
    assert seen == {"oauth": "oauth2", "made": 5, "read": True, "found": 5, "missing": 404}


def test_fhir_kit_client(let_try, service_url):
    seen = let_try("by_fhir_kit.js", range(10, 15))
    assert seen == {
        "token": f"{service_url}/oauth/token",
        "made": 5,
        "read": True,
        "version": "1",
        "history": "history",
        "found": 5,
        "by_form": 1,
        "conditional": True,
        "stale": 412,
        "missing": 404,
    }


def test_medplum(let_try):
    seen = let_try("by_medplum.js", range(15, 20))
    assert seen == {
        "made": 5,
        "read": True,
        "found": 5,
        "conditional": True,
        "history": "history",
        "missing": "not-found",
    }


def test_sekmet_logs_in_with_each_kind_of_key(let_try):
    seen = let_try("by_sekmet.py", range(20, 24))
    assert seen == {"made": 4, "read": True, "found": True, "missing": 404}


def test_pymedplum_logs_in_with_a_secret(let_try):
    seen = let_try("by_pymedplum.py", range(24, 26))
    assert seen == {"made": 2, "read": True, "found": True, "missing": 404}


def test_medplum_logs_in_with_a_secret_and_with_a_key(let_try):
    assert let_try("by_medplum_login.js", range(26, 30)) == {"made": 4, "read": True}


def test_smart_fetch_logs_in_with_a_key(let_try):
    assert let_try("by_smart_fetch.py", range(30, 31)) == {"read": True}


def test_the_verifiers_of_standard_webhooks_and_svix():
    secret, next_secret = ("whsec_" + base64.b64encode(c * 32).decode() for c in (b"k", b"n"))
    body = b'{"type": "referral.approved", "data": {"note": "caf\xc3\xa9"}}'
    # In a rotation both secrets sign: the receiver may hold either.
    signed = headers([next_secret, secret], "msg_1", int(time.time()), body)
    verdict = ["referral.approved", "refused"]
    for held in (secret, next_secret):
        told = {"secret": held, "headers": signed, "body": body.decode()}
        assert run_script("verify_webhook.js", told) == {"standard": verdict, "svix": verdict}

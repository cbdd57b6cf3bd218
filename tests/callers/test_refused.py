"""What is said of a refused login in the log and the metrics, and that it holds no secret."""

import logging

import pytest
from prometheus_client import REGISTRY

from tests.callers.signer import STRANGER, claims, form, signed

FORM = {"grant_type": "client_credentials"}


def counted(way: str) -> float:
    return REGISTRY.get_sample_value("nwd_logins_refused_total", {"way": way}) or 0


@pytest.mark.parametrize(
    ("sent", "client", "way"),
    [
        ({**FORM, "client_id": "hospital", "client_secret": "guessed"}, "hospital", "secret"),
        ({**FORM, "client_id": "9000000XA", "client_secret": "guessed"}, "unknown", "secret"),
        ("ehr", "ehr", "assertion"),
        ("9000000XA", "unknown", "assertion"),
    ],
)
async def test_a_refused_login_is_logged_and_counted(http, caplog, sent, client, way):
    data = sent
    if isinstance(sent, str):
        data = form(signed(claims(sent, http.url), key=STRANGER["ES384"]))
    before = counted(way)
    with caplog.at_level(logging.WARNING, "app.api.authenticate"):
        assert (await http.post("/oauth/token", data=data)).status_code == 401
    (line,) = [one for one in caplog.records if one.message == "login refused"]
    assert (line.client, line.peer) == (client, "127.0.0.1")
    assert "9000000XA" not in str(vars(line))
    assert "guessed" not in str(vars(line))
    assert counted(way) == before + 1

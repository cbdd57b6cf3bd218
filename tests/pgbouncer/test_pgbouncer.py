"""All that the service does, behind PgBouncer with fewer sessions than the service has connections.

No statement may count on the session of the one before it: with four sessions for some forty
clients, a setting or a prepared statement left in one is met by others, or missing, within seconds.
"""

import asyncio

import asyncpg
import pytest

from app.api.deployment import deployment_of
from app.journey.waitlist import recount
from tests.journeys.payloads import (
    EXTRA,
    REASON,
    a_referral,
    because,
    hopeless,
    incomplete,
    parameters,
)
from tests.pgbouncer.conftest import SESSIONS, sessions
from tests.service.scene import put, service_task

pytestmark = [pytest.mark.pgbouncer, pytest.mark.timeout(300)]

EXCEPTION = {"valueCoding": {"system": REASON, "code": "exception-granted"}}
#: Twelve of each kind, each about a member of its own.
KINDS = {"approved": a_referral, "refused": hopeless, "asked": incomplete}


async def refer(service):
    """All referrals at once; the ids by kind."""
    bodies = [(kind, KINDS[kind](EXTRA[n])) for n, kind in enumerate([*KINDS] * 12)]
    ids = await asyncio.gather(*(service.refer(body) for _, body in bodies))
    return {kind: [i for i, (k, _) in zip(ids, bodies, strict=True) if k == kind] for kind in KINDS}


async def read(service, referrals):
    """What each client sees while others write, over and over."""
    for referral in referrals:
        for by, path in (
            ("hospital", f"/fhir/ServiceRequest/{referral}"),
            ("hospital", f"/fhir/Task?focus=ServiceRequest/{referral}"),
            ("staff-hpsm", "/v1/work-queue"),
            ("staff-hpsm", f"/v1/deliveries?referral={referral}"),
            ("hospital", f"/v1/referrals/{referral}/timeline"),
            ("hospital", "/fhir/ServiceRequest?status=active&_count=5"),
        ):
            answer = await service.ask(by, "GET", path)
            assert answer.status_code == 200, answer.text


async def decide(service, referral, operation):
    why = EXCEPTION if operation == "approve" else because("no-population")
    body = parameters(reason=why, note="Seen.")
    answer = await service.do("staff-hpsm", operation, referral, body)
    assert answer.status_code == 200, answer.text


async def accept(service, referral):
    by = "ecm-provider"
    answer = await put(service, by, await service_task(service, referral), "accepted")
    assert answer.status_code == 200, answer.text


async def settled(service):
    """Until no delivery waits; (state, number) of all."""
    while True:
        rows = await service.rows("SELECT state, count(*) FROM delivery GROUP BY 1")
        if rows and {state for state, _ in rows} <= {"delivered", "dead"}:
            return rows


async def test_a_whole_day_behind_a_pooler(pooled):
    service, receiver = pooled, pooled.receiver
    for client in ("hospital", "ecm-provider", "staff-hpsm"):
        await service.listen(receiver, client, client)
    async with service.delivering():
        referrals = await refer(service)
        approved, refused, asked = referrals["approved"], referrals["refused"], referrals["asked"]
        await asyncio.gather(
            *(accept(service, one) for one in approved),
            *(decide(service, one, "approve") for one in refused[:6]),
            *(decide(service, one, "deny") for one in refused[6:]),
            *(read(service, some) for some in (approved[:4], refused[:4], asked[:4])),
        )
        names = await sessions(service.at_database)
        await settled(service)
        service.later(days=60)  # whoever was asked has not answered
        while await service.rows("SELECT FROM referral WHERE state = 'pending'"):
            pass
        ((state, number),) = await settled(service)
    ((messages,),) = await service.rows("SELECT count(*) FROM message")
    assert (state, number >= messages) == ("delivered", True)
    assert len({each.id for each in receiver.at("staff-hpsm")}) == messages
    states = dict(await service.rows("SELECT state, count(*) FROM referral GROUP BY 1"))
    assert states == {"approved": 18, "denied": 6, "void": 12}
    assert [await service.words(one) for one in asked] == [["void"]] * 12
    assert await recount(deployment_of(service.app).database) == []
    listening = names.count("no-wrong-door listens")
    assert listening == bool(service.settings.database_listen_url)
    assert 0 < len(names) - listening <= SESSIONS


async def test_the_login_of_the_service_may_not_change_history(pooled):
    await pooled.refer(a_referral(EXTRA[0]))
    database = deployment_of(pooled.app).database
    for statement in ("DELETE FROM referral_history", "UPDATE determination SET outcome = ''"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await database.execute(statement)

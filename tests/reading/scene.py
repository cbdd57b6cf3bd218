"""A small stored world: referrals as rows and bodies, and callers who look at them over HTTP."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import orjson
from sqlalchemy import insert

from app.api.deployment import deployment_of
from app.base.ids import new_id
from app.main import create_app
from app.model.caller import DECIDE, NETWORK, ROSTER, Caller
from app.store.directory.load import load_resources
from app.store.reading.words import words
from app.store.tables.decision import service_authorization
from app.store.tables.referral import (
    locator,
    party,
    referral,
    referral_business_identifier,
    resource_set,
    task,
)
from tests.deployed import start
from tests.postgres import run
from tests.rosters import read_files

DATA = Path(__file__).parents[2] / "demo" / "data"
START = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
CIN = "https://nowrongdoor.example/fhir/sid/cin"
SERVICE = "https://nowrongdoor.example/fhir/CodeSystem/calaim-service"

HOSPITAL = Caller("hospital", "org-harbor-lantern", None, frozenset({"system/*.cruds"}))
PROVIDER = Caller("ecm-provider", "org-tidepool", None, frozenset({"system/*.cruds"}))
STRANGER = Caller("community", "org-open-gate", None, frozenset({"system/*.cruds"}))
STAFF_SCOPES = frozenset({"system/*.cruds", DECIDE, ROSTER, NETWORK})
STAFF = Caller("staff-hpsm", "plan-hpsm", "HPSM", STAFF_SCOPES)
OTHER_STAFF = Caller("staff-hpsj", "plan-hpsj", "HPSJ", STAFF_SCOPES)


async def load(database):
    """Network and roster of the demonstration."""
    async with database.begin() as connection:
        resources = read_files(DATA / "network.ndjson", DATA / "roster.ndjson")
        return await load_resources(connection, resources, START)


@dataclass
class World:
    """Writes referrals and asks the service about them."""

    database: object
    settings: object
    client: httpx.AsyncClient = None
    tokens: dict = field(default_factory=dict)

    def __post_init__(self):
        app = create_app(self.settings)
        start(app, self.database)
        self.app = app
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=app), base_url="http://test"
        )

    def headers(self, caller, **more):
        token = self.tokens.get(caller)
        if token is None:
            token = self.tokens[caller] = deployment_of(self.app).tokens.issue(caller, time.time())
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {"Authorization": f"Bearer {token}", **named}

    async def get(self, caller, path, params=None, **headers):
        return await self.client.get(
            f"/fhir/{path}", params=params, headers=self.headers(caller, **headers)
        )

    async def send(self, caller, method, path, body, **headers):
        return await self.client.request(
            method,
            f"/fhir/{path}",
            content=body if isinstance(body, bytes) else orjson.dumps(body),
            headers=self.headers(caller, Content_Type="application/fhir+json", **headers),
        )

    async def ids(self, caller, path, params=None):
        """The ids of the matches, in order."""
        answer = await self.get(caller, path, params)
        assert answer.status_code == 200, answer.text
        return matches(answer.json())

    async def refer(self, **options):
        return await refer(self.database, **options)


def matches(bundle):
    return [
        entry["resource"]["id"]
        for entry in bundle.get("entry", [])
        if entry["search"]["mode"] == "match"
    ]


def link(bundle, relation):
    return next((one["url"] for one in bundle["link"] if one["relation"] == relation), None)


def filled(table, values, at):
    """A row with something in every column that must have a value and matters to no search."""
    neutral = {int: 0, bool: False, str: "", datetime: at}
    needed = [column for column in table.columns if not column.nullable]
    return {column.name: neutral.get(column.type.python_type) for column in needed} | values


def stored(plan, referral_id, resource, at):
    """The row with one version of a resource of a referral, and nothing else."""
    version = int(resource["meta"]["versionId"])
    return {
        "plan": plan,
        "referral_id": referral_id,
        "version": version,
        "number": f"{resource['resourceType']}/{resource['id']}",
        "updated_at": at,
        "names": [resource["resourceType"] + resource["id"].removeprefix(referral_id)],
        "versions": [version],
        "bodies": [orjson.dumps(resource)],
        "words": [words(resource)],
    }


async def refer(
    database,
    *,
    at=START,
    plan="HPSM",
    state="approved",
    business_status="assigned",
    parties=(("org-harbor-lantern", "requester", None), ("org-tidepool", "performer", None)),
    cin="9000001XA",
    patient="patient-1",
    service="ECM",
    priority="urgent",
    number="HPSM-1",
    body=None,
    identifiers=(("urn:his", "R-1"),),
    copies=(),
    referral_id=None,
):
    """One referral with its Task, service Task, authorization and copies: type, part of the id,
    content. Returns its id."""
    referral_id = referral_id or new_id()
    rows = []

    def store(kind, resource_id, version, moment, content):
        content = {
            "resourceType": kind,
            "id": resource_id,
            "meta": {"versionId": str(version), "lastUpdated": moment.isoformat()},
            **content,
        }
        rows.append(
            (resource_set, stored(plan, referral_id, content, moment)),
        )
        if version == 1:
            rows.append(
                (
                    locator,
                    {"type": kind, "id": resource_id, "plan": plan, "referral_id": referral_id},
                )
            )

    later = at + timedelta(seconds=1)
    closed = business_status in ("completed", "unfulfilled")
    status = {"pending": "active", "approved": "completed" if closed else "active"}.get(
        state, "revoked"
    )
    request = {
        "status": status,
        "intent": "order",
        "priority": priority,
        "code": {"coding": [{"system": SERVICE, "code": service}]},
        "subject": {"reference": f"Patient/{patient}"},
        "authoredOn": at.isoformat(),
        "requester": {"reference": "Organization/org-harbor-lantern"},
        "performer": [{"reference": "HealthcareService/offer-tidepool-ecm"}],
        **(body or {}),
    }
    rows.append(
        (
            referral,
            {
                "plan": plan, "id": referral_id, "version": 2, "state": state,
                "business_status": business_status, "organization_id": "org-harbor-lantern",
                "service": service, "priority": priority, "intent": "order", "member_id": None,
                "cin": cin, "patient_id": patient, "county": "san_mateo", "received_at": at,
                "decision_due": at, "void_due": None, "overdue_told_at": None,
                "assignment": None, "offer_id": None, "holds_place": False,
                "performer_id": "org-tidepool", "asked_performer_id": None, "based_on": None,
                "announced": 0, "closed_at": None, "created_at": at, "updated_at": later,
                "details": "{}",
            },
        )
    )  # fmt: skip
    rows += [
        (
            party,
            {"plan": plan, "organization_id": organization, "referral_id": referral_id,
             "role": role,
             "since": at, "until": until},
        )
        for organization, role, until in parties
    ]  # fmt: skip
    rows += [
        (
            referral_business_identifier,
            {"plan": plan, "system": system, "value": value, "referral_id": referral_id},
        )
        for system, value in identifiers
    ]
    store("ServiceRequest", referral_id, 1, at, {**request, "status": "active"})
    store("ServiceRequest", referral_id, 2, later, request)
    service_task = f"{referral_id}.t"
    for kind, task_id, asks, owner, task_status in (
        ("referral", referral_id, "org-harbor-lantern", "plan-hpsm", "accepted"),
        ("service", service_task, "plan-hpsm", "org-tidepool", "requested"),
    ):
        rows.append(
            (
                task,
                {"plan": plan, "id": task_id, "referral_id": referral_id, "kind": kind,
                 "status": task_status, "business_status": business_status, "owner_id": owner,
                 "version": 1, "updated_at": later},
            )
        )  # fmt: skip
        store(
            "Task",
            task_id,
            1,
            later,
            {
                "status": task_status,
                "code": {"coding": [{"code": "fulfill"}]},
                "requester": {"reference": f"Organization/{asks}"},
                "focus": {"reference": f"ServiceRequest/{referral_id}"},
                "authoredOn": at.isoformat(),
                "lastModified": later.isoformat(),
                "identifier": [{"system": "urn:his", "value": f"T-{kind}"}],
            },
        )
    if state == "approved" and number:
        rows.append(
            (
                service_authorization,
                {"plan": plan, "referral_id": referral_id, "number": number, "cin": cin,
                 "service": service, "performer_id": "org-tidepool", "starts_on": at.date(),
                 "ends_on": at.date(), "units": None, "previous_id": None, "status": "open",
                 "created_at": later, "updated_at": later},
            )
        )  # fmt: skip
        store(
            "ClaimResponse",
            referral_id,
            1,
            later,
            {
                "status": "active",
                "created": at.date().isoformat(),
                "identifier": [{"system": "urn:auth", "value": number}],
            },
        )
    for kind, part, content in copies:
        store(kind, f"{referral_id}.{part}", 1, at, content)
    async with database.begin() as connection:
        ordered = sorted(rows, key=lambda row: row[0] is not referral)
        for table, values in ordered:
            await run(connection, insert(table).values(**filled(table, values, at)))
    return referral_id

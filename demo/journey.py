"""One referral through all five stages, over HTTP as a hospital's system would, told in words."""

import asyncio
import queue
import re
import time
from datetime import UTC, datetime
from typing import Any

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.tree import Tree

from app.base.settings import Settings
from app.store.clients import DEMONSTRATION, demonstration_secret
from app.store.database import Database
from app.store.directory.load import load_resources
from demo.receiver import Arrived, Receiver
from demo.referral import NewMember, hospital_bundle, new_member, roster_entry

_COLOURS = {"Met": "green", "Yes": "green", "Not met": "red", "No": "red", "Not known": "yellow"}
_RESULT = re.compile(r"(?<=[:?] )(Not known|Not met|Met|Yes|No)\b")
_IDS = re.compile(r"\((\w+)/[\w-]+\)")
_SOURCES = (
    "Sources: S003 is the plan's own page on ECM and Community Supports, L its lines; G26 is the "
    "ECM Policy Guide of the Department of Health Care Services (DHCS)."
)
#: How long the webhook may take before the demonstration says that it did not come.
_WEBHOOK_S = 20.0
#: Keep this many places free with the hospital's performer, so that every start shows one taken.
_FREE_PLACES = 5


class _Client:
    """One demonstration client with its token."""

    def __init__(self, base: str, name: str) -> None:
        self._http = httpx.Client(base_url=base, timeout=30)
        answer = self._http.post(
            "/oauth/token",
            data={"grant_type": "client_credentials"},
            auth=(name, demonstration_secret(name)),
        )
        answer.raise_for_status()
        self._http.headers["authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str) -> Any:
        return self._http.get(path).raise_for_status().json()

    def post(self, path: str, body: Any) -> Any:
        return self._http.post(path, json=body).raise_for_status().json()


def show(console: Console, base: str, receiver: Receiver, settings: Settings) -> None:
    """Sends the referral and prints the journey, the links to open next and a line to paste."""
    hospital, performer = _Client(base, "hospital"), _Client(base, "ecm-provider")
    staff = _Client(base, "staff-hpsm")
    for name, client in (("hospital", hospital), ("ecm-provider", performer)):
        _listen(client, receiver, name)
    _make_room(staff)
    member = new_member()
    asyncio.run(_enrol(settings, member))
    bundle = hospital_bundle(member, datetime.now(UTC))

    answer = hospital.post("/fhir", bundle)
    referral_id = _referral_id(answer)
    task = hospital.get(f"/fhir/Task/{referral_id}")
    authorization = hospital.get(f"/fhir/ClaimResponse/{referral_id}")
    determinations = hospital.get(f"/v1/referrals/{referral_id}/determinations")

    console.rule("[bold]One referral, five stages[/]", align="left")
    console.print(_intake(member, answer, referral_id))
    console.print(_eligibility(determinations))
    console.print(_capacity(hospital, task, referral_id))
    console.print(_decision(task, authorization))
    console.print(_notification(receiver, referral_id))
    _clients(console)
    _links(console, base, referral_id)


def _listen(client: _Client, receiver: Receiver, name: str) -> None:
    """Registers the receiver as the organization's endpoint; those of earlier starts are
    disabled.
    """
    for old in client.get("/v1/webhook-endpoints"):
        if old["description"] == "make run" and old["status"] == "active":
            client.post(f"/v1/webhook-endpoints/{old['id']}/disable", {})
    made = client.post(
        "/v1/webhook-endpoints", {"url": receiver.url(name), "description": "make run"}
    )
    receiver.secrets[name] = made["secret"]


def _make_room(staff: _Client) -> None:
    offer = staff.get("/fhir/HealthcareService/offer-tidepool-ecm")
    numbers = _places(offer)
    if numbers["places"] - numbers["taken"] < _FREE_PLACES:
        places = {"name": "places", "valueInteger": numbers["places"] + 10 * _FREE_PLACES}
        staff.post(
            f"/fhir/HealthcareService/{offer['id']}/$capacity",
            {"resourceType": "Parameters", "parameter": [places]},
        )


async def _enrol(settings: Settings, member: NewMember) -> None:
    database = Database(settings, size=1)
    async with database.begin() as connection:
        await load_resources(connection, roster_entry(member), datetime.now(UTC))
    await database.close()


def _referral_id(answer: dict[str, Any]) -> str:
    locations = [entry["response"]["location"] for entry in answer["entry"]]
    found = next(location for location in locations if "/ServiceRequest/" in location)
    return str(found.split("/ServiceRequest/")[1].split("/")[0])


def _intake(member: NewMember, answer: dict[str, Any], referral_id: str) -> Tree:
    tree = Tree("[bold]1 Intake[/]: Harbor Lantern Hospital sends a transaction Bundle")
    tree.add(f"member: {member.name}, CIN {member.cin}, leaving hospital with nowhere to live")
    tree.add(f"{len(answer['entry'])} resources received, referral {referral_id}")
    return tree


def _eligibility(found: dict[str, Any]) -> Tree:
    """The explanation that every party reads (`determinations`), as a tree."""
    said = found["determinations"][0]
    first, *lines = said["text"].split("\n")
    tree = Tree(f"[bold]2 Eligibility[/]: {escape(first)}")
    branches = [tree]
    for line in lines:
        words = line.lstrip(" ")
        inside = (len(line) - len(words)) // 2 + 1 if words.startswith("- ") else 0
        depth = min(inside, len(branches) - 1)  # the first reasons stand below no heading
        del branches[depth + 1 :]
        branches.append(branches[depth].add(_marked(words.removeprefix("- "))))
    tree.add(f"[dim]{escape(_SOURCES)}[/]")
    return tree


def _marked(words: str) -> str:
    """A line with its result in colour and its source dimmed, without ids of resources."""
    said, bracket, source = _IDS.sub(r"(\1)", words).partition(" [")
    line = _RESULT.sub(lambda found: f"[{_COLOURS[found[0]]}]{found[0]}[/]", escape(said), count=1)
    return line + (f"  [dim]{escape(source.removesuffix(']'))}[/]" if bracket else "")


def _capacity(hospital: _Client, task: dict[str, Any], referral_id: str) -> Tree:
    status = task["businessStatus"]["coding"][1]
    tree = Tree(f"[bold]3 Capacity[/]: {status['display'].lower()}")
    offer = hospital.get("/fhir/HealthcareService/offer-tidepool-ecm")
    found = hospital.get(f"/fhir/Task?focus=ServiceRequest/{referral_id}")
    for entry in found.get("entry", ()):
        service = entry["resource"]
        if service.get("partOf"):
            owner = hospital.get(f"/fhir/{service['owner']['reference']}")
            tree.add(f"a place is taken with {owner['name']}, whom the hospital asked for")
            numbers = _places(offer)
            tree.add(f"{numbers['taken']} of its {numbers['places']} places are taken now")
            tree.add(f"its Task is {service['status']}: it may accept or decline")
    return tree


def _places(offer: dict[str, Any]) -> dict[str, int]:
    return {
        part["url"]: part["valueInteger"]
        for extension in offer["extension"]
        if extension["url"].endswith("/capacity")
        for part in extension["extension"]
    }


def _decision(task: dict[str, Any], authorization: dict[str, Any]) -> Tree:
    state = task["businessStatus"]["coding"][0]["display"].lower()
    tree = Tree(f"[bold]4 Decision[/]: {state}, by the rules alone")
    tree.add(f"why: {task['statusReason']['text']}")
    period = authorization["preAuthPeriod"]
    tree.add(f"authorization {authorization['preAuthRef']}, {period['start']} to {period['end']}")
    return tree


def _notification(receiver: Receiver, referral_id: str) -> Tree:
    tree = Tree(
        "[bold]5 Notification[/]: signed webhooks, verified by the standardwebhooks library"
    )
    wanted = {("hospital", "referral.approved"), ("ecm-provider", "service.assigned")}
    deadline = time.monotonic() + _WEBHOOK_S
    while wanted and time.monotonic() < deadline:
        try:
            arrived: Arrived = receiver.arrived.get(timeout=0.2)
        except queue.Empty:
            continue
        if arrived.data.get("referral_id") == referral_id:
            tree.add(f"{arrived.path} received {arrived.event_type}  [dim]{arrived.message_id}[/]")
            wanted.discard((arrived.path, arrived.event_type))
    for name, event_type in sorted(wanted):
        tree.add(f"[red]{name} did not receive {event_type} within {_WEBHOOK_S:.0f} s[/]")
    return tree


def _clients(console: Console) -> None:
    table = Table(title="Demonstration clients (here only)", title_justify="left")
    table.add_column("client id")
    table.add_column("secret")
    table.add_column("organization")
    for name, (organization, _) in DEMONSTRATION.items():
        table.add_row(name, demonstration_secret(name), organization)
    console.print(table)


def _links(console: Console, base: str, referral_id: str) -> None:
    page = f"/v1/referrals/{referral_id}/timeline.html"
    lines = (
        "\nOpen next",
        f"  {base}/docs           try everything, as one of these clients: press Authorize",
        f"  {base}/fhir/metadata  what this server can do",
        "\nPaste this to read the referral as the hospital does:",
        "  " + _curl(base, f"/fhir/ServiceRequest/{referral_id}"),
        "\nPaste this to save its journey as a page, journey.html, and open that:",
        "  " + _curl(base, page) + " -o journey.html",
        "\nCtrl-C stops everything.",
    )
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def _curl(base: str, path: str) -> str:
    """One line to paste: it asks for a token, takes it out of the JSON, and reads the path."""
    ask = f"curl -s -u hospital:{demonstration_secret('hospital')} -d grant_type=client_credentials"
    token = rf"""$({ask} {base}/oauth/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')"""
    return f'curl -s -H "Authorization: Bearer {token}" {base}{path}'

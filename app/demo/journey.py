"""One referral through all five stages, over HTTP as a hospital's system would, told in words."""

import asyncio
import queue
import time
from datetime import UTC, datetime
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table
from rich.tree import Tree

from app.caller.clients import DEMONSTRATION, demonstration_secret
from app.database import begin, create_engine
from app.demo.receiver import Arrived, Receiver
from app.demo.referral import NewMember, hospital_bundle, new_member, roster_entry
from app.directory.load import load_resources
from app.settings import Settings

_MARKS = {"true": "[green]yes[/]", "false": "[red]no[/]", "unknown": "[yellow]not known[/]"}
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

    checked = hospital.post("/fhir/ServiceRequest/$check", bundle)
    answer = hospital.post("/fhir", bundle)
    referral_id = _referral_id(answer)
    task = hospital.get(f"/fhir/Task/{referral_id}")
    authorization = hospital.get(f"/fhir/ClaimResponse/{referral_id}")

    console.rule("[bold]One referral, five stages[/]", align="left")
    console.print(_intake(member, answer, referral_id))
    console.print(_eligibility(checked))
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
    numbers = {
        part["url"]: part["valueInteger"]
        for extension in offer["extension"]
        if extension["url"].endswith("/capacity")
        for part in extension["extension"]
    }
    if numbers["places"] - numbers["taken"] < _FREE_PLACES:
        places = {"name": "places", "valueInteger": numbers["places"] + 10 * _FREE_PLACES}
        staff.post(
            f"/fhir/HealthcareService/{offer['id']}/$capacity",
            {"resourceType": "Parameters", "parameter": [places]},
        )


async def _enrol(settings: Settings, member: NewMember) -> None:
    engine = create_engine(settings, pool_size=1)
    async with begin(engine) as connection:
        await load_resources(connection, roster_entry(member), datetime.now(UTC))
    await engine.dispose()


def _referral_id(answer: dict[str, Any]) -> str:
    locations = [entry["response"]["location"] for entry in answer["entry"]]
    found = next(location for location in locations if "/ServiceRequest/" in location)
    return str(found.split("/ServiceRequest/")[1].split("/")[0])


def _intake(member: NewMember, answer: dict[str, Any], referral_id: str) -> Tree:
    tree = Tree("[bold]1 Intake[/]: Harbor Lantern Hospital sends a transaction Bundle")
    tree.add(f"member: {member.name}, CIN {member.cin}, leaving hospital with nowhere to live")
    tree.add(f"{len(answer['entry'])} resources received, referral {referral_id}")
    return tree


def _values(parameters: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [part for part in parameters["parameter"] if part["name"] == name]


def _eligibility(checked: dict[str, Any]) -> Tree:
    policy = _values(checked, "policy")[0]["valueString"]
    outcome = _values(checked, "outcome")[0]["valueCode"]
    tree = Tree(f"[bold]2 Eligibility[/]: {outcome} by the plan's policy {policy}")
    for node in _values(checked, "criterion"):
        _criterion(tree, node, depth=0)
    return tree


def _criterion(tree: Tree, node: dict[str, Any], depth: int) -> None:
    said = {part["name"]: part for part in node["part"]}
    result = said["result"]["valueCode"]
    source = said.get("citation", {}).get("valueString", "")
    line = f"{_MARKS[result]}  {said['name']['valueString']}"
    branch = tree.add(line + (f"  [dim]{source}[/]" if source else ""))
    if depth > 1 or result != "true":
        return
    for child in node["part"]:
        if child["name"] == "criterion":
            _criterion(branch, child, depth + 1)


def _capacity(hospital: _Client, task: dict[str, Any], referral_id: str) -> Tree:
    status = task["businessStatus"]["coding"][1]
    tree = Tree(f"[bold]3 Capacity[/]: {status['display'].lower()}")
    found = hospital.get(f"/fhir/Task?focus=ServiceRequest/{referral_id}")
    for entry in found.get("entry", ()):
        service = entry["resource"]
        if service.get("partOf"):
            owner = hospital.get(f"/fhir/{service['owner']['reference']}")
            tree.add(f"a place is taken with {owner['name']}; its Task is {service['status']}")
    return tree


def _decision(task: dict[str, Any], authorization: dict[str, Any]) -> Tree:
    state = task["businessStatus"]["coding"][0]["display"].lower()
    tree = Tree(f"[bold]4 Decision[/]: {state}")
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
    console.print("\nOpen next")
    console.print(f"  {base}/docs           try everything; Authorize with a client above")
    console.print(f"  {base}/fhir/metadata  what this server can do")
    console.print("\nPaste this to read the referral as the hospital does:")
    console.print("  " + _curl(base, referral_id), soft_wrap=True, markup=False)
    console.print("\nCtrl-C stops everything.")


def _curl(base: str, referral_id: str) -> str:
    """One line to paste: it asks for a token, takes it out of the JSON, and reads the referral."""
    ask = f"curl -s -u hospital:{demonstration_secret('hospital')} -d grant_type=client_credentials"
    token = rf"""$({ask} {base}/oauth/token | sed 's/.*"access_token":"\([^"]*\)".*/\1/')"""
    return f'curl -s -H "Authorization: Bearer {token}" {base}/fhir/ServiceRequest/{referral_id}'

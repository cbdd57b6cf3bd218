"""Organizations that subscribe, and what has arrived at each of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
GRAVITY = "http://hl7.org/fhir/us/sdoh-clinicalcare/SubscriptionTopic/"
TASK, SERVICE_REQUEST = GRAVITY + "Task", GRAVITY + "Servicerequest"
PAS = "http://hl7.org/fhir/us/davinci-pas/SubscriptionTopic/PASSubscriptionTopic"
HOSPITAL, TIDEPOOL, PLAN = "org-harbor-lantern", "org-tidepool", "plan-hpsm"


def extension(name: str, **value: Any) -> dict[str, Any]:
    return {"url": BACKPORT + name, **value}


def asked(
    url: str,
    *filters: str,
    topic: str = TASK,
    content: str = "id-only",
    heartbeat: int | None = None,
    headers: tuple[str, ...] = (),
    mime: str = "application/fhir+json",
    **more: Any,
) -> dict[str, Any]:
    """A Subscription as a client sends it."""
    channel: dict[str, Any] = {
        "type": "rest-hook",
        "endpoint": url,
        "payload": mime,
        "_payload": {"extension": [extension("backport-payload-content", valueCode=content)]},
    }
    if headers:
        channel["header"] = list(headers)
    if heartbeat is not None:
        channel["extension"] = [extension("backport-heartbeat-period", valueUnsignedInt=heartbeat)]
    body = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "Hear of what becomes of our referrals",
        "criteria": topic,
        "channel": channel,
    }
    if filters:
        said = [extension("backport-filter-criteria", valueString=each) for each in filters]
        body["_criteria"] = {"extension": said}
    return {**body, **more}


class Subscribers:
    """Whoever subscribes does so at a path of the one receiver."""

    def __init__(self, service: Any, receiver: Any) -> None:
        self.service, self.receiver = service, receiver

    async def ask(self, body: dict[str, Any], by: str = "hospital") -> httpx.Response:
        return await self.service.ask(by, "POST", "/fhir/Subscription", body)

    async def subscribe(
        self, *filters: str, by: str = "hospital", path: str = "hook", **more: Any
    ) -> str:
        """The id of a Subscription that was taken; its handshake is the worker's."""
        answer = await self.ask(asked(self.receiver.url(path), *filters, **more), by)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    async def active(self, *ids: str, by: str = "hospital", status: str = "active") -> None:
        """Returns when the Subscriptions have this status."""
        for id_ in ids:

            async def there(id_: str = id_) -> bool:
                return (await self.read(id_, by))["status"] == status

            await until(there)

    async def read(self, id_: str, by: str = "hospital") -> dict[str, Any]:
        return await self.service.read("Subscription", id_, by)

    async def put(
        self, id_: str, body: dict[str, Any], by: str = "hospital", version: str | None = None
    ) -> httpx.Response:
        """An update of the present version, unless another is named."""
        version = version or (await self.read(id_, by))["meta"]["versionId"]
        headers = {"If-Match": f'W/"{version}"'}
        body = {**body, "id": id_}
        return await self.service.ask(by, "PUT", f"/fhir/Subscription/{id_}", body, headers=headers)

    async def status(self, id_: str, by: str = "hospital") -> dict[str, Any]:
        """The status Parameters of one Subscription, by `$status`."""
        answer = await self.service.ask(by, "GET", f"/fhir/Subscription/{id_}/$status")
        assert answer.status_code == 200, answer.text
        (entry,) = answer.json()["entry"]
        return entry["resource"]

    async def events(self, id_: str, by: str = "hospital", **params: Any) -> dict[str, Any]:
        """The Bundle that `$events` answers."""
        path = f"/fhir/Subscription/{id_}/$events"
        answer = await self.service.ask(by, "GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def bundles(self, path: str = "hook", kind: str = "event-notification") -> list[dict[str, Any]]:
        """What has arrived at a path, of one kind, in order."""
        arrived = [each.data for each in self.receiver.at(path)]
        return [each for each in arrived if value(each, "type") == kind]

    async def told(
        self, count: int, path: str = "hook", *, seconds: float = 15, **more: Any
    ) -> list[dict[str, Any]]:
        """Returns when so many have arrived."""
        await self.receiver.until(lambda: len(self.bundles(path, **more)) >= count, seconds)
        return self.bundles(path, **more)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 15) -> None:
    """Returns when what another process writes is as wanted; else `TimeoutError`."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110  nothing tells us
            await asyncio.sleep(0.05)


def parameters(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    return bundle["entry"][0]["resource"]["parameter"]


def value(bundle: dict[str, Any], name: str) -> Any:
    """The value of one parameter of the status; None where it is not there."""
    return only(parameters(bundle), name)


def only(parts: list[dict[str, Any]], name: str) -> Any:
    found = [part for part in parts if part["name"] == name]
    return next((v for part in found for k, v in part.items() if k.startswith("value")), None)


def happened(bundle: dict[str, Any]) -> list[tuple[int, str | None]]:
    """(number, focus) of every event that a Bundle tells of."""
    parts = [each["part"] for each in parameters(bundle) if each["name"] == "notification-event"]
    return [
        (int(only(part, "event-number")), (only(part, "focus") or {}).get("reference"))
        for part in parts
    ]


def numbers(bundles: list[dict[str, Any]]) -> list[int]:
    return [number for bundle in bundles for number, _ in happened(bundle)]


def abouts(bundles: list[dict[str, Any]]) -> list[str]:
    """`Type/id` of what each event is about, without our base."""
    said = [str(focus) for bundle in bundles for _, focus in happened(bundle)]
    return ["/".join(each.split("/")[-2:]) for each in said]

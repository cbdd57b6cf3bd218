"""The referral that `make run` sends: a new fictional member, and a hospital's Bundle about them.

The Bundle is the first shared example with another member and its dates moved to today, so that its
emergency visits stay within the rules' windows for ever.
"""

import json
import random
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from app.base.local_time import LOCAL

DATA = Path(__file__).with_name("data")
#: The day that the template's dates belong to.
_TEMPLATE_DAY = datetime(2026, 11, 20, tzinfo=LOCAL)
_TEMPLATE_CIN = "9000001XA"
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}T")
_FAMILIES = ("Samplewood", "Testerman", "Examplin", "Placeholm", "Mockridge", "Fictena")
_GIVEN = ("Adela", "Bruno", "Carmen", "Desmond", "Elena", "Farid", "Grace", "Hector")


@dataclass(frozen=True, slots=True)
class NewMember:
    """A fictional member whom the roster gets at this start."""

    cin: str
    given: str
    family: str

    @property
    def name(self) -> str:
        return f"{self.given} {self.family} (fictional)"


def new_member() -> NewMember:
    """Somebody new at every start: the demonstration never meets an authorization of the last
    one.
    """
    number = 91_000_000 + secrets.randbelow(8_000_000)
    return NewMember(f"{number}XD", random.choice(_GIVEN), random.choice(_FAMILIES))  # noqa: S311


def roster_entry(member: NewMember) -> list[dict[str, Any]]:
    """Patient, Coverage and what only the plan knows, as the plan's roster states them."""
    lines = (DATA / "roster.ndjson").read_text("utf-8").splitlines()
    found = [json.loads(line) for line in lines if '-01"' in line]
    text = json.dumps(found).replace(_TEMPLATE_CIN, member.cin)
    for kind in ("member", "coverage", "roster"):
        text = text.replace(f"{kind}-01", f"{kind}-{member.cin.lower()}")
    resources: list[dict[str, Any]] = json.loads(text)
    for resource in resources:
        _rename(resource, member)
    return resources


def hospital_bundle(member: NewMember, now: datetime) -> dict[str, Any]:
    """A transaction Bundle about the member, with the hospital's own new identifier."""
    bundle = json.loads(
        (DATA / "referral.json").read_text("utf-8").replace(_TEMPLATE_CIN, member.cin)
    )
    days = (now.astimezone(LOCAL).date() - _TEMPLATE_DAY.date()).days
    for entry in bundle["entry"]:
        resource = entry["resource"]
        _rename(resource, member)
        if resource["resourceType"] == "ServiceRequest":
            resource["identifier"][0]["value"] = f"HL-{now:%Y}-{secrets.token_hex(4)}"
            resource["note"] = [{"text": "Leaves hospital today without a place to stay."}]
    moved: dict[str, Any] = _moved(bundle, timedelta(days=days), now)
    return moved


def _rename(resource: dict[str, Any], member: NewMember) -> None:
    if resource["resourceType"] == "Patient":
        resource["name"] = [{"use": "official", "family": member.family, "given": [member.given]}]


def _moved(value: Any, by: timedelta, latest: datetime) -> Any:
    if isinstance(value, dict):
        return {name: _moved(item, by, latest) for name, item in value.items()}
    if isinstance(value, list):
        return [_moved(item, by, latest) for item in value]
    if isinstance(value, str) and _DATE.match(value):
        return min(datetime.fromisoformat(value) + by, latest.astimezone(LOCAL)).isoformat(
            "T", "seconds"
        )
    return value

"""What of an organization waits for a second word when a plan changes it, and whose word that is.

PURE. By its name, its address and its NPI people, letters and referrals find it: a wrong one harms
every plan that contracts with it (docs/decisions/0007).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.base.errors import Issue
from app.fhir.directory import read_organization
from app.fhir.outcome import operation_outcome
from app.model.caller import Caller
from app.store.directory.organization import Standing

_ELEMENTS = {
    "name": ("name", "_name", "alias", "_alias"),
    "address": ("address", "telecom", "contact"),
}


def waits(
    caller: Caller, standing: Standing | None, stored: Mapping[str, Any], sent: Mapping[str, Any]
) -> list[str]:
    """What of name, address and NPI is changed; nothing where nobody else can speak."""
    if standing is None or standing.id == caller.organization_id:
        return []
    if not (standing.speaks or standing.contracting - {caller.plan}):
        return []
    return changed(stored, sent)


def changed(stored: Mapping[str, Any], sent: Mapping[str, Any]) -> list[str]:
    """Which of `name`, `address` and `npi` differ."""
    found = [
        word
        for word, elements in _ELEMENTS.items()
        if any(stored.get(element) != sent.get(element) for element in elements)
    ]
    before, after = read_organization(stored), read_organization(sent)
    npi = (before.npi, before.npis) != (after.npi, after.npis)
    return [*found, "npi"] if npi else found


def whose(caller: Caller, standing: Standing) -> str:
    """Who may give the second word, for a sentence."""
    others = sorted(standing.contracting - {str(caller.plan)})
    named = [f"staff of {plan} with nwd/network" for plan in others]
    if standing.speaks:
        named.append("a client of the organization itself with system/Organization.u")
    return " or ".join(named)


def accepted(changes: Sequence[str], who: str) -> dict[str, Any]:
    """The answer to a change that waits: nothing has happened yet, and what it takes."""
    said = (
        f"Nothing is changed yet: the change of {', '.join(changes)} waits, and the whole update "
        f"with it, for the word of {who}. It is given at the address in Location."
    )
    issue = Issue("informational", said, "Organization", severity="information")
    return operation_outcome([issue])

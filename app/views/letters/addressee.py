"""Addressees of letters, read from FHIR: the member, the requester, an organization."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.fhir.payload import Payload, Resource
from app.fhir.service_request import address_lines, language_of, name_of
from app.model.notices import Asker
from app.store.referral.asker import asker
from app.views.letters.content import Addressee, short_lines, short_name

Copies = Sequence[tuple[str, Resource]]


def addressee(resource: Resource | None, display: str | None = None) -> Addressee:
    """Read name, address, phones and faxes of a person or an organization. Without a resource or a
    name, `display` is the name.
    """
    if not resource:
        return Addressee(short_name(display))
    stated = resource.get("name")
    name = stated if isinstance(stated, str) else name_of(resource)
    role = resource.get("practitioner") or resource.get("organization") or {}
    return Addressee(
        name=short_name(name or role.get("display") or display),
        lines=short_lines(address_lines(resource)),
        phones=short_lines(_telecom(resource, "phone")),
        faxes=short_lines(_telecom(resource, "fax")),
    )


def stated_member(sent: Resource, copies: Copies) -> Addressee:
    """Read the member as the referral states them: a letter to others may say no more."""
    display = (sent.get("subject") or {}).get("display")
    return addressee(Payload(sent, copies).patient, display)


def member(
    sent: Resource,
    copies: Copies,
    roster: Resource | None,
    now: Resource | None,
    *,
    released: bool,
) -> Addressee:
    """Read the member to write to: from the plan's roster at that time, else from the roster `now`;
    from the referral only if a person has `released` that address.
    """
    stated, known = stated_member(sent, copies), addressee(roster)
    sources = (known, addressee(now), *([stated] if released else []))
    return Addressee(
        name=known.name or stated.name,
        lines=next((each.lines for each in sources if _is_whole(each)), ()),
        phones=next((each.phones for each in sources if each.phones), ()),
        faxes=(),
    )


def _is_whole(known: Addressee) -> bool:
    """Tell whether an address is complete: a town alone is not."""
    return len(known.lines) > 1


def member_language(sent: Resource, copies: Copies, roster: Resource | None) -> str | None:
    """Return the member's language tag (BCP 47) from the referral, else from the roster."""
    stated = language_of(Payload(sent, copies).patient)
    return stated or (language_of(roster) if roster else None)


def requester(sent: Resource, copies: Copies, *, released: bool) -> Addressee:
    """Read the requester of the referral; with the address only if a person has `released` it."""
    named = sent.get("requester") or {}
    asker = addressee(Payload(sent, copies).resolve(named), named.get("display"))
    return asker if released else Addressee(asker.name)


def is_family(sent: Mapping[str, Any], cin: str | None) -> bool:
    """Tell whether a relative of the member made the referral."""
    return asker(sent, cin) is Asker.FAMILY


def _telecom(resource: Resource, system: str) -> tuple[str, ...]:
    return tuple(
        str(point["value"])
        for point in resource.get("telecom") or ()
        if point.get("system") == system and point.get("value") and point.get("use") != "old"
    )

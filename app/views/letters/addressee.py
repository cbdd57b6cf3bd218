"""Who a letter goes to, from FHIR: the member, whoever asked for them, an organization."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.fhir.payload import Payload, Resource
from app.fhir.service_request import address_lines, language_of, name_of
from app.model.notices import Asker
from app.store.referral.asker import asker
from app.views.letters.content import Addressee, short_lines, short_name

Copies = Sequence[tuple[str, Resource]]


def addressee(resource: Resource | None, display: str | None = None) -> Addressee:
    """Name, address, phones and faxes of a person or an organization; `display` for want of one."""
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
    """The member as the referral states them: all that a letter to anybody else may tell."""
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
    """The member to write to: as the plan's roster knew them then, or does `now`; as the referral
    says only where a person has released that.
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
    """A town alone is no address."""
    return len(known.lines) > 1


def member_language(sent: Resource, copies: Copies, roster: Resource | None) -> str | None:
    """The language tag that the referral states for the member, else the roster's."""
    stated = language_of(Payload(sent, copies).patient)
    return stated or (language_of(roster) if roster else None)


def requester(sent: Resource, copies: Copies, *, released: bool) -> Addressee:
    """Whoever the referral names as its requester; where they are only once that is released."""
    named = sent.get("requester") or {}
    found = addressee(Payload(sent, copies).resolve(named), named.get("display"))
    return found if released else Addressee(found.name)


def is_family(sent: Mapping[str, Any], cin: str | None) -> bool:
    """Whether a relative of the member asked."""
    return asker(sent, cin) is Asker.FAMILY


def _telecom(resource: Resource, system: str) -> tuple[str, ...]:
    found = resource.get("telecom") or ()
    return tuple(
        str(point["value"])
        for point in found
        if point.get("system") == system and point.get("value") and point.get("use") != "old"
    )

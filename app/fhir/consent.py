"""Reads the member's Consents: what they permit and refuse, to whom, from when until when. PURE.

Each provision becomes rules; `app.store.reading.standing` says which of all rules holds for a
reader now. A rule covers one of three: `sensitive` (what tells of a substance use disorder),
`clinical` (everything clinical), `contact` (the member's address and phone). What cannot be read
narrows what is permitted, and never what is refused.

- Without a label, a permit covers the clinical alone: who permits the sensitive must name it
  (42 CFR 2.31(a)(3)). A refusal without a label covers both.
- A Consent that is `inactive`, `rejected` or `entered-in-error` is withdrawn: from its date on it
  says nothing (`none`), and nor does an earlier one to the same effect. Drafts and proposals count
  for nothing.
- A root provision without a type follows `policyRule` (OPTIN, OPTOUT).

Sources: FHIR R4, Consent; HL7 v3 ActCode, ParticipationType; 42 CFR 2.31.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from app.fhir.dates import EARLIEST, span
from app.fhir.payload import Resource, codings, identified_as, own_identifier
from app.fhir.r4 import codes
from app.fhir.reference import place_of, unversioned
from app.policy.sensitive import load_sensitive

#: A Consent with more provisions, or more actors in one, is not read: it refuses everything.
MOST = 50
_ENDED = frozenset({"inactive", "rejected", "entered-in-error"})
_ABOUT_SHARING = frozenset({"access", "disclose", "use"})
#: Elements by which a permit is narrower than a rule can say: it permits nothing.
_NARROWER = ("class", "code", "data", "dataPeriod")
#: Parts of an actor that is no recipient: who keeps the data, and who grants (ParticipationType).
_NO_RECIPIENTS = frozenset({"CST", "GRANTOR", "CONSENTER", "CUST", "AUT", "PAT"})
_NOBODY = ""
_LEAST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """What one provision says: `decision` is permit, deny or none. None of `recipients`: all."""

    covers: str
    decision: str
    dated: datetime
    starts: datetime
    ends: datetime | None
    recipients: tuple[str, ...] | None
    purposes: tuple[str, ...] | None
    #: How deep the provision stands in its Consent: the deeper is the exception.
    depth: int


class Organizations(NamedTuple):
    """How to find the organizations that a Consent names."""

    #: This service's FHIR base URL.
    base: str
    #: The Organizations that came with the referral, by reference: `Organization/…`, `#id`.
    copies: Mapping[str, Resource]


@dataclass(frozen=True, slots=True)
class _Around:
    """What a provision takes from those around it, unless it says otherwise."""

    decision: str | None
    labels: frozenset[str] | None
    recipients: tuple[str, ...] | None
    purposes: tuple[str, ...] | None
    starts: datetime = EARLIEST
    ends: datetime | None = None


def read_consent(
    consent: Resource, received: datetime, organizations: Organizations
) -> list[ConsentRule]:
    """Reads the rules of a Consent that came at `received`."""
    status = consent.get("status")
    ended = status in _ENDED
    if status != "active" and not ended:
        return []
    around = _Around("none" if ended else _by_policy(consent), _of_category(consent), None, None)
    try:
        provisions = list(_provisions(consent.get("provision") or {}, around, organizations, 0))
        dated = _dated(consent, provisions, received)
    except ValueError:
        provisions, dated = [], received
    if (
        not provisions
        or len(provisions) > MOST
        or any(_is_large(each) for each, _, _ in provisions)
    ):
        provisions = [(_Around("deny", None, None, None), {}, 0)]
    return [
        ConsentRule(
            covers,
            "none" if ended else each.decision,
            dated,
            received if ended else each.starts,
            None if ended else each.ends,
            each.recipients,
            each.purposes,
            depth,
        )
        for each, provision, depth in provisions
        if each.decision is not None and (ended or _counts(each.decision, provision))
        for covers in _covered(each.decision, each.labels)
    ]


def _is_large(read: _Around) -> bool:
    return max(len(read.recipients or ()), len(read.purposes or ())) > MOST


def confidential(received: datetime) -> ConsentRule:
    """Makes the rule of a Patient whose contact is marked as unsafe."""
    return ConsentRule("contact", "deny", received, EARLIEST, None, None, None, 0)


def _by_policy(consent: Resource) -> str | None:
    named = {each.get("code") for each in codings(consent.get("policyRule") or {})}
    if any(str(code).startswith("OPTOUT") for code in named):
        return "deny"
    return "permit" if "OPTIN" in named else None


def _of_category(consent: Resource) -> frozenset[str] | None:
    """Reads the label in the category: a consent under 42 CFR Part 2 is about the sensitive."""
    named = {
        str(coding.get("code"))
        for each in consent.get("category") or ()
        for coding in codings(each)
    }
    return frozenset(named & load_sensitive().labels) or None


_Found = tuple[_Around, Mapping[str, Any], int]


def _provisions(
    provision: Mapping[str, Any], around: _Around, organizations: Organizations, depth: int
) -> Iterator[_Found]:
    own = _read(provision, around, organizations)
    yield own, provision, depth
    for each in (provision.get("provision") or ())[: MOST + 1]:
        yield from _provisions(each, own, organizations, depth + 1)


def _read(provision: Mapping[str, Any], around: _Around, organizations: Organizations) -> _Around:
    decision = around.decision if around.decision == "none" else provision.get("type")
    labels = frozenset(str(each.get("code")) for each in provision.get("securityLabel") or ())
    purposes = tuple(str(each.get("code")) for each in provision.get("purpose") or ())
    starts, ends = _stretch(provision.get("period") or {}, around)
    own = replace(
        around,
        decision=decision or around.decision,
        labels=labels or around.labels,
        purposes=purposes or around.purposes,
        starts=starts,
        ends=ends,
    )
    named = [
        name for actor in provision.get("actor") or () if (name := _recipient(actor, organizations))
    ]
    if not named:
        return own
    known = tuple(dict.fromkeys(name for name in named if name != _UNKNOWN))
    if len(known) < len(named) and own.decision != "permit":
        return replace(own, recipients=None)  # a refusal to somebody whom we do not know: to all
    return replace(own, recipients=known or (_NOBODY,))


_UNKNOWN = "?"


def _recipient(actor: Mapping[str, Any], organizations: Organizations) -> str | None:
    """Names a recipient: `Organization/…` or `npi|…`; None for an actor that is no recipient."""
    role = {each.get("code") for each in codings(actor.get("role") or {})}
    if role & _NO_RECIPIENTS:
        return None
    reference = actor.get("reference") or {}
    literal = unversioned(str(reference.get("reference") or ""))
    place = place_of(literal, organizations.base)
    copy = organizations.copies.get(f"{place.type}/{place.id}" if place else literal)
    if place and place.type == "Organization" and copy is None:
        return f"Organization/{place.id}"
    npi = own_identifier(copy, codes.NPI) if copy else identified_as(reference, codes.NPI)
    return f"npi|{npi}" if npi else _UNKNOWN


def _stretch(period: Mapping[str, Any], around: _Around) -> tuple[datetime, datetime | None]:
    starts = span(period["start"])[0] if isinstance(period.get("start"), str) else around.starts
    ends = span(period["end"])[1] if isinstance(period.get("end"), str) else around.ends
    return starts, ends


def _counts(decision: str, provision: Mapping[str, Any]) -> bool:
    """Tells whether a provision is about sharing, and a permit no narrower than a rule can say."""
    actions = {each.get("code") for item in provision.get("action") or () for each in codings(item)}
    if actions and not actions & _ABOUT_SHARING:
        return False
    return decision != "permit" or not any(provision.get(name) for name in _NARROWER)


def _covered(decision: str, labels: frozenset[str] | None) -> list[str]:
    listed = load_sensitive()
    if labels is None:
        return ["clinical"] if decision == "permit" else ["clinical", "sensitive"]
    named = []
    if labels & listed.labels:
        named.append("sensitive")
    if labels & (listed.contact_labels - listed.labels):
        named.append("contact")
    return named


def _dated(consent: Resource, provisions: Sequence[_Found], received: datetime) -> datetime:
    """Reads when the member said so, never later than we heard it.

    Of a day without a time: its first moment for what only permits, its last for all else, so that
    of one day the refusal holds.
    """
    stated = consent.get("dateTime")
    if not isinstance(stated, str):
        return received
    first, after = span(stated)
    permits = all(each.decision == "permit" for each, _, _ in provisions)
    last = max(after, first + _LEAST) - _LEAST
    return min(first if permits else last, received)

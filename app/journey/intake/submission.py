"""Reads a body as a submission: as strict JSON, as R4, and by the rules of this service.

Reports all faults of a payload at once. A breach of base R4 is 400; valid R4 that breaks a rule of
this service is 422. An ineligible member or an incomplete referral is neither (spec.md 1: no wrong
door).

Tasks in a referral's Bundle become the referral's own Task; a referral never has a second one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from app.base.errors import Issue, Refusal, refuse
from app.base.heavy_work import too_costly
from app.base.ids import id_of_part, new_id
from app.base.local_time import local_date
from app.fhir.bundle import BundleEntry, document_faults, read_bundle
from app.fhir.facts import read_facts
from app.fhir.payload import ResourceTree
from app.fhir.r4 import codes
from app.fhir.r4.check import check_resource
from app.fhir.r4.service import find_unsupported
from app.fhir.r4.strict_json import MAX_FAULTS, MAX_SEPARATORS, UnreadableJson, parse, separators
from app.fhir.reference import id_of, place_of, rewrite_references, unversioned
from app.fhir.service_request import read_received, start_faults, to_domain
from app.fhir.subset import is_subset
from app.fhir.task import asks_to_cancel, read_adopted
from app.journey.intake.context import RequestContext
from app.journey.intake.fingerprint import Fingerprint, fingerprint
from app.model.known import Known, Wish
from app.model.request import Identifier, NamedTarget, ReferralRequest
from app.policy.stated import SourcedFacts

#: The longest time since the receipt of paper.
_OLDEST_RECEIPT = timedelta(days=30)

NamedResources = Sequence[tuple[str, ResourceTree]]


@dataclass(frozen=True, slots=True)
class Copy:
    """A resource of the Bundle that is stored with the referral."""

    type: str
    id: str
    resource: ResourceTree


@dataclass(slots=True)
class Submission:
    """One referral as received, ready for the journey."""

    referral_id: str
    service_request: ResourceTree
    request: ReferralRequest
    #: The payload's statements about the member, source by source.
    stated: Sequence[SourcedFacts]
    received_at: datetime
    fingerprint: Fingerprint
    #: This service's FHIR base URL: references that start with it name our resources.
    base: str
    copies: list[Copy] = field(default_factory=list)
    adopted: ResourceTree | None = None
    #: `Type/id` of every entry in order; None for a single ServiceRequest.
    locations: list[str] | None = None
    #: The condition on the request's entry of a Bundle, as sent.
    if_none_exist: str | None = None
    #: The index of the request's entry in a Bundle; None if it was sent alone.
    entry: int | None = None

    @property
    def on(self) -> date:
        """The day whose rules apply: the local date of actual receipt."""
        return local_date(self.received_at)

    @property
    def claims(self) -> list[Identifier]:
        """The requester's own identifiers, each of which names one referral alone.

        An identifier without a system may be anybody's number: it is stored, but not listed here,
        and does not mark a repeat.
        """
        return [each for each in dict.fromkeys(self.request.identifiers) if each[0]]

    @property
    def wish(self) -> Wish:
        """The performers asked for."""
        return wish_of(self.request.performers, self.base)

    @property
    def based_on_ids(self) -> tuple[str, ...]:
        """The ids of the referrals that this referral continues (`basedOn`)."""
        ids = (
            id_of(named.reference, "ServiceRequest", self.base) for named in self.request.based_on
        )
        return tuple(id_ for id_ in ids if id_)

    @property
    def based_on_identifiers(self) -> tuple[Identifier, ...]:
        """The identifiers of the referrals that this referral continues (`basedOn`)."""
        return tuple(item for named in self.request.based_on for item in named.identifiers)

    def acquainted(self, known: Known, plan: str) -> Wish:
        """Names those who know the member: the current ECM performer, the stated practitioner."""
        current = {
            item.authorization.performer_id
            for item in known.authorizations
            if item.plan == plan and item.authorization.service == "ECM"
        }
        stated = wish_of(self.request.general_practitioners, self.base)
        performers = frozenset(name for name in current if name)
        return replace(stated, organization_ids=stated.organization_ids | performers)


def wish_of(named: Sequence[NamedTarget], base: str) -> Wish:
    """Reads the performers that references name: by offer, by organization, by NPI."""
    places = [place for item in named if (place := place_of(item.reference, base))]
    return Wish(
        offer_ids=frozenset(p.id for p in places if p.type == "HealthcareService"),
        organization_ids=frozenset(p.id for p in places if p.type == "Organization"),
        npis=frozenset(v for item in named if (v := item.value(codes.NPI))),
    )


def refuse_faults(faults: Sequence[Issue], status: int) -> Refusal:
    """Makes one refusal of all faults; at most `MAX_FAULTS` are listed."""
    return Refusal(status, faults[:MAX_FAULTS])


def read_tree(body: bytes, kinds: Sequence[str]) -> ResourceTree:
    """Parses a resource and checks it as R4; 400 with every fault.

    422 for R4 that this service does not support, or for too many separators.
    """
    if separators(body) > MAX_SEPARATORS:
        raise too_costly()
    try:
        tree = parse(body)
    except UnreadableJson as unreadable:
        raise refuse_faults(unreadable.faults, 400) from None
    kind = tree.get("resourceType")
    if kind not in kinds:
        text = f"Send a {' or a '.join(kinds)} here."
        raise refuse_faults([Issue("structure", text, "resourceType")], 400)
    faults = check_resource(tree)
    if faults:
        raise refuse_faults(faults, 400)
    unsupported = find_unsupported(tree)
    if unsupported:
        raise refuse_faults(unsupported, 422)
    return tree


def read_whole(body: bytes, kind: str, resource_id: str) -> ResourceTree:
    """Reads a resource that is to replace the stored one: with the same id, and whole.

    A partial resource (SUBSETTED) is 422.
    """
    tree = read_tree(body, [kind])
    if tree.get("id") != resource_id:
        raise refuse(400, "value", "Give the resource the id of the URL.", f"{kind}.id")
    if is_subset(tree):
        text = (
            "This is a part of the resource (SUBSETTED). Read it whole, change it, send it whole."
        )
        raise refuse(422, "business-rule", text, f"{kind}.meta.tag")
    return tree


def read_submission(
    tree: ResourceTree, context: RequestContext, referenced: NamedResources = ()
) -> Submission:
    """Makes a submission of a checked ServiceRequest or transaction Bundle; 422 with every fault.

    `referenced`: the stored resources that the submission references, each with its reference.
    """
    refused = list(_refused_documents(tree, context.documents))
    if refused:
        raise refuse_faults(refused, 422)
    if tree["resourceType"] == "Bundle":
        return _submission_of_bundle(tree, context, referenced)
    return _submission(tree, referenced, context, new_id(), fingerprint(tree), None)


def _refused_documents(tree: ResourceTree, taken: Sequence[str]) -> Iterator[Issue]:
    if tree["resourceType"] != "Bundle":
        yield from document_faults(tree, "ServiceRequest", taken)
        return
    for index, entry in enumerate(tree.get("entry") or ()):
        at = f"Bundle.entry[{index}].resource"
        yield from document_faults(entry.get("resource") or {}, at, taken)


def _submission(
    main: ResourceTree,
    resources: NamedResources,
    context: RequestContext,
    referral_id: str,
    digest: Fingerprint,
    index: int | None,
) -> Submission:
    """Makes the submission. `index`: the request's entry in a Bundle; None if it was sent alone."""
    received = receipt(main, context)
    on = local_date(received)
    at = _place(index)
    request, faults = to_domain(
        main, resources, on, context.rules.plans, at, context.rules.contact_only(on)
    )
    faults += start_faults(main, context.rules.latest_start(None, on), at)
    if request is None or faults:
        raise refuse_faults(faults, 422)
    stated = read_facts(main, resources, on)
    return Submission(
        referral_id, main, request, stated, received, digest, context.fhir_base, entry=index
    )


def require_start(submission: Submission, latest: date) -> None:
    """Raises 422 for a start after `latest`, the latest start that the plan, once known, allows."""
    faults = start_faults(submission.service_request, latest, _place(submission.entry))
    if faults:
        raise refuse_faults(faults, 422)


def receipt(main: ResourceTree, context: RequestContext) -> datetime:
    """Reads the moment of actual receipt.

    Plan staff may state it for paper and phone: not in the future, and at most 30 days back, else
    422. From any other sender the extension is stored and has no effect (spec.md 2).
    """
    stated = read_received(main)
    if stated is None or context.plan is None:
        return context.now
    if not context.now - _OLDEST_RECEIPT <= stated <= context.now:
        text = "`received` takes a moment of the last 30 days, not in the future."
        fault = Issue("business-rule", text, "ServiceRequest.extension")
        raise refuse_faults([fault], 422)
    return stated


def _submission_of_bundle(
    tree: ResourceTree, context: RequestContext, referenced: NamedResources
) -> Submission:
    bundle, faults = read_bundle(tree)
    if bundle is None:
        raise refuse_faults(faults, _bundle_status(faults))
    referral_id = new_id()
    request = bundle.service_request
    ids = {entry.index: _id_of(entry, request, referral_id) for entry in bundle.entries}
    names = {entry.index: f"{entry.type}/{ids[entry.index]}" for entry in bundle.entries}
    rewritten = {
        entry.index: rewrite_references(entry.resource, bundle.mapping(entry, names))
        for entry in bundle.entries
    }
    copies = [
        Copy(entry.type, ids[entry.index], rewritten[entry.index])
        for entry in bundle.entries
        if ids[entry.index] != referral_id
    ]
    resources = [*((f"{copy.type}/{copy.id}", copy.resource) for copy in copies), *referenced]
    digest = fingerprint(tree, [entry.full_url for entry in bundle.entries])
    main = rewritten[request.index]
    tasks = {e.index: rewritten[e.index] for e in bundle.entries if e.type == "Task"}
    faults = strange_tasks(tasks, names[request.index])
    if faults:
        raise refuse_faults(faults, 422)
    adopted = as_one(tasks)
    submission = _submission(main, resources, context, referral_id, digest, request.index)
    submission.copies = copies
    submission.adopted = adopted
    submission.locations = [names[entry.index] for entry in bundle.entries]
    submission.if_none_exist = request.if_none_exist
    return submission


def _bundle_status(faults: Sequence[Issue]) -> int:
    """Chooses 413 for too many entries, 422 for valid R4 that this service refuses, else 400."""
    codes_found = {fault.code for fault in faults}
    if "too-long" in codes_found:
        return 413
    return 422 if codes_found <= {"business-rule", "not-supported", "required"} else 400


def _id_of(entry: BundleEntry, request: BundleEntry, referral_id: str) -> str:
    return (
        referral_id
        if entry is request or entry.type == "Task"
        else id_of_part(referral_id, f"1e{entry.index}")
    )


def _place(index: int | None) -> str:
    """Locates the request as the sender wrote it: alone, or as an entry of a Bundle."""
    return "ServiceRequest" if index is None else f"Bundle.entry[{index}].resource"


# Tasks in a Bundle


def as_one(tasks: Mapping[int, ResourceTree]) -> ResourceTree | None:
    """Joins the Tasks (by the index of their entry) into one; 422 for a Task with another wish."""
    together: ResourceTree = {}
    for index, task in tasks.items():
        at = f"Bundle.entry[{index}].resource"
        if asks_to_cancel(task, at):
            text = "A referral is not sent and taken back at once: leave one of the two out."
            raise refuse(422, "business-rule", text, f"{at}.code")
        together |= read_adopted(task, together)
    return together if tasks else None


def strange_tasks(tasks: Mapping[int, ResourceTree], request: str) -> list[Issue]:
    """Lists a fault for each Task that is not about this request."""
    text = "Point `focus` to the ServiceRequest of this Bundle: a Task in it is about the referral."
    return [
        Issue("business-rule", text, f"Bundle.entry[{index}].resource.focus")
        for index, task in tasks.items()
        if not _focuses(task, request)
    ]


def _focuses(task: ResourceTree, request: str) -> bool:
    """Whether a Task is about this request; a Task that names no focus is."""
    literal = (task.get("focus") or {}).get("reference", request)
    return isinstance(literal, str) and unversioned(literal) == request

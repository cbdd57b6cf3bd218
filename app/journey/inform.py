"""`$request-information` and `$add-information`: asking for what is missing, and getting it.

What is added stops the void clock and puts the question to the rules again, which may decide at
once.

What is added to a referral later: which resources are taken, and what they say of who and what.

 The rules read the facts among them as those of the payload itself (`app.fhir.facts`); here is
only what identifies the member or names the service where the referral did not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from app.base.errors import Issue, refuse
from app.base.heavy_work import to_thread_if_heavy
from app.base.ids import new_id
from app.base.local_time import local_date
from app.fhir.bundle import CARRIED, MAX_ENTRIES, MEDIA_TYPES, document_faults
from app.fhir.facts import read_facts, read_patient
from app.fhir.parameters import RESOURCES, Given, at, given
from app.fhir.payload import WHOM, ResourceTree, codings, own_identifier
from app.fhir.placeholders import is_placeholder, said
from app.fhir.r4 import codes
from app.fhir.reference import names_within, rewrite_references, unversioned
from app.fhir.render_referral import copy
from app.fhir.service_request import read_referral
from app.journey.decision.apply import ask
from app.journey.eligibility.check import Identity, identify
from app.journey.finish import policy_of, require_move
from app.journey.intake.context import RequestContext
from app.journey.intake.fingerprint import Fingerprint
from app.journey.intake.gather import gather
from app.journey.intake.referenced import referenced_before
from app.journey.intake.submission import Copy, Submission, refuse_faults
from app.journey.receive import asked_performer
from app.journey.refer import RepeatPolicy, inquire
from app.journey.stages import candidates, eligibility, settle
from app.model.caller import UNASSIGNED
from app.model.known import Known
from app.model.lifecycle import Event
from app.model.request import ReferralRequest
from app.policy.deadlines import decision_due
from app.policy.dictionary import load_dictionary
from app.policy.model import Missing, Reason
from app.policy.stated import SourcedFacts
from app.store.reading.access import Visibility
from app.store.referral.change_of_plan import change_plan
from app.store.referral.draft import Act, Draft
from app.store.referral.reopen import copies

AddedResources = Sequence[tuple[str, ResourceTree]]

#: What may be added; anything else is no information about the member.
KINDS = (
    "QuestionnaireResponse",
    "Condition",
    "Encounter",
    "Observation",
    "DocumentReference",
    "Consent",
    "Patient",
    "Coverage",
    "Organization",
    "Communication",
    *CARRIED,
)
_BUNDLES = ("transaction", "batch", "collection")


def read_added(tree: ResourceTree, documents: Sequence[str] = MEDIA_TYPES) -> list[Copy]:
    """The resources of Parameters or of a Bundle, each with an id of its own; 422 with all faults.

    References between the entries of a Bundle are put right.
    """
    bundle = tree["resourceType"] == "Bundle"
    if bundle and tree.get("type") not in _BUNDLES:
        text = f"Send a Bundle of type {', '.join(_BUNDLES)}, or Parameters."
        raise refuse_faults([Issue("not-supported", text, "Bundle.type")], 422)
    if bundle:
        entries = [
            (f"Bundle.entry[{index}].resource", entry.get("fullUrl"), entry["resource"])
            for index, entry in enumerate(tree.get("entry", ()))
            if "resource" in entry
        ]
    else:
        found = given(tree, {"resource": RESOURCES}).resources("resource")
        entries = [(f"Parameters.parameter[{i}].resource", None, r) for i, r in enumerate(found)]
    _require(entries, "Bundle.entry" if bundle else at("resource"), documents)
    copies = [Copy(item["resourceType"], new_id(), item) for _, _, item in entries]
    names = {
        url: f"{copy.type}/{copy.id}"
        for (_, url, _), copy in zip(entries, copies, strict=True)
        if url
    }
    return [
        replace(copy, resource=rewrite_references(copy.resource, names_within(names, url)))
        for copy, (_, url, _) in zip(copies, entries, strict=True)
    ]


def _require(
    entries: Sequence[tuple[str, str | None, ResourceTree]], where: str, documents: Sequence[str]
) -> None:
    if not entries:
        raise refuse(422, "required", "Send at least one `resource`, or a Bundle.", where)
    if len(entries) > MAX_ENTRIES:
        raise refuse(413, "too-long", f"Send at most {MAX_ENTRIES} resources at once.", where)
    faults: list[Issue] = []
    for path, _, resource in entries:
        if resource.get("resourceType") not in KINDS:
            text = f"Information is added as {', '.join(KINDS)}."
            faults.append(Issue("not-supported", text, path))
        faults += document_faults(resource, path, documents)
        if any(is_placeholder(one.get("value")) for one in _identifiers(resource)):
            faults.append(Issue("value", said("identifier"), f"{path}.identifier"))
    if faults:
        raise refuse_faults(faults, 422)


def _identifiers(resource: ResourceTree) -> list[ResourceTree]:
    found = resource.get("identifier") or []
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else [found]


@dataclass(frozen=True, slots=True)
class Identified:
    """The one Patient among what was added that says who the member is."""

    reference: str
    patient: ResourceTree

    def stated(self) -> SourcedFacts:
        """Birth date and county, as any Patient states them."""
        return read_patient(self.patient, self.reference)


def identified_patient(listed: AddedResources) -> Identified | None:
    """The Patient with a CIN that was added last; nobody where two of them differ.

    What came with the referral itself does not count: there its `subject` says who is meant.
    """
    later = [
        Identified(reference, resource)
        for reference, resource in listed
        if resource["resourceType"] == "Patient"
        and (resource.get("meta") or {}).get("versionId") != "1"
        and own_identifier(resource, codes.CIN)
    ]
    numbers = {own_identifier(found.patient, codes.CIN) for found in later}
    return later[-1] if len(numbers) == 1 else None


def about_the_member(
    listed: AddedResources, found: Identified, subject: Mapping[str, Any]
) -> AddedResources:
    """The same resources; those about the Patient added are about the referral's own subject."""
    return [(reference, _about(resource, found, subject)) for reference, resource in listed]


def _about(resource: ResourceTree, found: Identified, subject: Mapping[str, Any]) -> ResourceTree:
    name = WHOM.get(resource["resourceType"])
    if name is None or (resource.get(name) or {}).get("reference") != found.reference:
        return resource
    return {**resource, name: subject}


def named_by(request: ReferralRequest, found: Identified) -> ReferralRequest:
    """The request, with the CIN and birth date that the Patient added states."""
    birth = found.patient.get("birthDate")
    return replace(
        request,
        cin=own_identifier(found.patient, codes.CIN),
        birth_date=birth if isinstance(birth, str) and birth else request.birth_date,
    )


def service_stated(listed: AddedResources) -> str | None:
    """The service that an answer to the question for `service` names, the last one said."""
    answers = [
        coding.get("code")
        for _, resource in listed
        if resource["resourceType"] == "QuestionnaireResponse"
        for item in resource.get("item", ())
        if item.get("linkId") == "service"
        for answer in item.get("answer", ())
        for coding in codings({"coding": [answer.get("valueCoding") or {}]})
        if coding.get("system") in (codes.CALAIM_SERVICE, None)
    ]
    known = [str(code) for code in answers if code in codes.SERVICES]
    return known[-1] if known else None


def ask_by_person(draft: Draft, given: Given, context: RequestContext) -> None:
    """Asks the requester: facts of the dictionary, or questions in words."""
    require_move(draft, Event.REQUEST_INFORMATION)
    missing = _asked(given)
    details = replace(draft.details, reasons=(Reason("facts-missing"),), missing=tuple(missing))
    clocks = context.rules.clocks(draft.after.plan, local_date(draft.after.received_at))
    act = Act(context.actor, details, policy_of(draft, context), given.text("note"))
    ask(draft, act, missing, clocks)


def _asked(given: Given) -> list[Missing]:
    dictionary = load_dictionary()
    facts, questions = given.texts("fact"), given.texts("question")
    if any(name not in dictionary and name != "service" for name in facts):
        text = "`fact` takes names of the fact dictionary; put anything else as a `question`."
        raise refuse(422, "code-invalid", text, given.at("fact"))
    if not facts and not questions:
        text = "Name at least one `fact`, or put a `question`."
        raise refuse(422, "required", text, given.at("fact"))
    missing = [Missing(name, dictionary.question(name)) for name in facts]
    return missing + [Missing("", words) for words in questions]


async def add_information(
    connection: AsyncConnection,
    draft: Draft,
    added: Sequence[Copy],
    context: RequestContext,
    seen: Visibility,
) -> None:
    """Keeps the resources with the referral, stops the void clock and asks the rules again."""
    require_move(draft, Event.ADD_INFORMATION)
    after = draft.after
    came = await copies(connection, after.plan, after.id)
    earlier = await referenced_before(
        connection, draft.sent, came, after.organization_id, context.fhir_base
    )
    submission = await to_thread_if_heavy(_submission, draft, earlier, added, context)
    terms = RepeatPolicy(context.actor.name, None, None, seen)
    known = await gather(connection, replace(inquire(submission, terms, context), identifiers=()))
    identity = identify(submission.request, known.members, context.rules.plans, submission.on)
    if draft.after.plan == UNASSIGNED and identity.plan is not None:
        await _belongs_to(connection, draft, identity, submission, known, context)
    elif identity.key != draft.after.plan:
        identity = replace(identity, plan=draft.after.plan, identified=False, member_id=None)
    draft.copies += [copy(item.resource, item.id, draft.after) for item in added]
    draft.sent = _pointing_to(draft.sent, added)
    answered = replace(draft.details, missing=())
    draft.move(Event.ADD_INFORMATION, Act(context.actor, answered, None))
    draft.listening = [*draft.listening, *known.listening]
    case = await to_thread_if_heavy(eligibility, submission, identity, known, context.rules)
    ordered = candidates(submission, case, known)
    request = submission.request
    draft.about(identity.member_id, request.cin, request.service)
    await settle(connection, draft, case, ordered, submission, context)


def _pointing_to(sent: Mapping[str, Any], added: Sequence[Copy]) -> Mapping[str, Any]:
    """The request with what was added among its supporting information (spec.md 4)."""
    if not added:
        return sent
    new = [{"reference": f"{item.type}/{item.id}"} for item in added]
    return {**sent, "supportingInfo": [*sent.get("supportingInfo", ()), *new]}


async def _belongs_to(
    connection: AsyncConnection,
    draft: Draft,
    identity: Identity,
    submission: Submission,
    known: Known,
    context: RequestContext,
) -> None:
    """The referral whose plan nobody knew is this plan's, with its id and its history.

    Due dates go by the plan's own clocks from now on, still counted from receipt.
    """
    plan, after = identity.key, draft.after
    await change_plan(connection, after.id, after.plan, plan)
    asked = after.asked_performer_id or asked_performer(submission, known, identity)
    clocks = context.rules.clocks(plan, submission.on)
    due = decision_due(after.received_at, after.priority, clocks)
    draft.belongs_to(plan, known.plan_organization(plan), due, asked)


def _submission(
    draft: Draft,
    earlier: Sequence[tuple[str, dict[str, Any]]],
    added: Sequence[Copy],
    context: RequestContext,
) -> Submission:
    """The stored referral and all that came with it, as if it came in now."""
    received = draft.after.received_at
    on = local_date(received)
    new = [(f"{item.type}/{item.id}", {**item.resource, "meta": {}}) for item in added]
    beside: AddedResources = [*earlier, *new]
    found = None if draft.after.member_id else identified_patient(beside)
    if found is not None:
        beside = about_the_member(beside, found, draft.sent["subject"])
    named = {
        unversioned(item["reference"])
        for item in draft.sent.get("supportingInfo", ())
        if "reference" in item
    }
    extra = [{"reference": name} for name, _ in beside if name not in named]
    sent = {**draft.sent, "supportingInfo": [*draft.sent.get("supportingInfo", ()), *extra]}
    return Submission(
        referral_id=draft.after.id,
        service_request=sent,
        request=_request(
            draft, read_referral(sent, beside, on, context.rules.plans), beside, found
        ),
        stated=[*read_facts(sent, beside, on), *([found.stated()] if found else [])],
        received_at=received,
        fingerprint=Fingerprint("", ""),
        base=context.fhir_base,
    )


def _request(
    draft: Draft, request: ReferralRequest, beside: AddedResources, found: Identified | None
) -> ReferralRequest:
    """Who is meant, once known, stays; so does the service that the requester named later."""
    after = draft.after
    service = request.service or service_stated(beside) or after.service
    if after.member_id is not None:
        request = replace(request, cin=after.cin, plan=after.plan, birth_date=None)
    elif found is not None:
        request = named_by(request, found)
    return replace(request, service=service)

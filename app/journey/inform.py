"""Information is missing: plan staff ask the requester, and once it is added the rules decide anew.

Serves `$request-information` and `$add-information`. `ask_by_person` asks the requester, and the
void clock starts. `add_information`, for the requester or plan staff, keeps the added resources
with the referral, stops the void clock and puts the question to the rules again, which may decide
at once.

The rules read the facts among the added resources as they read those of the payload itself
(`app.fhir.facts`). The second part of this file reads only what identifies the member, or names the
service that the referral did not name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.base.errors import Issue, refuse
from app.base.heavy_work import to_thread_if_heavy
from app.base.ids import id_of_part, new_id
from app.base.local_time import local_date
from app.fhir.bundle import CARRIED, MAX_ENTRIES, MEDIA_TYPES, document_faults
from app.fhir.facts import read_facts, read_patient
from app.fhir.parameters import RESOURCES, Given, at, given
from app.fhir.payload import WHOM, ResourceTree, codings, own_identifier
from app.fhir.placeholders import is_placeholder, placeholder_text
from app.fhir.r4 import codes
from app.fhir.reference import names_within, rewrite_references, unversioned
from app.fhir.render_referral import copy
from app.fhir.service_request import families_of, read_referral
from app.journey.decision.apply import ask
from app.journey.eligibility.identity import Identity, identify
from app.journey.finish import NeedsLocks, policy_of, require_move
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
from app.store.database import Source, Transaction
from app.store.reading.access import Visibility
from app.store.referral.change_of_plan import change_plan
from app.store.referral.draft import Act, Draft
from app.store.referral.reopen import copies

AddedResources = Sequence[tuple[str, ResourceTree]]

#: The types of resource that may be added. Other types are no information about the member.
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


@dataclass(frozen=True, slots=True)
class Identified:
    """The added Patient that says who the member is, with the reference that names it."""

    reference: str
    patient: ResourceTree

    def stated(self) -> SourcedFacts:
        """Reads birth date and county from the Patient, as `read_patient` reads any Patient."""
        return read_patient(self.patient, self.reference)


def ask_by_person(draft: Draft, given: Given, context: RequestContext) -> None:
    """Asks the requester for facts of the dictionary, or questions in words."""
    require_move(draft, Event.REQUEST_INFORMATION)
    missing = _questions(given)
    details = replace(draft.details, reasons=(Reason("facts-missing"),), asking=None)
    clocks = context.rules.clocks(draft.after.plan, local_date(draft.after.received_at))
    act = Act(context.actor, details, policy_of(draft, context), given.text("note"))
    ask(draft, act, missing, clocks)


def _questions(given: Given) -> list[Missing]:
    dictionary = load_dictionary()
    facts, questions = given.texts("fact"), given.texts("question")
    if any(not dictionary.asks(name) for name in facts):
        text = "`fact` takes names of the fact dictionary; put anything else as a `question`."
        raise refuse(422, "code-invalid", text, given.at("fact"))
    if not facts and not questions:
        text = "Name at least one `fact`, or put a `question`."
        raise refuse(422, "required", text, given.at("fact"))
    missing = [Missing(name, dictionary.question(name)) for name in facts]
    return missing + [Missing("", words) for words in questions]


def adds_consents(added: Sequence[Copy]) -> bool:
    """Tells whether only Consents are added: the member's word, and no answer to a question."""
    return bool(added) and all(item.type == "Consent" for item in added)


def keep_consents(draft: Draft, added: Sequence[Copy], context: RequestContext) -> None:
    """Keeps Consents with a referral that is decided: they hold from the next read on."""
    require_move(draft, Event.ANNOTATE)
    _keep(draft, added)
    draft.move(Event.ANNOTATE, Act(context.actor, draft.details, None), reasons=())


def _keep(draft: Draft, added: Sequence[Copy]) -> None:
    """Stores the added resources, and names them in the request's `supportingInfo` (spec.md 4)."""
    draft.copies += [copy(item.resource, item.id, draft.after) for item in added]
    new = [{"reference": f"{item.type}/{item.id}"} for item in added]
    if new:
        info = [*draft.sent.get("supportingInfo", ()), *new]
        draft.sent = {**draft.sent, "supportingInfo": info}


async def add_information(
    source: Source,
    draft: Draft,
    added: Sequence[Copy],
    context: RequestContext,
    seen: Visibility,
) -> None:
    """Keeps the resources with the referral, stops the void clock and asks the rules again."""
    require_move(draft, Event.ADD_INFORMATION)
    after = draft.after
    sent_along = await copies(source, after.plan, after.id)
    earlier = await referenced_before(
        source, draft.sent, sent_along, after.organization_id, context
    )
    own = after.organization_id == context.actor.organization_id
    numbers = {number_in(item.resource) for item in added} - {None}
    believed = bool(context.trusted) and (own or bool(numbers))
    submission = await to_thread_if_heavy(
        _resubmission, draft, earlier, added, context, alone=believed
    )
    # A member once known stays. Else only who sent the referral, or names this member now, is
    # believed on the number alone: other information of the staff's identifies nobody.
    believed = believed and (own or submission.request.cin in numbers)
    trusted = [after.plan] if after.member_id else context.trusted if believed else ()
    repeats = RepeatPolicy(context.actor.name, None, None, seen)
    known = await gather(source, replace(inquire(submission, repeats, context), identifiers=()))
    asking = known if own else replace(known, based_on=frozenset())
    identity = identify(submission.request, asking, context.rules.plans, submission.on, trusted)
    if draft.after.plan == UNASSIGNED and identity.plan is not None:
        await _give_to_plan(source, draft, identity, submission, known, context)
    elif identity.key != draft.after.plan:
        identity = replace(
            identity, plan=draft.after.plan, identified=False, member_id=None, roster=None
        )
    known = identity.concerning(known)
    _keep(draft, added)
    answered = replace(draft.details, missing=(), asking=None)
    draft.move(Event.ADD_INFORMATION, Act(context.actor, answered, None))
    draft.listening = [*draft.listening, *known.listening]
    case = await to_thread_if_heavy(eligibility, submission, identity, known, context.rules)
    ordered = candidates(submission, case, known)
    request = submission.request
    draft.about(identity.member_id, request.cin, request.service)
    await settle(source, draft, case, ordered, submission, context)


async def _give_to_plan(
    source: Source,
    draft: Draft,
    identity: Identity,
    submission: Submission,
    known: Known,
    context: RequestContext,
) -> None:
    """Gives a referral without a plan to the plan now known; its id and history stay.

    From now on due dates follow the plan's own clocks, still counted from receipt.
    """
    if not isinstance(source, Transaction):
        raise NeedsLocks
    plan, after = identity.key, draft.after
    await change_plan(source, after.id, after.plan, plan)
    asked = after.asked_performer_id or asked_performer(submission, known, identity)
    clocks = context.rules.clocks(plan, submission.on)
    due = decision_due(after.received_at, after.priority, clocks)
    draft.belongs_to(plan, known.plan_organization(plan), due, asked)


def _resubmission(
    draft: Draft,
    earlier: Sequence[tuple[str, dict[str, Any]]],
    added: Sequence[Copy],
    context: RequestContext,
    *,
    alone: bool,
) -> Submission:
    """Builds a submission from the stored referral, all its resources and the added ones."""
    received = draft.after.received_at
    on = local_date(received)
    new = [(f"{item.type}/{item.id}", {**item.resource, "meta": {}}) for item in added]
    resources: AddedResources = [*earlier, *new]
    added_patient = None if draft.after.member_id else identified_patient(resources)
    if added_patient is not None:
        resources = about_the_member(resources, added_patient, draft.sent["subject"])
    named = {
        unversioned(item["reference"])
        for item in draft.sent.get("supportingInfo", ())
        if "reference" in item
    }
    extra = [{"reference": name} for name, _ in resources if name not in named]
    sent = {**draft.sent, "supportingInfo": [*draft.sent.get("supportingInfo", ()), *extra]}
    return Submission(
        referral_id=draft.after.id,
        service_request=sent,
        request=_completed_request(
            draft,
            read_referral(sent, resources, on, context.rules.plans),
            resources,
            added_patient,
            alone=alone,
        ),
        stated=[
            *read_facts(sent, resources, on),
            *([added_patient.stated()] if added_patient else []),
        ],
        received_at=received,
        fingerprint=Fingerprint("", ""),
        base=context.fhir_base,
    )


def _completed_request(
    draft: Draft,
    request: ReferralRequest,
    resources: AddedResources,
    added_patient: Identified | None,
    *,
    alone: bool,
) -> ReferralRequest:
    """Completes the request: a member once known stays, and so does a service named later."""
    after = draft.after
    service = request.service or service_stated(resources) or after.service
    if after.member_id is not None:
        request = replace(request, cin=after.cin, plan=after.plan, birth_date=None, families=())
    elif added_patient is not None:
        request = named_by(request, added_patient, alone=alone)
    return replace(request, service=service)


# Reading the resources that were added


def read_added(
    tree: ResourceTree, referral_id: str, documents: Sequence[str] = MEDIA_TYPES
) -> list[Copy]:
    """Reads the resources of Parameters or of a Bundle, and gives each a new id of the referral's.

    Rewrites references between the entries of a Bundle to the new ids. Raises 422 with all faults.
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
        listed = given(tree, {"resource": RESOURCES}).resources("resource")
        entries = [(f"Parameters.parameter[{i}].resource", None, r) for i, r in enumerate(listed)]
    _require_addable(entries, "Bundle.entry" if bundle else at("resource"), documents)
    copies = [Copy(item["resourceType"], _new_part(referral_id), item) for _, _, item in entries]
    names = {
        url: f"{copy.type}/{copy.id}"
        for (_, url, _), copy in zip(entries, copies, strict=True)
        if url
    }
    return [
        replace(copy, resource=rewrite_references(copy.resource, names_within(names, url)))
        for copy, (_, url, _) in zip(copies, entries, strict=True)
    ]


def _new_part(referral_id: str) -> str:
    """Makes the id of an addition, before anybody knows the version that it will come with."""
    return id_of_part(referral_id, f"a{new_id()[-12:]}")


def _require_addable(
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
        if any(is_placeholder(item.get("value")) for item in _identifiers(resource)):
            faults.append(Issue("value", placeholder_text("identifier"), f"{path}.identifier"))
    if faults:
        raise refuse_faults(faults, 422)


def _identifiers(resource: ResourceTree) -> list[ResourceTree]:
    values = resource.get("identifier") or []
    return (
        [item for item in values if isinstance(item, dict)]
        if isinstance(values, list)
        else [values]
    )


def identified_patient(listed: AddedResources) -> Identified | None:
    """Finds the Patient with a CIN that was added last; None if two such Patients differ in CIN.

    A Patient that came with the referral itself does not count: there the referral's `subject` says
    who the member is.
    """
    later = [
        Identified(reference, resource)
        for reference, resource in listed
        if (resource.get("meta") or {}).get("versionId") != "1" and number_in(resource)
    ]
    numbers = {own_identifier(added.patient, codes.CIN) for added in later}
    return later[-1] if len(numbers) == 1 else None


def number_in(resource: ResourceTree) -> str | None:
    """Reads the number (CIN) by which a Patient says whom the referral is about."""
    patient = resource["resourceType"] == "Patient"
    return (own_identifier(resource, codes.CIN) or None) if patient else None


def about_the_member(
    listed: AddedResources, added_patient: Identified, subject: Mapping[str, Any]
) -> AddedResources:
    """Returns `listed`, with the resources about the added Patient made about `subject` instead."""
    return [
        (reference, _about_subject(resource, added_patient, subject))
        for reference, resource in listed
    ]


def _about_subject(
    resource: ResourceTree, added_patient: Identified, subject: Mapping[str, Any]
) -> ResourceTree:
    name = WHOM.get(resource["resourceType"])
    if name is None or (resource.get(name) or {}).get("reference") != added_patient.reference:
        return resource
    return {**resource, name: subject}


def named_by(
    request: ReferralRequest, added_patient: Identified, *, alone: bool
) -> ReferralRequest:
    """Returns the request with CIN, birth date and family names of the added Patient; of the last
    two those of the request, where the Patient lacks them and does not count `alone`.
    """
    patient = added_patient.patient
    birth, families = patient.get("birthDate"), families_of(patient)
    before = replace(request, birth_date=None, families=()) if alone else request
    return replace(
        request,
        cin=own_identifier(patient, codes.CIN),
        birth_date=birth if isinstance(birth, str) and birth else before.birth_date,
        families=families or before.families,
    )


def service_stated(listed: AddedResources) -> str | None:
    """Finds the service in the answers to the question `service`; the last answer holds."""
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

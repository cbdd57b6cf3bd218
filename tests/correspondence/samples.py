"""Letters to look at: a denial by the rules or a person, and every outcome to every recipient."""

from dataclasses import replace
from datetime import UTC, date, datetime

from app.policy.engine import evaluate
from app.policy.library import load_library
from app.policy.model import EligibilityQuestion, Fact, Facts, Missing
from app.policy.phrases import phrases
from app.policy.vocabulary import words
from app.store.referral.snapshot import Authorized, LetterSnapshot
from app.views.letters.content import Addressee, LetterContent
from app.views.letters.criteria import decisive
from tests.policies.vectors import stated_facts

LIBRARY = load_library()
NOON = datetime(2026, 11, 23, 20, tzinfo=UTC)
NOBODY = Addressee()
LUIS = Addressee("Luis Ejemplo Ñandú", ("112 Example Street", "Stockton, CA 95201"))
PROVIDER = Addressee("Redwood Slope", ("1 Example Way", "Lodi, CA 95240"), ("209-555-0100",))


def denied(plan="HPSJ", service="HD", facts=None, claimed=(), county="san_joaquin"):
    """A determination of the rules that denies."""
    stated = facts or {
        "coverage_active": True,
        "engaged_with_care_manager": True,
        "willing_to_receive_cs": True,
        "receiving_htns": False,
        "moving_into_permanent_housing": False,
    }
    known = Facts({name: Fact(value, "roster") for name, value in stated.items()})
    answer = evaluate(
        LIBRARY,
        EligibilityQuestion(plan, service, date(2026, 11, 20), county, tuple(claimed), known),
    )
    assert answer.outcome == "denied", answer.reasons
    return answer


def without_need(plan, on=date(2026, 11, 20), **facts):
    """A denial of ECM to somebody of whom every fact was answered with no, but those given."""
    stated = dict(stated_facts({"service": "ECM", "facts": {}})) | facts
    known = Facts(
        {name: Fact(value, "form") for name, value in stated.items()}, events_complete=True
    )
    county = {"HPSM": "san_mateo", "CCAH": "monterey"}[plan]
    answer = evaluate(LIBRARY, EligibilityQuestion(plan, "ECM", on, county, ("POF1A",), known))
    assert answer.outcome == "denied", answer.reasons
    return answer


def snapshot(answer, **more):
    """What was so when it was decided."""
    known = LetterSnapshot(
        seq=3,
        version=3,
        service="HD",
        received_at=datetime(2026, 11, 20, 18, tzinfo=UTC),
        policy=answer.policy,
        reasons=answer.reasons,
        missing=(Missing("homeless", "Is the member experiencing homelessness?"),),
        void_due=datetime(2026, 12, 2, 7, 59, 59, tzinfo=UTC),
        assignment="assigned",
        performer_id="org-p",
        authorized=Authorized(
            "HPSJ-1", date(2026, 11, 23), date(2027, 5, 22), {"quantity": 5000, "unit": "USD"}
        ),
    )
    return replace(known, **more)


def content(outcome="denied", recipient="member", language="en", answer=None, **more):
    """The content of a letter; `more` replaces parts of it, or of its snapshot."""
    answer = answer or denied()
    parts = {name: more.pop(name) for name in list(more) if hasattr(snapshot(answer), name)}
    spoken = phrases(LIBRARY, answer.policy, language)
    made = LetterContent(
        outcome=outcome,
        recipient=recipient,
        language=language,
        at=NOON,
        referral_id="01a20ac2-1590-7455-9fce-72f3a0174834",
        to=LUIS,
        member=LUIS.name,
        snapshot=snapshot(answer, **parts),
        policy=LIBRARY.versions[answer.policy],
        decisive=decisive(
            answer,
            more.pop("claimed", ()),
            spoken,
            words(language),
            language,
            to_the_member=recipient == "member",
        ),
        provider=PROVIDER if outcome == "approved" else None,
    )
    return replace(made, **more)


def texts(letter):
    """Everything that the letter says, in order."""
    said = [letter.sender, letter.date, *letter.addressee, letter.title]
    said += [part for row in letter.about for part in row]
    said.append(letter.greeting)
    for section in letter.sections:
        said += [section.heading, *section.paragraphs, *section.after]
        said += [line for item in section.items for line in item.texts]
        said += [part for point in section.points for part in point]
    return said + [text for _, text in letter.taglines]

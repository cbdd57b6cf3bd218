"""What a letter says: its content as data, in the language of whoever reads it. PURE.

How it looks is `render_html.py` and `render_pdf.py`; who gets one is `app.model.notices`;
where the values come from is `outbox.py`. What a notice of denial must hold: fact sheet 6.3.

Where a rule comes from, in words: `S003:L36; G26 p.19` as a person can look it up.
"""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from app.base.local_time import local_date
from app.fhir.r4.codes import SERVICES
from app.policy.dictionary import load_dictionary
from app.policy.model import Missing, Reason
from app.policy.schema import Contact
from app.policy.vocabulary import (
    LANGUAGES,
    LetterWords,
    english,
    reason_in_words,
    translated,
    words,
)
from app.views.letters.content import (
    Addressee,
    Letter,
    LetterContent,
    LetterItem,
    LetterSection,
    bounded,
)
from app.views.letters.criteria import Decisive

#: Whom an office calls, and whom a member calls: keys of the plan's contacts, the best first.
_OFFICE_CALLS = ("referrals", "authorization_status", "member")
_MEMBER_CALLS = ("member", "referrals")
_BY_TIME = "clock"
_SECONDARY = "secondary-source"


def compose(content: LetterContent) -> Letter:
    """The letter, no longer than somebody reads."""
    writer = _Writer(content)
    said = writer.said
    name = content.to.name
    titles = said["titles"] if writer.to_person else said["titles_offices"]
    letter = Letter(
        language=content.language,
        sender=writer.plan,
        date=written_date(local_date(content.at), said),
        addressee=writer.address(),
        title=titles[content.outcome],
        about=tuple(writer.about()),
        greeting=said["dear"].format(name=name) if name else said["dear_nobody"],
        sections=tuple(section for section in writer.sections() if section),
        taglines=tuple((each, writer.tagline(each)) for each in writer.tag_languages()),
        page=said["page"],
    )
    return bounded(letter)


def written_date(day: date, said: LetterWords) -> str:
    """A date in words."""
    month = said["months"][day.month - 1]
    return str(said["date"].format(day=day.day, month=month, year=day.year))


class _Writer:
    """The words of one letter."""

    def __init__(self, content: LetterContent) -> None:
        self.content = content
        self.said = words(content.language)
        self.policy = content.policy
        self.to_person = content.recipient == "member" or content.person
        #: Which of the words fit the reader: a person is spoken to as the member is.
        self.voice = "member" if content.recipient == "member" else content.recipient
        language = content.language
        data = self.policy.data if self.policy else None
        self.plan: str = translated(data.name, language) if data else self.said["plan_unknown"]
        known = data.services.get(content.occasion.service or "") if data else None
        self.service: str = (
            translated(known.name, language)
            if known
            else SERVICES.get(content.occasion.service or "", self.said["service_unknown"])
        )

    def address(self) -> tuple[str, ...]:
        to, labels = self.content.to, self.said["labels"]
        reached = [f"{labels['fax']}: {fax}" for fax in to.faxes[:1]]
        if not to.lines and not to.faxes:
            reached = [f"{labels['phone']}: {phone}" for phone in to.phones[:1]]
        return tuple(line for line in (to.name, *to.lines, *reached) if line)

    def about(self) -> list[tuple[str, str]]:
        content, labels = self.content, self.said["labels"]
        received = written_date(local_date(content.occasion.received_at), self.said)
        rows = [
            (labels["member"], content.member),
            (labels["cin"], content.occasion.cin),
            (labels["service"], self.service),
            (labels["referral"], content.referral_id),
            (labels["received"], received),
        ]
        return [(label, value) for label, value in rows if value]

    def sections(self) -> list[LetterSection | None]:
        outcome = self.content.outcome
        asks, denied = outcome == "information-needed", outcome == "denied"
        return [
            self._decision(),
            self._reason() if outcome in ("denied", "void", "cancelled") else None,
            self._criterion() if denied and self.content.recipient != "servicing" else None,
            self._questions(open_=asks) if asks or outcome == "void" else None,
            self._authorization() if outcome == "approved" else None,
            self._section("next", items=self.said["next"][self.voice][outcome]),
            self._contact(),
            self._decided_by() if not asks else None,
            self._rights() if denied and self.content.recipient != "servicing" else None,
        ]

    def tag_languages(self) -> Sequence[str]:
        """The reader's own language first."""
        mine = self.content.language
        return (mine, *(each for each in LANGUAGES if each != mine))

    def tagline(self, language: str) -> str:
        said = words(language)
        contact = self._contacts(_MEMBER_CALLS)[:1]
        phone = contact[0].phone if contact and contact[0].phone else said["tagline_phone"]
        return str(said["tagline"].format(phone=phone))

    def _section(
        self,
        heading: str,
        *paragraphs: str,
        items: Sequence[str | LetterItem] = (),
        after: Sequence[str] = (),
    ) -> LetterSection:
        listed = tuple(item if isinstance(item, LetterItem) else LetterItem(item) for item in items)
        return LetterSection(self.said["headings"][heading], paragraphs, listed, tuple(after))

    def _decision(self) -> LetterSection:
        outcome = self.content.outcome
        text = self.said["decision"][self.voice][outcome]
        heading = "waiting" if outcome == "information-needed" else "decision"
        return self._section(heading, text.format(plan=self.plan, service=self.service))

    def _reason(self) -> LetterSection | None:
        if self.content.recipient == "servicing":
            return None
        told = [self._one_reason(reason) for reason in self.content.occasion.reasons]
        return self._section("reason", *filter(None, dict.fromkeys(told)))

    def _one_reason(self, reason: Reason) -> str:
        to_member = self.content.recipient == "member"
        known = reason_in_words(self.content.language, reason.code, to_member=to_member)
        return " ".join(part for part in (known, self._advice(reason.text)) if part)

    def _advice(self, text: str | None) -> str | None:
        """Advice of the plan in the reader's language; what a person wrote, as it was written.

        That a source is another plan's stands with the criterion: here it would say it twice.
        """
        advice = self.policy.data.advice if self.policy else {}
        key = next((name for name, each in advice.items() if each.en == text), None)
        if key is None:
            return text
        return None if key == _SECONDARY else translated(advice[key], self.content.language)

    def _criterion(self) -> LetterSection:
        said, data = self.said, self.policy.data if self.policy else None
        told = self.content.decisive
        if not told:
            known = data.services.get(self.content.occasion.service or "") if data else None
            name = said["rules_of"].format(service=self.service)
            told = (Decisive(name, known.citation if known else ""),)
        items = []
        for each in told:
            source = in_words(each.citation, said)
            line = said["criterion_line"].format(criterion=each.name, source=source)
            items.append(LetterItem(line, each.parts))
        after = [] if self._by_machine() else [said["criterion_person"]]
        after.append(said["criterion_free"])
        intro = said["criterion_intro"].format(plan=self.plan)
        return self._section("criterion", intro, *self._about_you(), items=items, after=after)

    def _about_you(self) -> list[str]:
        """Criteria and questions are worded for those who refer: a member is told who is meant."""
        return [self.said["about_you"]] if self.content.recipient == "member" else []

    def _questions(self, *, open_: bool) -> LetterSection | None:
        """What is asked, or what nobody answered; the performer is not asked."""
        said, occasion = self.said, self.content.occasion
        if self.content.recipient == "servicing" or not occasion.missing:
            return None
        items = [self._question(missing) for missing in occasion.missing]
        after = []
        if open_ and occasion.void_due is not None:
            due = written_date(local_date(occasion.void_due), said)
            after.append(f"{said['labels']['due']}: {due}")
        heading = "questions" if open_ else "unanswered"
        return self._section(heading, *self._about_you(), items=items, after=after)

    def _question(self, missing: Missing) -> str:
        dictionary = load_dictionary()
        if self.content.language == "es" and missing.fact in dictionary:
            return dictionary.question(missing.fact, "es")
        ours = english()["questions_of_ours"]
        key = next((name for name, each in ours.items() if each == missing.question), None)
        return self.said["questions_of_ours"][key] if key else missing.question

    def _authorization(self) -> LetterSection:
        said, labels = self.said, self.said["labels"]
        occasion, provider = self.content.occasion, self.content.provider
        items = []
        if (held := occasion.authorized) is not None:
            first, last = (written_date(day, said) for day in (held.starts_on, held.ends_on))
            items.append(f"{labels['authorization']}: {held.number}")
            items.append(f"{labels['period']} {first} {labels['until']} {last}")
            items += [f"{labels['amount']}: {amount}" for amount in _amount(held.units, said)]
        told = said["provider" if self.to_person else "provider_office"]
        text = told.get(occasion.assignment or "", "")
        if self.content.recipient == "servicing":  # knows itself, and must reach the member
            after = self._reach("member", self.content.member_reached)
        else:
            after = [text.format(provider=provider.name if provider else "")] if text else []
            after += self._reach("provider", provider)
        return self._section("authorization", items=items, after=after)

    def _reach(self, label: str, whom: Addressee | None) -> list[str]:
        labels = self.said["labels"]
        if whom is None:
            return []
        reached = [f"{labels['phone']}: {phone}" for phone in whom.phones[:1]]
        line = ". ".join([", ".join(filter(None, [whom.name, *whom.lines])), *reached])
        return [f"{labels[label]}: {line}"] if line else []

    def _contacts(self, keys: Sequence[str]) -> list[Contact]:
        contacts = self.policy.data.contacts if self.policy else {}
        return [contacts[key] for key in keys if key in contacts]

    def _contact(self) -> LetterSection:
        found = self._contacts(_MEMBER_CALLS if self.to_person else _OFFICE_CALLS)
        told = found[:1] if self.to_person else found
        items = [self._one_contact(contact) for contact in told]
        after = []
        if not any(contact.phone for contact in told):
            own = "contact_none_member" if self.content.recipient == "member" else "contact_none"
            after.append(self.said[own].format(plan=self.plan))
        if not any(contact.tty for contact in told):
            after.append(self.said["tty_relay"])
        return self._section("contact", items=items, after=after)

    def _one_contact(self, contact: Contact) -> str:
        labels = self.said["labels"]
        named = ("phone", "tty", "fax", "hours", "mail")
        known = ((labels[name], getattr(contact, name)) for name in named)
        return ". ".join([contact.name, *(f"{label}: {value}" for label, value in known if value)])

    def _by_machine(self) -> bool:
        return self.content.occasion.decided_by in ("rules", _BY_TIME)

    def _decided_by(self) -> LetterSection:
        said, occasion = self.said["decided_by"], self.content.occasion
        policy = occasion.policy or self.plan
        if self.content.outcome == "cancelled" and occasion.reasons == (Reason("withdrawn"),):
            return self._section("decided_by", said["requester"])
        if self._by_machine():
            key = "clock" if occasion.decided_by == _BY_TIME else "rules"
            return self._section("decided_by", said[key].format(policy=policy))
        text = said["person"].format(plan=self.plan, name=occasion.decided_by)
        return self._section("decided_by", text)

    def _rights(self) -> LetterSection:
        told = tuple(
            (right["heading"], right["text"].format(plan=self.plan))
            for right in self.said["rights"]
        )
        heading = "rights" if self.content.recipient == "member" else "rights_office"
        return LetterSection(self.said["headings"][heading], points=told)


def _amount(units: Any, said: LetterWords) -> list[str]:
    if not units:
        return []
    quantity, unit = units.get("quantity"), units.get("unit")
    one, many = said["units"].get(unit, (unit, unit))
    return [f"{quantity} {one if quantity == 1 else many}"]


_PAGE = re.compile(r"(S00\d):L(.+)")
_GUIDE = re.compile(r"G26 p\.(.+)")
_DOCUMENT = re.compile(r"(S00\d:L|G26 p\.).")
_OTHERS = {"lacare": "L.A. Care"}


def in_words(citation: str, said: LetterWords) -> str:
    """The sources of a citation, each once; an empty citation is this service's own rule."""
    named = [_one(source, said) for source in _together(citation.split("; ")) if source]
    return "; ".join(dict.fromkeys(named)) or said["sources"]["own"]


def _together(sources: list[str]) -> list[str]:
    """Lines of one page, and pages of the guide, named at one place: `S003:L50, 51`."""
    places: dict[str, list[str]] = {}
    for source in sources:
        found = _DOCUMENT.match(source)
        begins = found[1] if found else source
        places.setdefault(begins, []).append(source.removeprefix(begins))
    return [begins + ", ".join(dict.fromkeys(ends)) for begins, ends in places.items()]


def _one(source: str, said: LetterWords) -> str:
    sources = said["sources"]
    if found := _PAGE.fullmatch(source):
        document = said["documents"].get(found[1], found[1])
        lines = found[2].replace("L", "")
        return str(
            sources["page_lines" if _many(lines) else "page"].format(document=document, line=lines)
        )
    if found := _GUIDE.fullmatch(source):
        return str(sources["guide_pages" if _many(found[1]) else "guide"].format(page=found[1]))
    if source.startswith("CO-"):
        return str(sources["other_plan"].format(document=f"CalOptima Health, {source[3:]}"))
    kind, _, address = source.partition(":")
    if kind == "W" and "." not in address:
        document = _OTHERS.get(address, address)
        return str(sources["other_plan"].format(document=document))
    if kind in ("W", "GH") and address:
        return str(sources["web"].format(address=address))
    return str(sources["own"])


def _many(places: str) -> bool:
    """Whether `19-21` or `50, 51` is more than one line or page."""
    return "-" in places or "," in places

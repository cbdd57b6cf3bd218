"""Writes a letter from its content, as data or as a page, in the language of its reader.

`outbox.py` reads the content, `render_pdf.py` prints the letter, and `app.model.notices` decides
who gets one. Fact sheet 6.3 lists what a notice of denial must hold. Citations are put into words
(`app.policy.citations`), so that a person can look up the source.
"""

from collections.abc import Sequence
from typing import Any

from app.base.local_time import local_date
from app.base.text import sentence
from app.fhir.r4.codes import SERVICES
from app.policy.citations import citation_in_words
from app.policy.model import Reason
from app.policy.schema import Contact
from app.policy.vocabulary import (
    LANGUAGES,
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
from app.views.letters.questions import questions
from app.views.letters.reasons import reasons_in_words
from app.views.letters.spoken import speaks_to_member, written_date
from app.views.page import templates

#: Contacts for an office and for a member to call: keys of the plan's contacts, the best first.
_OFFICE_CALLS = ("referrals", "authorization_status", "member")
_MEMBER_CALLS = ("member", "referrals")
_BY_TIME = "clock"


def compose_letter(content: LetterContent) -> Letter:
    """Write the letter; long texts and lists are cut (`bounded`)."""
    writer = _Writer(content)
    wording = writer.wording
    name = content.to.name
    titles = wording["titles"] if writer.to_person else wording["titles_offices"]
    letter = Letter(
        language=content.language,
        sender=writer.plan,
        date=written_date(local_date(content.at), wording),
        addressee=writer.address(),
        title=titles[writer.told],
        about=tuple(writer.about()),
        greeting=wording["dear"].format(name=name) if name else wording["dear_nobody"],
        sections=tuple(section for section in writer.sections() if section),
        taglines=tuple((each, writer.tagline(each)) for each in writer.tag_languages()),
        page=wording["page"],
    )
    return bounded(letter)


class _Writer:
    """Writes the parts of one letter."""

    def __init__(self, content: LetterContent) -> None:
        self.content = content
        self.wording = words(content.language)
        self.policy = content.policy
        self.to_person = content.recipient == "member" or content.person
        #: The key of the words for this recipient: `member`, `requesting` or `servicing`.
        self.voice = "member" if content.recipient == "member" else content.recipient
        again = content.outcome == "information-needed" and content.snapshot.reminder
        #: The key of the words for what is told: the outcome, or `reminder`.
        self.told = "reminder" if again else content.outcome
        language = content.language
        data = self.policy.data if self.policy else None
        self.plan: str = translated(data.name, language) if data else self.wording["plan_unknown"]
        known = data.services.get(content.snapshot.service or "") if data else None
        self.service: str = (
            translated(known.name, language)
            if known
            else SERVICES.get(content.snapshot.service or "", self.wording["service_unknown"])
        )

    def address(self) -> tuple[str, ...]:
        to, labels = self.content.to, self.wording["labels"]
        reached = [f"{labels['fax']}: {fax}" for fax in to.faxes[:1]]
        if not to.lines and not to.faxes:
            reached = [f"{labels['phone']}: {phone}" for phone in to.phones[:1]]
        return tuple(line for line in (to.name, *to.lines, *reached) if line)

    def about(self) -> list[tuple[str, str]]:
        content, labels = self.content, self.wording["labels"]
        received = written_date(local_date(content.snapshot.received_at), self.wording)
        rows = [
            (labels["member"], content.member),
            (labels["cin"], content.snapshot.cin),
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
            *(self._asked(open_=asks) if asks or outcome == "void" else ()),
            self._authorization() if outcome == "approved" else None,
            self._next(),
            self._ready() if asks and self.to_person else None,
            self._contact(),
            self._decided_by() if not asks else None,
            self._rights() if denied and self.content.recipient != "servicing" else None,
        ]

    def tag_languages(self) -> Sequence[str]:
        """List the languages of the taglines, the reader's language first."""
        own = self.content.language
        return (own, *(each for each in LANGUAGES if each != own))

    def tagline(self, language: str) -> str:
        wording = words(language)
        phone = self._phone(_MEMBER_CALLS) or wording["phone_member"]
        return str(wording["tagline"].format(phone=phone))

    def _phone(self, keys: Sequence[str]) -> str | None:
        """Find the number to call; None: the plan has none, and the letter points to the card."""
        return next((each.phone for each in self._contacts(keys) if each.phone), None)

    @property
    def _call(self) -> str:
        """Word whom the reader calls: a number, or the number on the card."""
        own = self.content.recipient == "member"
        phone = self._phone(_MEMBER_CALLS if self.to_person else _OFFICE_CALLS)
        return phone or str(self.wording["phone_member" if own else "phone_others"])

    @property
    def _until(self) -> str:
        due = self.content.snapshot.void_due
        if due is None:
            return str(self.wording["until_open"])
        return str(self.wording["until"].format(date=written_date(local_date(due), self.wording)))

    def _next(self) -> LetterSection:
        """List what the reader can do; a person who is asked is asked to call."""
        asks = self.content.outcome == "information-needed"
        if asks and self.to_person and self.voice != "member":
            listed = self.wording["family"]
        else:
            listed = self.wording["next"][self.voice][self.content.outcome]
        items = [text.format(phone=self._call, until=self._until) for text in listed]
        return self._section("next", items=items)

    def _ready(self) -> LetterSection:
        """List what a person should have at hand for the call."""
        who = "member" if self.voice == "member" else "family"
        return self._section("ready", items=self.wording["ready"][who])

    def _section(
        self,
        heading: str,
        *paragraphs: str,
        items: Sequence[str | LetterItem] = (),
        after: Sequence[str] = (),
    ) -> LetterSection:
        listed = tuple(item if isinstance(item, LetterItem) else LetterItem(item) for item in items)
        return LetterSection(self.wording["headings"][heading], paragraphs, listed, tuple(after))

    def _decision(self) -> LetterSection:
        outcome = self.content.outcome
        text = self.wording["decision"][self.voice][self.told]
        heading = "waiting" if outcome == "information-needed" else "decision"
        return self._section(heading, text.format(plan=self.plan, service=self.service))

    def _reason(self) -> LetterSection | None:
        if self.content.recipient == "servicing":
            return None
        return self._section("reason", *reasons_in_words(self.content))

    def _criterion(self) -> LetterSection:
        wording, data = self.wording, self.policy.data if self.policy else None
        decisive = self.content.decisive
        if not decisive:
            known = data.services.get(self.content.snapshot.service or "") if data else None
            name = sentence(wording["rules_of"].format(service=self.service))
            decisive = (Decisive(name, known.citation if known else ""),)
        named = [each for each in decisive if not each.group]
        items = [self._criterion_line(each) for each in named]
        items += self._groups([each for each in decisive if each.group], more=bool(named))
        after = [] if self._by_machine() else [wording["criterion_person"]]
        after.append(wording["criterion_free"].format(phone=self._call))
        intro = wording["criterion_intro"].format(plan=self.plan)
        return self._section("criterion", intro, *self._about_you(), items=items, after=after)

    def _criterion_line(self, each: Decisive) -> LetterItem:
        source = citation_in_words(each.citation, self.content.language)
        line = self.wording["criterion_line"].format(criterion=each.name, source=source)
        said = speaks_to_member(self.content.language) and each.parts == (each.one_thing,)
        return LetterItem(line, () if said else each.parts)

    def _groups(self, groups: Sequence[Decisive], *, more: bool) -> list[LetterItem]:
        """Name the populations that the referral does not claim in one list, with their sources."""
        if not groups:
            return []
        wording = self.wording["groups"]
        who = "member" if self.content.recipient == "member" else "others"
        text = wording[f"more_{who}" if more else who].format(service=self.service)
        source = citation_in_words(
            "; ".join(each.citation for each in groups), self.content.language
        )
        names = [each.name for each in groups]
        return [LetterItem(text, (*names, self.wording["source"].format(source=source)))]

    def _about_you(self) -> list[str]:
        """Say, in a letter to the member, that `the member` in criteria is the reader, where the
        language has no words that speak to the member.
        """
        spoken = speaks_to_member(self.content.language)
        if self.content.recipient == "member" and not spoken:
            return [str(self.wording["about_you"])]
        return []

    def _asked(self, *, open_: bool) -> list[LetterSection]:
        """List the open questions, or the unanswered ones; not in a letter to the performer."""
        if self.content.recipient == "servicing":
            return []
        due = None
        if open_ and not self.to_person and self.content.snapshot.void_due is not None:
            day = written_date(local_date(self.content.snapshot.void_due), self.wording)
            due = f"{self.wording['labels']['due']}: {day}"
        return questions(self.content, open_=open_, due=due, to_person=self.to_person)

    def _authorization(self) -> LetterSection:
        wording, labels = self.wording, self.wording["labels"]
        snapshot, provider = self.content.snapshot, self.content.provider
        items = []
        if (held := snapshot.authorized) is not None:
            first, last = (written_date(day, wording) for day in (held.starts_on, held.ends_on))
            items.append(f"{labels['authorization']}: {held.number}")
            items.append(f"{labels['period']} {first} {labels['until']} {last}")
            items += [f"{labels['amount']}: {amount}" for amount in self._amount(held.units)]
        texts = wording["provider" if self.to_person else "provider_office"]
        text = texts.get(snapshot.assignment or "", "")
        if self.content.recipient == "servicing":  # the performer must reach the member
            after = self._reach("member", self.content.member_reached)
        else:
            after = [text.format(provider=provider.name if provider else "")] if text else []
            after += self._reach("provider", provider)
        return self._section("authorization", items=items, after=after)

    def _amount(self, units: Any) -> list[str]:
        """Word what is authorized: an amount that was asked for, or the most that the plan gives.
        Of a service that the plan offers in part, plan and provider agree on the amount.
        """
        if not units:
            return []
        quantity, unit = units.get("quantity"), units.get("unit")
        one, many = self.wording["units"].get(unit, (unit, unit))
        text = f"{quantity:,} {one if quantity == 1 else many}"
        service = self.content.snapshot.service or ""
        data = self.policy.data if self.policy else None
        term = data.terms.get(service) if data else None
        if data is None or term is None or (term.units, term.unit) != (quantity, unit):
            return [text]
        partial = any(cell.partial for cell in data.availability.get(service, {}).values())
        key = "as_agreed" if partial else "at_most"
        return [str(self.wording[key].format(amount=text))] if quantity != 1 else [text]

    def _reach(self, label: str, whom: Addressee | None) -> list[str]:
        labels = self.wording["labels"]
        if whom is None:
            return []
        reached = [f"{labels['phone']}: {phone}" for phone in whom.phones[:1]]
        line = ". ".join([", ".join(filter(None, [whom.name, *whom.lines])), *reached])
        return [f"{labels[label]}: {line}"] if line else []

    def _contacts(self, keys: Sequence[str]) -> list[Contact]:
        contacts = self.policy.data.contacts if self.policy else {}
        return [contacts[key] for key in keys if key in contacts]

    def _contact(self) -> LetterSection:
        known = self._contacts(_MEMBER_CALLS if self.to_person else _OFFICE_CALLS)
        listed = known[:1] if self.to_person else known
        items = [self._one_contact(contact) for contact in listed]
        after = []
        if not any(contact.phone for contact in listed):
            own = "contact_none_member" if self.content.recipient == "member" else "contact_none"
            after.append(self.wording[own].format(plan=self.plan))
        if not any(contact.tty for contact in listed):
            after.append(self.wording["tty_relay"])
        return self._section("contact", items=items, after=after)

    def _one_contact(self, contact: Contact) -> str:
        labels = self.wording["labels"]
        hours = translated(contact.hours, self.content.language) if contact.hours else None
        stated = [contact.phone, contact.tty, contact.fax, hours, contact.mail]
        named = [labels[name] for name in ("phone", "tty", "fax", "hours", "mail")]
        known = [f"{label}: {text}" for label, text in zip(named, stated, strict=True) if text]
        return sentence(". ".join([contact.name, *known]))

    def _by_machine(self) -> bool:
        return self.content.snapshot.decided_by in ("rules", _BY_TIME)

    def _decided_by(self) -> LetterSection:
        wording, snapshot = self.wording["decided_by"], self.content.snapshot
        if self.content.outcome == "cancelled" and snapshot.reasons == (Reason("withdrawn"),):
            return self._section("decided_by", wording["requester"])
        if self._by_machine():
            key = "clock" if snapshot.decided_by == _BY_TIME else "rules"
            return self._section("decided_by", wording[key])
        text = wording["named" if snapshot.decider else "person"]
        said = text.format(plan=self.plan, name=snapshot.decider, phone=self._call)
        return self._section("decided_by", said)

    def _rights(self) -> LetterSection:
        points = tuple(
            (right["heading"], right["text"].format(plan=self.plan))
            for right in self.wording["rights"]
        )
        heading = "rights" if self.content.recipient == "member" else "rights_office"
        return LetterSection(self.wording["headings"][heading], points=points)


#: The content security policy of the page: the browser loads nothing from anywhere.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_TEMPLATES = templates()


def html(letter: Letter) -> str:
    """Make the page from the template `letter.html`."""
    return _TEMPLATES.get_template("letter.html").render(letter=letter)

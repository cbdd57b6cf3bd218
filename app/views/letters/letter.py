"""Writes a letter from its content, as data or as a page, in the language of its reader.

`outbox.py` reads the content, `render_pdf.py` prints the letter, and `app.model.notices` decides
who gets one. Fact sheet 6.3 lists what a notice of denial must hold. Citations are put into words
(`app.policy.citations`), so that a person can look up the source.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

from app.base.local_time import local_date
from app.fhir.r4.codes import SERVICES
from app.policy.citations import citation_in_words
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
from app.views.page import templates

#: Contacts for an office and for a member to call: keys of the plan's contacts, the best first.
_OFFICE_CALLS = ("referrals", "authorization_status", "member")
_MEMBER_CALLS = ("member", "referrals")
_BY_TIME = "clock"
_SECONDARY = "secondary-source"


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
        title=titles[content.outcome],
        about=tuple(writer.about()),
        greeting=wording["dear"].format(name=name) if name else wording["dear_nobody"],
        sections=tuple(section for section in writer.sections() if section),
        taglines=tuple((each, writer.tagline(each)) for each in writer.tag_languages()),
        page=wording["page"],
    )
    return bounded(letter)


def written_date(day: date, wording: LetterWords) -> str:
    """Write a date in words."""
    month = wording["months"][day.month - 1]
    return str(wording["date"].format(day=day.day, month=month, year=day.year))


class _Writer:
    """Writes the parts of one letter."""

    def __init__(self, content: LetterContent) -> None:
        self.content = content
        self.wording = words(content.language)
        self.policy = content.policy
        self.to_person = content.recipient == "member" or content.person
        #: The key of the words for this recipient: `member`, `requesting` or `servicing`.
        self.voice = "member" if content.recipient == "member" else content.recipient
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
            self._questions(open_=asks) if asks or outcome == "void" else None,
            self._authorization() if outcome == "approved" else None,
            self._section("next", items=self.wording["next"][self.voice][outcome]),
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
        contact = self._contacts(_MEMBER_CALLS)[:1]
        phone = contact[0].phone if contact and contact[0].phone else wording["tagline_phone"]
        return str(wording["tagline"].format(phone=phone))

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
        text = self.wording["decision"][self.voice][outcome]
        heading = "waiting" if outcome == "information-needed" else "decision"
        return self._section(heading, text.format(plan=self.plan, service=self.service))

    def _reason(self) -> LetterSection | None:
        if self.content.recipient == "servicing":
            return None
        texts = [self._one_reason(reason) for reason in self.content.snapshot.reasons]
        return self._section("reason", *filter(None, dict.fromkeys(texts)))

    def _one_reason(self, reason: Reason) -> str:
        to_member = self.content.recipient == "member"
        known = reason_in_words(self.content.language, reason.code, to_member=to_member)
        return " ".join(part for part in (known, self._advice(reason.text)) if part)

    def _advice(self, text: str | None) -> str | None:
        """Translate advice of the plan; a text that a person wrote stays as it is.

        The advice that a source is another plan's is left out: the criterion says so already.
        """
        advice = self.policy.data.advice if self.policy else {}
        key = next((name for name, each in advice.items() if each.en == text), None)
        if key is None:
            return text
        return None if key == _SECONDARY else translated(advice[key], self.content.language)

    def _criterion(self) -> LetterSection:
        wording, data = self.wording, self.policy.data if self.policy else None
        decisive = self.content.decisive
        if not decisive:
            known = data.services.get(self.content.snapshot.service or "") if data else None
            name = wording["rules_of"].format(service=self.service)
            decisive = (Decisive(name, known.citation if known else ""),)
        items = []
        for each in decisive:
            source = citation_in_words(each.citation, self.content.language)
            line = wording["criterion_line"].format(criterion=each.name, source=source)
            items.append(LetterItem(line, each.parts))
        after = [] if self._by_machine() else [wording["criterion_person"]]
        after.append(wording["criterion_free"])
        intro = wording["criterion_intro"].format(plan=self.plan)
        return self._section("criterion", intro, *self._about_you(), items=items, after=after)

    def _about_you(self) -> list[str]:
        """Say, in a letter to the member, that `the member` in criteria and questions is the
        reader: criteria and questions are worded for referrers.
        """
        return [self.wording["about_you"]] if self.content.recipient == "member" else []

    def _questions(self, *, open_: bool) -> LetterSection | None:
        """List the open questions, or the unanswered ones; not in a letter to the performer."""
        wording, snapshot = self.wording, self.content.snapshot
        if self.content.recipient == "servicing" or not snapshot.missing:
            return None
        items = [self._question(missing) for missing in snapshot.missing]
        after = []
        if open_ and snapshot.void_due is not None:
            due = written_date(local_date(snapshot.void_due), wording)
            after.append(f"{wording['labels']['due']}: {due}")
        heading = "questions" if open_ else "unanswered"
        return self._section(heading, *self._about_you(), items=items, after=after)

    def _question(self, missing: Missing) -> str:
        dictionary = load_dictionary()
        if self.content.language == "es" and missing.fact in dictionary:
            return dictionary.question(missing.fact, "es")
        ours = english()["questions_of_ours"]
        key = next((name for name, each in ours.items() if each == missing.question), None)
        return self.wording["questions_of_ours"][key] if key else missing.question

    def _authorization(self) -> LetterSection:
        wording, labels = self.wording, self.wording["labels"]
        snapshot, provider = self.content.snapshot, self.content.provider
        items = []
        if (held := snapshot.authorized) is not None:
            first, last = (written_date(day, wording) for day in (held.starts_on, held.ends_on))
            items.append(f"{labels['authorization']}: {held.number}")
            items.append(f"{labels['period']} {first} {labels['until']} {last}")
            items += [f"{labels['amount']}: {amount}" for amount in _amount(held.units, wording)]
        texts = wording["provider" if self.to_person else "provider_office"]
        text = texts.get(snapshot.assignment or "", "")
        if self.content.recipient == "servicing":  # the performer must reach the member
            after = self._reach("member", self.content.member_reached)
        else:
            after = [text.format(provider=provider.name if provider else "")] if text else []
            after += self._reach("provider", provider)
        return self._section("authorization", items=items, after=after)

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
        named = ("phone", "tty", "fax", "hours", "mail")
        known = ((labels[name], getattr(contact, name)) for name in named)
        return ". ".join([contact.name, *(f"{label}: {value}" for label, value in known if value)])

    def _by_machine(self) -> bool:
        return self.content.snapshot.decided_by in ("rules", _BY_TIME)

    def _decided_by(self) -> LetterSection:
        wording, snapshot = self.wording["decided_by"], self.content.snapshot
        policy = snapshot.policy or self.plan
        if self.content.outcome == "cancelled" and snapshot.reasons == (Reason("withdrawn"),):
            return self._section("decided_by", wording["requester"])
        if self._by_machine():
            key = "clock" if snapshot.decided_by == _BY_TIME else "rules"
            return self._section("decided_by", wording[key].format(policy=policy))
        text = wording["person"].format(plan=self.plan, name=snapshot.decided_by)
        return self._section("decided_by", text)

    def _rights(self) -> LetterSection:
        points = tuple(
            (right["heading"], right["text"].format(plan=self.plan))
            for right in self.wording["rights"]
        )
        heading = "rights" if self.content.recipient == "member" else "rights_office"
        return LetterSection(self.wording["headings"][heading], points=points)


def _amount(units: Any, wording: LetterWords) -> list[str]:
    if not units:
        return []
    quantity, unit = units.get("quantity"), units.get("unit")
    one, many = wording["units"].get(unit, (unit, unit))
    return [f"{quantity} {one if quantity == 1 else many}"]


#: The content security policy of the page: the browser loads nothing from anywhere.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
_TEMPLATES = templates()


def html(letter: Letter) -> str:
    """Make the page from the template `letter.html`."""
    return _TEMPLATES.get_template("letter.html").render(letter=letter)

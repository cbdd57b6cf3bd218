"""Numbers that members call, where a plan's own page names a team and no number.

The deployment gives the number (`PLAN_MEMBER_PHONES`). It stands in the plan's contacts like a
number of the page, so that letters and the catalog show it; a number of the page wins.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from app.policy.policy import Policy
from app.policy.schema import Contact

#: Plan → the number that its members call.
MemberPhones = Mapping[str, str]
_MEMBER = "member"


def read_member_phones(text: str) -> MemberPhones:
    """Read `HPSM=650-555-0100, CCAH=800-555-0100`."""
    pairs = (pair.partition("=") for pair in text.split(",") if pair.strip())
    return {plan.strip(): number.strip() for plan, _, number in pairs}


def with_member_phone(policy: Policy, phones: MemberPhones) -> Policy:
    """Give the policy its deployment's number, unless its plan's page has one."""
    number, known = phones.get(policy.plan), policy.data.contacts.get(_MEMBER)
    if number is None or (known and known.phone):
        return policy
    known = known or Contact(name=policy.data.name.en, citation="E")
    contacts = {**policy.data.contacts, _MEMBER: known.model_copy(update={"phone": number})}
    return replace(policy, data=policy.data.model_copy(update={"contacts": contacts}))


def without_member_phone(policies: Iterable[Policy], plans: Iterable[str]) -> list[str]:
    """List the plans that a member cannot call. A page that serves no county has no members."""
    silent = {
        policy.plan
        for policy in policies
        if policy.data.counties and not _has_phone(policy.data.contacts.get(_MEMBER))
    }
    return [plan for plan in plans if plan in silent]


def _has_phone(contact: Contact | None) -> bool:
    return contact is not None and bool(contact.phone)

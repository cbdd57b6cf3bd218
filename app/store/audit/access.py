"""What a request, a command or a worker reaches of protected data, noted while it is answered.

`Access` travels in a context variable, so that whatever reads or writes rows of a member says so by
`reached`, without every function in between. The rows for the record are made at the end, one for
each plan whose data was reached. A move writes its row in its own statement instead (`of_move`).

A row names who asked, and which resources and patients; it has no value of a resource. The one
exception is the query of a search, as it was sent.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from app.base.ids import new_id
from app.fhir.render_audit import action
from app.model.caller import Caller
from app.store.database import Row

#: The chain of what belongs to no plan: refused tokens, and searches that found nothing.
NO_CHAIN = "*"
#: Types of the directory that are about members.
OF_MEMBERS = frozenset({"Patient", "Coverage", "QuestionnaireResponse"})
_OPTIONAL = ("client", "organization", "purpose", "address", "kind", "query", "request_id")
#: So much of a query is kept.
_LONGEST_QUERY = 4096


@dataclass(frozen=True, slots=True)
class Interaction:
    """What was done: a FHIR interaction or a name of ours, on a type of resource if on one."""

    name: str
    kind: str | None = None


@dataclass(slots=True)
class Access:
    """One access, as far as it is known yet."""

    now: Callable[[], datetime]
    interaction: Callable[[], Interaction]
    request_id: str | None = None
    address: str | None = None
    caller: Caller | None = None
    #: Who acts instead of a client: a command, a worker.
    actor: str | None = None
    query: str | None = None
    #: Plan → the references of what was reached, in the order in which it was.
    by_plan: dict[str, dict[str, None]] = field(default_factory=dict)
    #: The rows are written already, by the statement or in the transaction of a move.
    written: bool = False

    def rows(self, status: int, named: str | None = None) -> list[dict[str, Any]]:
        """Makes the rows of this access: one for each plan, or one for the chain without a plan.

        `status` is the HTTP status of the answer; `named` the reference that the request names,
        for an access that reached nothing.
        """
        own = self.caller.plan if self.caller is not None and self.caller.staff else None
        nothing = {own or NO_CHAIN: dict.fromkeys([named] if named else [])}
        return [self.row(p, list(refs), status) for p, refs in (self.by_plan or nothing).items()]

    def row(self, plan: str, about: list[str], status: int) -> dict[str, Any]:
        """Makes the row of this access in the chain of one plan."""
        done, caller = self.interaction(), self.caller
        return _row(
            plan=plan,
            recorded=self.now(),
            action=action(done.name),
            interaction=done.name,
            status=status,
            client=caller.client_id if caller else self.actor,
            organization=caller.organization_id if caller else None,
            purpose=caller.purpose if caller else None,
            address=self.address,
            kind=done.kind,
            about=about,
            query=_kept(self.query),
            request_id=self.request_id,
        )


def _row(**given: Any) -> dict[str, Any]:
    return {"id": new_id(), **dict.fromkeys(_OPTIONAL), **given}


def row_of_move(
    plan: str, about: list[str], at: datetime, by: Mapping[str, str | None]
) -> dict[str, Any]:
    """Makes the row that the statement of a move writes.

    It is the request's where there is one. Else a worker moves the referral, and `by` is what the
    history says: `actor`, `organization_id`, `request_id`, `event`.
    """
    access = CURRENT.get()
    if access is not None:
        return access.row(plan, about, 200)
    return _row(
        plan=plan,
        recorded=at,
        action=action(by["event"] or ""),
        interaction=by["event"],
        status=200,
        client=by["actor"],
        organization=by["organization_id"],
        kind="ServiceRequest",
        about=about,
        request_id=by["request_id"],
    )


def is_recorded() -> None:
    """Notes that the rows of the present access are written, with the move that it made."""
    access = CURRENT.get()
    if access is not None:
        access.written = True


def _kept(query: str | None) -> str | None:
    """Bounds a query, and takes out what PostgreSQL cannot store."""
    return query[:_LONGEST_QUERY].replace("\0", "\ufffd") if query else None


#: The access that is being answered; None in a process that has not said what it does.
CURRENT: ContextVar[Access | None] = ContextVar("access", default=None)


def by_command(now: Callable[[], datetime], name: str) -> Access:
    """Begins an access by a command of the operators: nobody's request."""
    access = Access(now, lambda: Interaction(name), actor=f"command {name}")
    CURRENT.set(access)
    return access


def known_as(caller: Caller) -> None:
    """Notes who asks: the caller of the present request."""
    access = CURRENT.get()
    if access is not None:
        access.caller = caller


def reached(plan: str, *references: str) -> None:
    """Notes that data of a plan was reached: the references of resources and patients."""
    access = CURRENT.get()
    if access is not None:
        access.by_plan.setdefault(plan, {}).update(dict.fromkeys(references))


def reached_referral(plan: str, id_: str, row: Row) -> None:
    """Notes a referral; `row` has the columns `member_id` and `patient_id` of the referral."""
    reached(plan, f"ServiceRequest/{id_}", *patients(row["member_id"], row["patient_id"]))


def reached_by(kind: str, id_: str, row: Row) -> None:
    """Notes a resource that was read; `row` has the columns `plan` and `people`.

    A resource of the network is no member's, and is not noted.
    """
    if row["people"] is not None:
        reached(row["plan"], f"{kind}/{id_}", *patients(*row["people"]))
    elif kind in OF_MEMBERS:
        reached(row["plan"], f"{kind}/{id_}")


def found_by(kind: str, rows: Iterable[Row]) -> None:
    """Notes whose resources a search found; the rows have `id`, `plan` and `people`."""
    for row in rows:
        if row["people"] is not None:
            reached(row["plan"], *patients(*row["people"]))
        elif kind in OF_MEMBERS:
            reached(row["plan"], f"{kind}/{row['id']}")


def asked_with(query: bytes) -> None:
    """Notes the parameters of a search, encoded as they were sent."""
    access = CURRENT.get()
    if access is not None and query:
        access.query = query.decode(errors="replace")


def patients(*ids: str | None) -> Iterator[str]:
    """Yields the references of patients; ids that are None are left out."""
    return (f"Patient/{id_}" for id_ in ids if id_)

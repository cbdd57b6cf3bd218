"""`/v1/correspondence`: the letters of a plan, for its staff alone: read, print, mark as sent.

A letter is composed when a caller asks for it, from the snapshot of the moment at which it was due.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from app.api.acting import CallersRows, CallersTransaction
from app.api.caller import CallerDep, require_scope
from app.api.contract.responses import errors
from app.api.deployment import deployment
from app.base.errors import not_found, refuse
from app.fhir.r4.codes import SERVICES
from app.model.caller import DECIDE, Caller
from app.store.audit.writer import record_within
from app.store.database import Row, Source, Transaction
from app.store.reading.cursor import Pages
from app.store.referral.snapshot import LetterSnapshot
from app.views.letters import outbox
from app.views.letters.content import LetterContent
from app.views.letters.letter import POLICY, compose_letter, html
from app.views.letters.model import (
    Correspondence,
    CorrespondenceFilters,
    LetterMember,
    Links,
    Outbox,
    Release,
    Sent,
)
from app.views.member_name import one_line

router = APIRouter(prefix="/v1/correspondence", tags=["Plan staff"])

_KIND = "correspondence"
_NO_STORE = {"Cache-Control": "no-store"}
_READING = errors(400, 403, 404)
_CHANGING = errors(400, 403, 404, 409, 422)

CorrespondenceId = Annotated[
    str,
    Path(
        description="The Communication's id.",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9.-]+$",
    ),
]


def _document(media: str, description: str, example: str) -> dict[int | str, dict[str, Any]]:
    schema: dict[str, str] = {"type": "string"}
    if media == "application/pdf":
        schema["format"] = "binary"
    content = {media: {"schema": schema, "example": example}}
    return {200: {"description": description, "content": content}, **_READING}


@router.get(
    "",
    operation_id="listCorrespondence",
    summary="The outbox",
    description="Who is told of which outcome, the oldest first. `status=to-send` are the letters "
    "that wait; `status=failed` are messages that an endpoint never took; `status=unsent` are "
    "both: what you have to send.",
    responses=_READING,
)
async def list_correspondence(
    request: Request,
    caller: CallerDep,
    source: CallersRows,
    filters: Annotated[CorrespondenceFilters, Query()],
) -> Outbox:
    """One page."""
    plans = _plans(caller, filters.plan)
    pages = Pages(deployment(request).settings, caller, filters.link(router.prefix))
    after = pages.after(filters.cursor)
    wanted = outbox.CorrespondenceQuery(
        plans=plans,
        status=filters.status,
        outcome=filters.outcome,
        referral=filters.referral,
        after=(after.at, after.id) if after else None,
        limit=filters.limit,
    )
    rows = await outbox.listed(source, wanted)
    base, following = _base(request), None
    about = await outbox.whose(source, rows)
    if len(rows) > filters.limit:
        last = rows[filters.limit - 1]
        following = pages.next(last["created_at"], last["id"])
    return Outbox(items=[_shown(row, base, about) for row in rows[: filters.limit]], next=following)


@router.get(
    "/{id}",
    operation_id="readCorrespondence",
    summary="Read one piece of correspondence",
    description="Who is told what, and how; with links to the letter, the Communication and the "
    "referral.",
    responses=_READING,
)
async def read_correspondence(
    id: CorrespondenceId, request: Request, caller: CallerDep, source: CallersRows
) -> Correspondence:
    """404 for another plan's."""
    return await _found(request, caller, source, id)


@router.get(
    "/{id}/letter",
    operation_id="readLetter",
    summary="The letter, to read and to print",
    description="A page of its own, in the recipient's language. 404 where nobody is written to.",
    response_class=Response,
    responses=_document("text/html", "The letter.", '<!DOCTYPE html><html lang="en">…</html>'),
)
async def read_letter(id: CorrespondenceId, request: Request, caller: CallerDep) -> Response:
    """HTML."""
    content = await _content(request, caller, id)
    headers = {**_NO_STORE, "Content-Security-Policy": POLICY, "Referrer-Policy": "no-referrer"}
    body = await asyncio.to_thread(lambda: html(compose_letter(content)))
    return Response(body, headers=headers, media_type="text/html")


@router.get(
    "/{id}/letter.pdf",
    operation_id="readLetterPdf",
    summary="The letter as a PDF",
    description="On US letter paper, ready for the printer or the fax.",
    response_class=Response,
    responses=_document("application/pdf", "The letter.", "%PDF-1.3 …"),
)
async def read_letter_pdf(id: CorrespondenceId, request: Request, caller: CallerDep) -> Response:
    """PDF."""
    content = await _content(request, caller, id)
    headers = {**_NO_STORE, "Content-Disposition": f'inline; filename="letter-{id}.pdf"'}
    body = await asyncio.to_thread(_print, content)
    return Response(body, headers=headers, media_type="application/pdf")


@router.post(
    "/{id}/sent",
    operation_id="markLetterSent",
    summary="Mark a letter as sent",
    description="Says how it was sent: by mail, fax, phone or hand. The Communication is then "
    "completed. What is sent already, or has nobody to go to, is 409; so is mail or fax to a "
    "person whom it is unsafe to contact.",
    responses=_CHANGING,
)
async def mark_sent(
    id: CorrespondenceId,
    request: Request,
    caller: CallerDep,
    sent: Sent,
    connection: CallersTransaction,
) -> Correspondence:
    """By whom: the client that says so."""
    row = await _locked(connection, caller, id)
    if row["status"] == "waiting":
        raise refuse(409, "conflict", "It waits for a release: see its `reason`.")
    if row["status"] not in ("to-send", "failed"):
        text = (
            "It was told already." if row["status"] == "sent" else "There is nobody to send it to."
        )
        raise refuse(409, "conflict", text)
    if row["unsafe"] and sent.how in ("mail", "fax"):
        raise refuse(
            409, "conflict", "Contact is unsafe: see its `reason`. It goes by no post or fax."
        )
    now = deployment(request).clock.now()
    by = caller.client_id
    await outbox.mark_sent(connection, row, at=now, how=sent.how, by=by, note=sent.note)
    return await _changed(request, caller, connection, id)


@router.post(
    "/{id}/release",
    operation_id="releaseLetter",
    summary="Release a letter to the address that the referral states",
    description="A member's letter goes where the roster says. Where the roster has no address, it "
    "waits until a person says how they know that the one in the referral is the member's. 409 "
    "where nothing waits, and while nobody knows who the member is.",
    responses=_CHANGING,
)
async def release_letter(
    id: CorrespondenceId,
    request: Request,
    caller: CallerDep,
    released: Release,
    connection: CallersTransaction,
) -> Correspondence:
    """By whom and why is kept."""
    row = await _locked(connection, caller, id)
    if row["status"] != "waiting":
        raise refuse(409, "conflict", "It does not wait for a release.")
    if not row["known"]:
        raise refuse(409, "conflict", "Nobody knows yet who the member is: first identify them.")
    now = deployment(request).clock.now()
    await outbox.release(connection, row, at=now, by=caller.client_id, note=released.note)
    return await _changed(request, caller, connection, id)


async def _found(request: Request, caller: Caller, source: Source, id_: str) -> Correspondence:
    row = await outbox.one(source, _plans(caller), id_)
    if row is None:
        raise not_found(_KIND)
    return _shown(row, _base(request), await outbox.whose(source, [row]))


async def _changed(
    request: Request, caller: Caller, transaction: Transaction, id_: str
) -> Correspondence:
    """The piece of correspondence as it now is; the change is recorded with it."""
    shown = await _found(request, caller, transaction, id_)
    await record_within(transaction)
    return shown


async def _locked(source: Source, caller: Caller, id_: str) -> Row:
    """Locks a piece of correspondence, so that nobody else changes it; 404 for another plan's."""
    row = await outbox.lock(source, _plans(caller), id_)
    if row is None:
        raise not_found(_KIND)
    return row


def _print(content: LetterContent) -> bytes:
    """Prints a letter, in a thread: the first import takes a second, and no caller waits for it."""
    from app.views.letters.render_pdf import pdf  # noqa: PLC0415

    return pdf(compose_letter(content), content.at)


async def _content(request: Request, caller: Caller, id_: str) -> LetterContent:
    """The content of a letter."""
    parts = deployment(request)
    content = await outbox.letter_content(parts.database, _plans(caller), id_, parts.rules.library)
    if content is None:
        raise not_found("letter")
    return content


def _plans(caller: Caller, wanted: str | None = None) -> list[str]:
    """The plans to read. 403 for a caller who is not plan staff, 404 for another plan's name."""
    require_scope(caller, DECIDE)
    if wanted is None:
        return caller.staff_plans
    if wanted not in caller.staff_plans:
        raise not_found("plan")
    return [wanted]


def _base(request: Request) -> str:
    settings = deployment(request).settings
    return settings.public_url.rstrip("/")


def _shown(row: Row, base: str, about: Mapping[str, Row]) -> Correspondence:
    own = f"{base}{router.prefix}/{row['id']}"
    whose, snapshot = about.get(row["referral_id"]), LetterSnapshot.from_json(row["about"])
    cin, service, name = snapshot.cin, snapshot.service, None
    if whose is not None:  # None: it moved to another plan just now
        cin, service, name = whose["cin"], whose["service"], one_line(whose["name"])
    asks = row["outcome"] == "information-needed"
    written = row["status"] != "skipped"
    return Correspondence(
        id=row["id"],
        plan=row["plan"],
        referral=row["referral_id"],
        member=LetterMember(cin=cin, name=name),
        service=service,
        service_name=SERVICES.get(service or ""),
        answer_by=snapshot.void_due.astimezone(UTC) if asks and snapshot.void_due else None,
        reminder=asks and snapshot.reminder,
        outcome=row["outcome"],
        recipient=row["recipient"],
        organization=row["organization_id"],
        organization_name=row["organization"],
        status=row["status"],
        reason=row["reason"],
        created=row["created_at"],
        sent=row["sent_at"],
        how=row["medium"],
        sent_by=row["sent_by"],
        note=row["note"],
        released=row["released_at"],
        released_by=row["released_by"],
        release_note=row["release_note"],
        links=Links(
            self=own,
            letter=f"{own}/letter" if written else None,
            pdf=f"{own}/letter.pdf" if written else None,
            mark_sent=f"{own}/sent" if row["status"] in ("to-send", "failed") else None,
            release=f"{own}/release" if row["status"] == "waiting" else None,
            communication=f"{base}/fhir/Communication/{row['id']}",
            referral=f"{base}/fhir/ServiceRequest/{row['referral_id']}",
        ),
    )

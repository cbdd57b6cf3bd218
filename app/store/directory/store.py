"""Writes network and rosters: a new version of each changed resource, and every row beside it.

All statements run in the caller's transaction. The caller has checked the resources against base
R4; `app.store.directory.resolve` finds the faults by our own rules. This module never changes the
places that our approvals hold.

`in_several_rosters` finds members whose CIN is in the rosters of several plans, for whoever loads a
roster: a referral of such a member that names no plan goes to a person
(`app.journey.eligibility.check`). It names members by the ids of their Patients, never by the CIN.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

import orjson

from app.base.errors import Issue
from app.base.text import as_key
from app.fhir.dates import instant
from app.fhir.directory import OfferRow, OrganizationRow, cin_of, local_id, npis_of, read_member
from app.fhir.payload import Resource
from app.fhir.r4.strict_json import dumps, parse
from app.fhir.service_request import families_of, is_reachable
from app.policy.stored_form import roster_to_json
from app.store.audit.access import OF_MEMBERS, reached
from app.store.database import Row, Source
from app.store.directory.index import INSERT, travelling, words
from app.store.directory.record import TYPES, DirectoryRefused, Key, LoadCounts, Overtaken, key
from app.store.directory.resolve import Batch, StoredDirectory, patient_of, resolve
from app.store.reading.words import words as found_by

#: The plans that have members, found by one step in the index for each plan. Every key of `member`
#: begins with the plan, and so a CIN or an id is looked up plan by plan.
_ROSTERS = """WITH RECURSIVE found(plan) AS (
    (SELECT plan FROM member ORDER BY plan LIMIT 1)
    UNION ALL
    SELECT (SELECT m.plan FROM member m WHERE m.plan > found.plan ORDER BY m.plan LIMIT 1)
    FROM found WHERE found.plan IS NOT NULL
) SELECT plan FROM found WHERE plan IS NOT NULL"""
_SHARED = """SELECT m.plan || ' Patient/' || m.id AS one, o.plan || ' Patient/' || o.id AS other
FROM unnest($1::text[]) AS p(plan) CROSS JOIN unnest($2::text[]) AS k(id)
JOIN member m ON m.plan = p.plan AND m.id = k.id
CROSS JOIN unnest($1::text[]) AS q(plan) JOIN member o ON o.plan = q.plan AND o.cin = m.cin
WHERE o.plan <> m.plan ORDER BY 1, 2"""


async def in_several_rosters(source: Source, patients: Sequence[str]) -> list[str]:
    """Words each pair of one of these Patients and a Patient of another plan with the same CIN."""
    rows = await source.fetch(_SHARED, await _rosters(source), list(patients))
    return [f"{row['one']}: {row['other']} has the same CIN, too." for row in rows]


async def _rosters(source: Source) -> list[str]:
    """Lists the plans that have members."""
    return [row["plan"] for row in await source.fetch(_ROSTERS)]


_LOCATED = """SELECT l.type, l.id, l.plan, l.referral_id IS NOT NULL AS copy
FROM unnest($1::text[], $2::text[]) AS k(type, id) JOIN locator l USING (type, id)"""
_ORGANIZATIONS = """SELECT id, npi, plan FROM organization
WHERE id = ANY ($1::text[]) OR plan IS NOT NULL"""
_HELD = "SELECT npi, organization_id FROM organization_npi WHERE npi = ANY ($1::text[])"
_CINS = """SELECT m.plan, m.cin, m.id FROM unnest($1::text[]) AS p(plan)
CROSS JOIN unnest($2::text[]) AS k(cin) JOIN member m ON m.plan = p.plan AND m.cin = k.cin"""
_LOCATE = """INSERT INTO locator (type, id, plan)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING"""
_LOCK = """SELECT l.plan, l.referral_id IS NOT NULL AS copy, l.type, l.id FROM locator l
WHERE (l.type, l.id) IN (SELECT * FROM unnest($1::text[], $2::text[]))
ORDER BY l.type, l.id FOR UPDATE"""
_CURRENT = """SELECT k.type, k.id, v.version, v.body, v.updated_at
FROM unnest($1::text[], $2::text[]) AS k(type, id) JOIN locator l ON l.type = k.type AND l.id = k.id
CROSS JOIN LATERAL (SELECT v.version, v.body, v.updated_at FROM directory_version v
    WHERE v.plan = l.plan AND v.type = l.type AND v.id = l.id ORDER BY v.version DESC LIMIT 1) v"""
_VERSIONS = """INSERT INTO directory_version (plan, type, id, version, updated_at, body, words)
SELECT p, t, i, n, $7::timestamptz, b, w
FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::bytea[], $6::text[])
    x(p, t, i, n, b, w)"""
_FORGET = """DELETE FROM directory_index d
USING unnest($1::text[], $2::text[], $3::text[]) k(plan, type, id)
WHERE d.plan = k.plan AND d.type = k.type AND d.id = k.id"""
_ORGANIZATION = """INSERT INTO organization (id, name, npi, plan, active, version, updated_at,
    made_by)
SELECT *, $7::timestamptz, $8::text
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::int[])
ON CONFLICT (id) DO UPDATE SET name = excluded.name, npi = excluded.npi, plan = excluded.plan,
    active = excluded.active, version = excluded.version, updated_at = excluded.updated_at"""
_RELEASE = "DELETE FROM organization_npi WHERE organization_id = ANY ($1::text[])"
#: Waits for another writer of an equal NPI. An NPI that is not returned belongs to that writer.
_CLAIM = """INSERT INTO organization_npi (npi, organization_id)
SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT (npi) DO NOTHING RETURNING npi"""
_OVERTAKE = """UPDATE organization_proposal SET state = 'overtaken', decided_at = $2::timestamptz
WHERE organization_id = ANY ($1::text[]) AND state = 'open'"""
_NPIS = """UPDATE offer o SET npi = coalesce(n.npi, '') FROM organization n
WHERE o.organization_id = n.id AND n.id = ANY ($1::text[]) AND o.npi <> coalesce(n.npi, '')"""
_OFFER = """INSERT INTO offer (plan, id, organization_id, npi, service, counties, populations,
    places, taken_outside, taken, capacity_status, active, version, updated_at)
SELECT p, i, o, n, s, string_to_array(c, ' '), string_to_array(w, ' '), l, t, 0, q, a, v,
    $13::timestamptz
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
    $8::int[], $9::int[], $10::text[], $11::bool[], $12::int[])
    x(p, i, o, n, s, c, w, l, t, q, a, v)
ON CONFLICT (plan, id) DO UPDATE SET organization_id = excluded.organization_id, npi = excluded.npi,
    service = excluded.service, counties = excluded.counties, populations = excluded.populations,
    places = excluded.places, capacity_status = excluded.capacity_status, active = excluded.active,
    taken_outside = CASE WHEN $14::bool THEN greatest(0, excluded.taken_outside - offer.taken)
        ELSE excluded.taken_outside END,
    version = excluded.version, updated_at = excluded.updated_at"""
_ABOUT = """SELECT DISTINCT i.type, i.id FROM unnest($1::text[], $2::text[]) AS k(plan, patient)
JOIN directory_index i ON i.plan = k.plan AND i.type IN ('Coverage', 'QuestionnaireResponse')
    AND i.name = 'patient' AND i.value = 'Patient/' || k.patient"""
_MEMBER = """INSERT INTO member (plan, id, cin, birth_date, facts, reachable, families, version,
    updated_at)
SELECT p, i, c, d, f, r, ARRAY(SELECT json_array_elements_text(n::json)), 1, $8::timestamptz
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bool[], $7::text[])
    x(p, i, c, d, f, r, n)
ON CONFLICT (plan, id) DO UPDATE SET cin = excluded.cin, birth_date = excluded.birth_date,
    facts = excluded.facts, reachable = excluded.reachable, families = excluded.families,
    version = member.version + 1, updated_at = excluded.updated_at
WHERE (member.cin, member.birth_date, member.facts, member.reachable, member.families) IS DISTINCT
    FROM (excluded.cin, excluded.birth_date, excluded.facts, excluded.reachable, excluded.families)
"""


async def write(
    source: Source,
    resources: Sequence[Resource],
    now: datetime,
    *,
    taken_in_all: bool = False,
    by: str | None = None,
    after: int | None = None,
) -> LoadCounts:
    """Upserts resources. Raises `DirectoryRefused` with every fault, and then nothing was written.

    `by` is the plan whose client writes. `after` is the version that the caller has read (0: there
    was none): raises `Overtaken` if another version is current once the resource is locked. An
    offer's `taken` counts the places taken outside this service; with `taken_in_all` it counts all
    taken places, as our own reads show them, so that a client can send back what it has read.
    """
    ordered = sorted(resources, key=lambda one: TYPES.index(one["resourceType"]))
    batch = resolve(ordered, await _known(source, ordered), by)
    await _lock(source, ordered, batch)
    for kind, id_ in map(key, ordered):
        if kind in OF_MEMBERS:
            reached(batch.plans[kind, id_], f"{kind}/{id_}")
    versions = await _current(source, [key(one) for one in ordered])
    counts = LoadCounts()
    changed: list[tuple[Resource, int]] = []
    for resource in ordered:
        kind, _ = at = key(resource)
        version, body, _ = versions.get(at, (0, None, now))
        if after is not None and version != after:
            raise Overtaken
        differs = body is None or plain(body) != plain(resource)
        counts.count(kind, new=version == 0, changed=differs)
        if differs:
            changed.append((resource, version + 1))
    if changed:  # never before the last change, though another process's clock may run ahead
        now = max([now, *(written for _, _, written in versions.values())])
        await _write_versions(source, batch, changed, now)
        await _write_network(source, batch, changed, now, taken_in_all, by)
        members = await _members(source, batch, [one for one, _ in changed], versions)
        await _write_members(source, members, ordered, now)
    return counts


async def examine(source: Source, resources: Sequence[Resource]) -> None:
    """Raises `DirectoryRefused` with every fault that `write` would find, and writes nothing."""
    resolve(resources, await _known(source, resources))


def plain(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a resource without the version and time that we wrote into it."""
    meta = {
        name: value
        for name, value in (resource.get("meta") or {}).items()
        if name not in ("versionId", "lastUpdated")
    }
    rest = {name: value for name, value in resource.items() if name != "meta"}
    return {**rest, "meta": meta} if meta else rest


def stamped(resource: Mapping[str, Any], version: int, now: datetime) -> bytes:
    """Makes the stored form: our version and time in `meta`, everything else as sent."""
    meta = plain(resource).get("meta") or {}
    head = {
        "resourceType": resource["resourceType"],
        "id": resource["id"],
        "meta": {**meta, "versionId": str(version), "lastUpdated": instant(now)},
    }
    return dumps({**head, **{k: v for k, v in resource.items() if k not in head}})


def _columns(rows: Iterable[Sequence[Any]], width: int) -> tuple[list[Any], ...]:
    listed = list(rows)
    return tuple([row[index] for row in listed] for index in range(width))


def _key_of(row: Row) -> Key:
    """Returns type and id of a row."""
    return row["type"], row["id"]


async def _known(source: Source, resources: Sequence[Resource]) -> StoredDirectory:
    keys = {key(one) for one in resources}
    keys |= {("Patient", patient) for one in resources if (patient := patient_of(one))}
    located = await source.fetch(_LOCATED, *_columns(sorted(keys), 2))
    owners = {
        owner
        for one in resources
        if (owner := local_id((one.get("providedBy") or {}).get("reference"), "Organization"))
    }
    organizations = await source.fetch(_ORGANIZATIONS, sorted(owners))
    cins = {cin for one in resources if one["resourceType"] == "Patient" and (cin := cin_of(one))}
    plans = await _rosters(source) if cins else []
    members = await source.fetch(_CINS, plans, sorted(cins))
    npis = {
        npi for one in resources if one["resourceType"] == "Organization" for npi in npis_of(one)
    }
    held = await source.fetch(_HELD, sorted(npis))
    return StoredDirectory(
        located={_key_of(row): (row["plan"], row["copy"]) for row in located},
        organizations={row["id"]: (row["npi"], row["plan"]) for row in organizations},
        cins={(row["plan"], row["cin"]): row["id"] for row in members},
        npis={row["npi"]: row["organization_id"] for row in held},
    )


async def _lock(source: Source, resources: Sequence[Resource], batch: Batch) -> None:
    """Locks each resource and each member, so that only one request at a time writes them."""
    rows = sorted((*key(one), batch.plans[key(one)]) for one in resources)
    await source.execute(_LOCATE, *_columns(rows, 3))
    keys = {key(one) for one in resources} | {("Patient", p) for p in batch.patients.values()}
    held = await source.fetch(_LOCK, *_columns(sorted(keys), 2))
    lost = [
        _key_of(row)
        for row in held
        if row["copy"] or row["plan"] != batch.plans.get(_key_of(row), row["plan"])
    ]
    if lost:
        text = "This id was taken just now. Choose another."
        raise DirectoryRefused([(at, Issue("conflict", text, f"{at[0]}.id")) for at in lost])


async def _current(
    source: Source, keys: Sequence[Key]
) -> dict[Key, tuple[int, Resource, datetime]]:
    """Reads (version, resource, time of writing) of the keys that exist."""
    if not keys:
        return {}
    rows = await source.fetch(_CURRENT, *_columns(keys, 2))
    return {_key_of(row): (row["version"], parse(row["body"]), row["updated_at"]) for row in rows}


async def _write_versions(
    source: Source,
    batch: Batch,
    changed: Sequence[tuple[Resource, int]],
    now: datetime,
) -> None:
    rows = [
        (batch.plans[key(one)], *key(one), version, stamped(one, version, now), found_by(one))
        for one, version in changed
    ]
    await source.execute(_VERSIONS, *_columns(rows, 6), now)
    rewritten = [row[:3] for row in rows if row[3] > 1]
    if rewritten:
        await source.execute(_FORGET, *_columns(rewritten, 3))
    index = [
        (*row[:3], travelling(sorted(words(one, row[5]))))
        for row, (one, _) in zip(rows, changed, strict=True)
    ]
    await source.execute(INSERT, *_columns(index, 4))


async def _write_network(
    source: Source,
    batch: Batch,
    changed: Sequence[tuple[Resource, int]],
    now: datetime,
    taken_in_all: bool,
    by: str | None,
) -> None:
    organizations = [
        (row.id, row.name, row.npi and as_key(row.npi), row.plan, row.active, version)
        for one, version in changed
        if one["resourceType"] == "Organization"
        for row in [batch.organizations[one["id"]]]
    ]
    if organizations:
        columns = _columns(organizations, 6)
        await source.execute(_ORGANIZATION, *columns, now, by)
        await source.execute(_NPIS, columns[0])
        await source.execute(_OVERTAKE, columns[0], now)
        await _claim(source, [batch.organizations[id_] for id_ in columns[0]])
    offers = [
        _offer(batch.offers[one["id"]], batch.npis[one["id"]], version)
        for one, version in changed
        if one["resourceType"] == "HealthcareService"
    ]
    if offers:
        await source.execute(_OFFER, *_columns(offers, 12), now, taken_in_all)


def _offer(row: OfferRow, npi: str, version: int) -> tuple[Any, ...]:
    """Lists the columns of an offer; codes, which have no blanks, are joined into one text."""
    return (
        row.plan, row.id, row.organization_id, npi, row.service, " ".join(row.counties),
        " ".join(row.populations), row.places, row.taken, row.status, row.active, version,
    )  # fmt: skip


async def _members(
    source: Source,
    batch: Batch,
    changed: Sequence[Resource],
    versions: Mapping[Key, tuple[int, Resource, datetime]],
) -> list[tuple[str, str]]:
    """Lists the (plan, Patient) that the changed resources are about now, or were about before."""
    present: set[tuple[str, str]] = set()
    former: set[tuple[str, str]] = set()
    for one in changed:
        at = key(one)
        if at[0] == "Patient":
            present.add((batch.plans[at], at[1]))
        elif at in batch.patients:
            present.add((batch.plans[at], batch.patients[at]))
            before = patient_of(versions[at][1]) if at in versions else None
            if before is not None and before != batch.patients[at]:
                former.add((batch.plans[at], before))
    if former - present:
        rows = [("Patient", patient) for _, patient in sorted(former - present)]
        await source.execute(_LOCK, *_columns(rows, 2))
    return sorted(present | former)


async def _claim(source: Source, rows: Sequence[OrganizationRow]) -> None:
    """Gives organizations their NPIs and no others. Refuses an NPI that another has just taken."""
    await source.execute(_RELEASE, [row.id for row in rows])
    claims = sorted((npi, row.id) for row in rows for npi in row.npis)
    made = await source.fetch(_CLAIM, *_columns(claims, 2))
    lost = dict(claims).keys() - {row["npi"] for row in made}
    if lost:
        text = "Another organization was given this NPI just now. Use that one, or correct it."
        fault = Issue("duplicate", text, "Organization.identifier")
        refused = sorted({id_ for npi, id_ in claims if npi in lost})
        raise DirectoryRefused([(("Organization", id_), fault) for id_ in refused])


async def _write_members(
    source: Source,
    pairs: Sequence[tuple[str, str]],
    resources: Sequence[Resource],
    now: datetime,
) -> None:
    """Writes each member's row anew from all that the roster now holds about them."""
    if not pairs:
        return
    about = await source.fetch(_ABOUT, *_columns(pairs, 2))
    held = {key(one): one for one in resources}
    keys = {("Patient", patient) for _, patient in pairs} | {_key_of(row) for row in about}
    others = await _current(source, sorted(keys - held.keys()))
    stored = [held[at] if at in held else others[at][1] for at in sorted(keys)]
    themselves = {one["id"]: one for one in stored if one["resourceType"] == "Patient"}
    by_patient: dict[str | None, list[Resource]] = {}
    for one in stored:
        by_patient.setdefault(patient_of(one), []).append(one)
    rows = []
    for plan, patient in pairs:
        self, own = themselves[patient], by_patient.get(patient, [])
        member = read_member(
            self,
            [one for one in own if one["resourceType"] == "Coverage"],
            [one for one in own if one["resourceType"] == "QuestionnaireResponse"],
            plan,
        )
        facts = orjson.dumps(roster_to_json(member), option=orjson.OPT_SORT_KEYS).decode()
        cin, post = as_key(member.cin or ""), is_reachable(self)
        families = orjson.dumps(families_of(self)).decode()
        rows.append((plan, patient, cin, member.birth_date, facts, post, families))
    rows.sort(key=itemgetter(0, 2))  # every writer has this order, so that no deadlock arises
    await source.execute(_MEMBER, *_columns(rows, 7), now)

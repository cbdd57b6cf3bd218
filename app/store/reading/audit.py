"""Searches the record of one plan for its staff; newest first, a page at a time.

An AuditEvent is no stored resource: it is rendered from a row (`app.fhir.render_audit`). Events
about a resource or a patient are found first, by their own index, and then narrowed: they are few
beside all events of a plan, whatever the planner takes a parameter for.
"""

from collections.abc import Mapping

from app.fhir.r4 import codes
from app.fhir.render_audit import DISCLOSE, RESTFUL
from app.store.audit.chain import COLUMNS

#: Parameter → its kind, and the events that it selects.
PARAMETERS: Mapping[str, tuple[str, str]] = {
    "_id": ("token", "The id, or several separated by commas"),
    "action": ("token", "C, R, U, D or E: created, read, changed, deleted, searched or asked"),
    "agent": ("reference", "The organization that asked, or was told: `Organization/…`"),
    "altid": ("token", "The client that asked, by its client id"),
    "date": ("date", "When it was recorded: `ge2026-11-20`; may be given twice, for a stretch"),
    "entity": ("reference", "The resource that was reached, with its type: `ServiceRequest/…`"),
    "outcome": ("token", "0 answered, 4 refused, 8 failed"),
    "patient": ("reference", "The patient whose data was reached: `Patient/…`"),
    "subtype": ("token", "The interaction: `read`, `search-type`, `check`, `disclose` …"),
    "type": ("token", "`rest`, or `110106` for what was sent to an endpoint"),
}
#: Parameter of a token → the systems of its codes.
_SYSTEMS: Mapping[str, frozenset[str]] = {
    "action": frozenset({codes.AUDIT_ACTION}),
    "altid": frozenset({codes.CLIENT_ID}),
    "outcome": frozenset({codes.AUDIT_OUTCOME}),
    "subtype": frozenset({codes.RESTFUL_INTERACTION, codes.AUDIT_INTERACTION, codes.LIFECYCLE}),
    "type": frozenset({codes.AUDIT_EVENT_TYPE, codes.DICOM}),
}
_REST, _EXPORT = "rest", "110106"
_TYPES = {"agent": "Organization", "patient": "Patient"}
#: A prefix → whether the moment is a lower bound, and whether it is the end of the date.
_SINCE, _UNTIL = {"ge": False, "gt": True, "sa": True}, {"lt": False, "eb": False, "le": True}

_ONE = f"SELECT {COLUMNS} FROM audit_event WHERE plan = $1 AND id = $2"
#: $1 plan, then the conditions (null: none). `operation` stands for all that R4 does not name.
_MATCHES = f"""WITH about AS MATERIALIZED (SELECT * FROM audit_event
    WHERE $11::bool AND ($2::text[] IS NULL OR about && $2) AND ($3::text[] IS NULL OR about && $3))
SELECT {{what}} FROM {{whence}} WHERE plan = $1
AND ($4::text[] IS NULL OR id = ANY ($4))
AND ($5::timestamptz IS NULL OR recorded >= $5) AND ($6::timestamptz IS NULL OR recorded < $6)
AND ($7::text[] IS NULL OR organization = ANY ($7)) AND ($8::text[] IS NULL OR client = ANY ($8))
AND ($9::text[] IS NULL OR action = ANY ($9))
AND ($10::text[] IS NULL OR
    CASE WHEN status < 400 THEN '0' WHEN status < 500 THEN '4' ELSE '8' END = ANY ($10))
AND ($12::text[] IS NULL OR interaction = ANY ($12) OR 'operation' = ANY ($12)
    AND interaction <> ALL ('{{{{{",".join(sorted({*RESTFUL, DISCLOSE}))}}}}}'))
AND ($13::text[] IS NULL OR CASE interaction WHEN '{DISCLOSE}' THEN '{_EXPORT}' ELSE '{_REST}' END
    = ANY ($13))"""

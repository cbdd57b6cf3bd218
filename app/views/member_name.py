"""Names the member of a referral in lists for plan staff, as far as a name is known.

A statement that selects from `referral r` ends with `MEMBER_NAME`, and selects `SHOWN_NAME`;
`one_line` writes the name that it finds.
"""

import orjson

#: The name that `MEMBER_NAME` finds, as JSON of a HumanName; null where nobody states one.
SHOWN_NAME = "coalesce(known.name, sent.name)::text AS name"
#: The name comes from the Patient of the roster or of the referral, else from the Patient that the
#: ServiceRequest contains.
MEMBER_NAME = """
LEFT JOIN LATERAL (SELECT convert_from(v.body, 'UTF8')::jsonb #> '{name,0}' AS name FROM (
    (SELECT d.body FROM directory_version d WHERE d.plan = r.plan AND d.type = 'Patient'
      AND d.id = coalesce(r.member_id, r.patient_id) ORDER BY d.version DESC LIMIT 1)
    UNION ALL (SELECT c.body FROM resource_version c WHERE c.plan = r.plan AND c.referral_id = r.id
      AND c.type = 'Patient' AND c.id = r.patient_id AND r.member_id IS NULL
      ORDER BY c.version DESC LIMIT 1)) v) known ON true
LEFT JOIN LATERAL (SELECT jsonb_path_query_first(convert_from(v.body, 'UTF8')::jsonb,
    '$.contained[*] ? (@.resourceType == "Patient").name[0]') AS name
    FROM resource_version v WHERE known.name IS NULL AND v.plan = r.plan
    AND v.referral_id = r.id AND v.type = 'ServiceRequest'
    ORDER BY v.version DESC LIMIT 1) sent ON true"""


def one_line(stored: str | None) -> str | None:
    """Write a HumanName as one line; parts of another form are left out."""
    name = orjson.loads(stored) if stored else None
    if not isinstance(name, dict):
        return None
    if isinstance(name.get("text"), str):
        return str(name["text"])
    given = [word for word in name.get("given") or () if isinstance(word, str)]
    family = [name["family"]] if isinstance(name.get("family"), str) else []
    return " ".join([*given, *family]) or None

"""Row security: what a statement that acts for a caller does not see, whatever its conditions.

A statement says for whom it acts (`app.store.acting`): for the service itself, or for a caller, who
then sees the rows of its organization and of its plan, and no others. What says
nothing acts for the service, as all that version 0.2.0 sends. The owner of the tables is not held
by it: backups are whole, and migrations see every row.
"""

from alembic import op

revision = "row_security"
down_revision = "0.2.0"
branch_labels = None
depends_on = None

FUNCTIONS = (
    """CREATE FUNCTION nwd_acts_for_service() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
SELECT coalesce(current_setting('nwd.acts_for', true), '') = '' $$""",
    """CREATE FUNCTION nwd_organization() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
SELECT nullif(split_part(current_setting('nwd.acts_for', true), '|', 1), '') $$""",
    """CREATE FUNCTION nwd_staff_plans() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
SELECT string_to_array(split_part(current_setting('nwd.acts_for', true), '|', 2), ',') $$""",
    """CREATE FUNCTION nwd_roster_plans() RETURNS text[] LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp AS $$
SELECT string_to_array(split_part(current_setting('nwd.acts_for', true), '|', 3), ',') $$""",
    # As the owner: a policy of `party` that read `party` itself would never end.
    """CREATE FUNCTION nwd_is_party(of_plan text, of_referral text) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN EXISTS (SELECT FROM party WHERE plan = of_plan AND referral_id = of_referral
        AND organization_id = nwd_organization() AND until IS NULL);
END $$""",
    # What a move needs to know of others, and the caller may not see of them.
    """CREATE FUNCTION nwd_listening(of_plan text, of_referral text, of_service text)
RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    RETURN (SELECT json_agg(json_build_array(organization_id, plans, event_types))::text
    FROM webhook_endpoint e
    WHERE status = 'active' AND content IS DISTINCT FROM 'empty'
        AND filter_statuses || filter_owners || filter_requesters = '{}' AND organization_id IN (
        SELECT organization_id FROM party p WHERE p.plan = of_plan AND p.referral_id = of_referral
        UNION ALL SELECT organization_id FROM offer f
            WHERE f.plan = of_plan AND f.service = of_service AND f.active));
END $$""",
)

SERVICE = "(SELECT nwd_acts_for_service())"
STAFF = "plan = ANY ((SELECT nwd_staff_plans())::text[])"
ROSTER = "plan = ANY ((SELECT nwd_roster_plans())::text[])"
OWN = "organization_id = (SELECT nwd_organization())"
IS_STAFF = "(SELECT nwd_staff_plans()) <> '{}'"


def _party(table: str, key: str = "referral_id") -> str:
    return (
        f"EXISTS (SELECT FROM party p WHERE p.plan = {table}.plan AND p.referral_id = {table}.{key}"
        " AND p.organization_id = (SELECT nwd_organization()) AND p.until IS NULL OFFSET 0)"
    )


def _delivered(table: str, message: str, endpoint: str = "") -> str:
    return (
        f"EXISTS (SELECT FROM delivery d WHERE d.plan = {table}.plan"
        f" AND d.message_id = {table}.{message}{endpoint}"
        " AND d.organization_id = (SELECT nwd_organization()) OFFSET 0)"
    )


_NETWORK = "type IN ('Organization', 'HealthcareService')"
OF_REFERRAL = (
    "referral_history", "determination", "information_request", "service_authorization",
    "resource_set", "referral_business_identifier", "task", "correspondence",
)  # fmt: skip
#: Table → whose rows a caller sees.
POLICIES = {
    "referral": f"{STAFF} OR {_party('referral', 'id')}",
    **{table: f"{STAFF} OR {_party(table)}" for table in OF_REFERRAL},
    "party": f"{OWN} OR {STAFF} OR nwd_is_party(plan, referral_id)",
    "work_item": STAFF,
    "locator": f"CASE WHEN referral_id IS NULL THEN {_NETWORK} OR {ROSTER} "
    f"ELSE {STAFF} OR {_party('locator')} END",
    "member": ROSTER,
    "directory_version": f"{_NETWORK} OR {ROSTER}",
    "directory_index": f"{_NETWORK} OR {ROSTER}",
    "organization_proposal": f"{OWN} OR proposed_for = (SELECT nwd_organization()) OR {IS_STAFF}",
    "referral_identifier": OWN,
    "idempotency_key": OWN,
    "delivery": f"{OWN} OR {STAFF}",
    "message": f"{STAFF} OR {_delivered('message', 'id')}",
    "attempt": f"{STAFF} OR "
    + _delivered("attempt", "message_id", " AND d.endpoint_id = attempt.endpoint_id"),
    # Of the endpoints of others, staff see those that messages of their plan go to.
    "webhook_endpoint": f"{OWN} OR {IS_STAFF} AND EXISTS (SELECT FROM delivery d"
    " WHERE d.plan = ANY ((SELECT nwd_staff_plans())::text[])"
    " AND d.endpoint_id = webhook_endpoint.id"
    " AND d.organization_id = webhook_endpoint.organization_id OFFSET 0)",
    "client": "false",
}
#: Table → what a caller may write beside the rows that it sees: a test message, about nothing.
WRITTEN = {"message": "referral_id = id"}

#: Takes all tables at once, as the service goes on: whoever asks for one meanwhile waits behind us,
#: and may have another that we want. So we give all of them back after a moment, and try again.
TAKE_ALL = f"""DO $$
BEGIN
    FOR tried IN 1..100 LOOP
        BEGIN
            LOCK TABLE {", ".join(POLICIES)} IN ACCESS EXCLUSIVE MODE;
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            PERFORM pg_sleep(0.1 * random());
        END;
    END LOOP;
    RAISE EXCEPTION 'the tables are in use' USING ERRCODE = 'lock_not_available';
END $$"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '200ms'")
    op.execute(TAKE_ALL)
    for function in FUNCTIONS:
        op.execute(function)
    for table, seen in POLICIES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        condition = f"{SERVICE} OR {seen}"
        written = f" WITH CHECK ({condition} OR {WRITTEN[table]})" if table in WRITTEN else ""
        op.execute(f"CREATE POLICY seen ON {table} USING ({condition}){written}")


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '200ms'")
    op.execute(TAKE_ALL)
    for table in POLICIES:
        op.execute(f"DROP POLICY seen ON {table}")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute("DROP FUNCTION nwd_listening(text, text, text), nwd_is_party(text, text)")
    op.execute("DROP FUNCTION nwd_acts_for_service(), nwd_organization()")
    op.execute("DROP FUNCTION nwd_staff_plans(), nwd_roster_plans()")

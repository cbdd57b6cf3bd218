"""History, messages and attempts are partitioned by the month of their ids.

Rows of this month and later ones move to its partition, older ones to the default partition. The
key of a message has the referral's id too: the month of a message is that of its referral.
"""

from alembic import op

revision = "months"
down_revision = "fewer_entries"
branch_labels = None
depends_on = None

ROLE = "nwd_service"

#: The first id that can be made in the month of a day, and the first of the month after it: UUIDv7
#: of the first millisecond, in UTC.
MONTH_BOUNDS = """CREATE FUNCTION nwd_month_bounds(month date) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
SELECT array_agg(format('%s-%s-7000-8000-000000000000', left(h, 8), right(h, 4)) ORDER BY h)
FROM generate_series(0, 1) AS n, date_trunc('month', month::timestamp) AS began,
    lpad(to_hex((extract(epoch FROM began + n * interval '1 month') * 1000)::bigint), 12, '0') AS h
$$"""
#: Makes the partition of a table of this schema for the month of a day. The tables that the new
#: partition refers to are locked first, as a statement that writes a move locks them first: the
#: other order would be a deadlock. It gives up after a moment, since all others wait behind it.
MAKE_MONTH = f"""CREATE FUNCTION nwd_make_month(whole text, month date) RETURNS void
LANGUAGE plpgsql STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    name text := whole || to_char(month, '_YYYY_MM');
    bounds text[] := public.nwd_month_bounds(month);
    other regclass;
BEGIN
    IF month NOT BETWEEN current_date - 31 AND current_date + 400 OR NOT EXISTS (
        SELECT FROM pg_class WHERE relname = whole AND relkind = 'p'
            AND relnamespace = 'public'::regnamespace)
    THEN
        RAISE EXCEPTION 'no table of this name, or no month to be made' USING ERRCODE = 'NW002';
    END IF;
    FOR other IN SELECT confrelid::regclass FROM pg_constraint
        WHERE contype = 'f' AND conrelid = format('public.%I', whole)::regclass
    LOOP
        EXECUTE format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', other);
    END LOOP;
    EXECUTE format('LOCK TABLE public.%I IN ACCESS EXCLUSIVE MODE', whole);
    IF to_regclass(format('public.%I', name)) IS NULL THEN
        EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I FOR VALUES FROM (%L) TO (%L)',
            name, whole, bounds[1], bounds[2]);
        EXECUTE format('REVOKE ALL ON public.%I FROM PUBLIC, {ROLE}', name);
    END IF;
END $$"""

#: Table → the column whose ids tell the month, and its primary key, now and before.
MONTHLY = {
    "referral_history": ("referral_id", "plan, referral_id, seq", "plan, referral_id, seq"),
    "message": ("referral_id", "plan, id, referral_id", "plan, id"),
    "attempt": ("message_id", *["plan, message_id, endpoint_id, number"] * 2),
}
MONTHS = """DO $$ BEGIN
PERFORM nwd_make_month('{table}', (current_date + n * interval '1 month')::date)
    FROM generate_series(0, 3) n; END $$"""


def _make_anew(table: str, key: str, by: str) -> None:
    """Makes a table anew, `by` the clause of its partitions; `_fill` moves its rows."""
    op.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    if table == "referral_history":
        op.drop_constraint("fk_referral_history_referral", f"{table}_before")
    op.drop_constraint(f"pk_{table}", f"{table}_before")
    like = "INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING COMMENTS"
    op.execute(f"CREATE TABLE {table} (LIKE {table}_before {like}) {by}")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT pk_{table} PRIMARY KEY ({key})")


def _fill(table: str) -> None:
    op.execute(f"INSERT INTO {table} SELECT * FROM {table}_before")
    op.execute(f"DROP TABLE {table}_before")


def _index() -> None:
    op.create_foreign_key(
        "fk_referral_history_referral", "referral_history", "referral",
        ["plan", "referral_id"], ["plan", "id"], onupdate="CASCADE",
    )  # fmt: skip
    op.create_index(
        "ix_referral_history_ended", "referral_history", ["plan", "at"],
        postgresql_where="event IN ('approve', 'deny', 'void', 'cancel')",
    )  # fmt: skip
    op.create_index("uq_message_seq", "message", ["plan", "referral_id", "seq"], unique=True)
    op.create_index("ix_attempt_at", "attempt", ["plan", "at"], postgresql_using="brin")


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(MONTH_BOUNDS)
    op.execute(MAKE_MONTH)
    op.execute("REVOKE ALL ON FUNCTION nwd_make_month(text, date) FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION nwd_make_month(text, date) TO {ROLE}")
    for table, (column, key, _) in MONTHLY.items():
        _make_anew(table, key, f"PARTITION BY RANGE ({column})")
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
        op.execute(MONTHS.format(table=table))
        _fill(table)
    _index()


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for table, (_, _, key) in MONTHLY.items():
        _make_anew(table, key, "")
        _fill(table)
    _index()
    op.execute("DROP FUNCTION nwd_make_month(text, date), nwd_month_bounds(date)")

"""A statement that writes a move checks what was read, and stops itself where that is no longer so.

The function raises the error `NW001`, with the name of the check as its constraint. Then nothing of
the statement is written, though it has no transaction around it.
"""

from alembic import op

revision = "checks"
down_revision = "generators"
branch_labels = None
depends_on = None

REQUIRE = """CREATE FUNCTION nwd_require(holds boolean, what text) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    IF holds IS NOT TRUE THEN
        RAISE EXCEPTION 'what was read is no longer so' USING ERRCODE = 'NW001', CONSTRAINT = what;
    END IF;
    RETURN true;
END $$"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute(REQUIRE)


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("DROP FUNCTION nwd_require(boolean, text)")

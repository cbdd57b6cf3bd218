"""Reads the schema's expected and present revision, and grants the service's role its rights.

The migrations are in the folder `migrations/`, which is beside the package `app` in a checkout, in
the image and in an installation.

Every `migrate` checks role and rights, and mends them. A migration cannot: roles belong to the
whole server, and the backup of one database restores the tables without the role, but with an
Alembic version that leaves nothing to migrate.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from app.base.errors import Stopped
from app.base.settings import CHECKOUT, Settings
from app.store.database import ROLE, SESSION, Database, Source, opened
from app.store.database_errors import StatementRefused, sqlstate
from app.store.tables.metadata import metadata
from app.store.tables.referral import resource_version

_UNDEFINED_TABLE = "42P01"
#: SQLSTATEs of a role that is not there, or that another owns.
_NOT_OURS_TO_CHANGE = ("42704", "42501")
_MIGRATIONS = CHECKOUT / "migrations"


def configuration(connection: Connection | None = None) -> Config:
    """Makes Alembic's configuration for our migrations, on `connection` if one is given."""
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def migrating_url(url: str) -> str:
    """Returns the URL for Alembic, which connects through SQLAlchemy, whatever driver it names."""
    return make_url(url).set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


def head_revision() -> str | None:
    """Reads from files the revision that this code expects; None before the first migration."""
    return ScriptDirectory.from_config(configuration()).get_current_head()


async def current_revision(source: Source) -> str | None:
    """Reads the revision of the database; None if nothing has been migrated."""
    try:
        row = await source.fetch_one("SELECT version_num FROM alembic_version")
    except StatementRefused as error:
        if sqlstate(error) != _UNDEFINED_TABLE:
            raise
        return None
    return None if row is None else str(row["version_num"])


# The service's role

#: Tables to which the service adds rows; it never changes a row.
APPEND_ONLY = (
    "referral_history",
    "determination",
    "consent_rule",
    "resource_set",
    "directory_version",
    "attempt",
    "audit_event",
    "audit_seal",
    "client_history",
)
#: Tables from which the service deletes: rows that expire, and the directory's indexes, whose rows
#: are made anew with each change. It deletes from no other table.
EXPIRING = (
    "idempotency_key", "directory_index", "organization_npi", "client_assertion", "quota_use",
    "asked_member",
)  # fmt: skip
#: Tables of which the service changes some columns alone. Whom a client acts for is none of them:
#: a client is never handed to another organization.
CHANGED_IN_PART: Mapping[str, Sequence[str]] = {
    "client": (
        "secret_hash", "previous_secret_hash", "previous_secret_until", "jwks", "jwks_uri",
        "certificate", "scopes", "active", "token_series", "series_at",
    ),
}  # fmt: skip

#: Functions that run as the owner: they make partitions, and read past row security.
AS_OWNER = (
    "nwd_make_month(text, date)",
    "nwd_is_party(text, text)",
    "nwd_listening(text, text, text)",
)

#: What the service only reads: the revision, and the view of the versions of resources.
_READ_ONLY = ("alembic_version", resource_version.name)
#: What the service names. It has no right on partitions, because rights on one would let it change
#: history; it changes no other table, such as a month that was taken away.
_NAMED = (*metadata.tables, *_READ_ONLY)

_MAKE = f"""DO $$ BEGIN CREATE ROLE {ROLE} NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"""
_GRANT = (
    f"GRANT {ROLE} TO CURRENT_USER",
    f"GRANT USAGE ON SCHEMA public TO {ROLE}",
    f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {ROLE}",
    f"GRANT SELECT, INSERT, UPDATE ON {', '.join(metadata.tables)} TO {ROLE}",
    *(f"REVOKE UPDATE ON {table} FROM {ROLE}" for table in (*APPEND_ONLY, *CHANGED_IN_PART)),
    *(
        f"GRANT UPDATE ({', '.join(columns)}) ON {table} TO {ROLE}"
        for table, columns in CHANGED_IN_PART.items()
    ),
    *(f"GRANT DELETE ON {table} TO {ROLE}" for table in EXPIRING),
    f"GRANT SELECT ON {', '.join(_READ_ONLY)} TO {ROLE}",
    f"REVOKE ALL ON FUNCTION {', '.join(AS_OWNER)} FROM PUBLIC",
    f"GRANT EXECUTE ON FUNCTION {', '.join(AS_OWNER)} TO {ROLE}",
)
_EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = $1"
#: Lists the tables, and columns of those changed in part, on which the role may do less than it
#: must, or more than it should; and the functions of `AS_OWNER` that the role may not call, or that
#: everybody may.
_WRONG = """SELECT c.relname FROM pg_class c CROSS JOIN LATERAL (SELECT
    has_table_privilege($1, c.oid, 'SELECT') reads, has_table_privilege($1, c.oid, 'INSERT') adds,
    has_table_privilege($1, c.oid, 'UPDATE') changes,
    has_table_privilege($1, c.oid, 'DELETE') removes) may
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT CASE
    WHEN c.relispartition THEN NOT (reads OR adds OR changes OR removes)
    WHEN c.relname <> ALL ($4::text[]) THEN NOT (adds OR changes OR removes)
    ELSE reads AND adds = (c.relname <> ALL ($5::text[]))
        AND changes = (c.relname <> ALL ($2::text[] || $5::text[]))
        AND removes = (c.relname = ANY ($3::text[])) END
UNION ALL SELECT a.attrelid::regclass || '.' || a.attname FROM pg_attribute a
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attrelid IN (SELECT c.oid FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($7::text[]))
    AND has_column_privilege($1, a.attrelid, a.attnum, 'UPDATE')
        <> (a.attrelid::regclass || '.' || a.attname = ANY ($8::text[]))
UNION ALL SELECT p.proname FROM pg_proc p
WHERE p.pronamespace = 'public'::regnamespace AND p.oid = ANY ($6::text[]::regprocedure[])
    AND (NOT has_function_privilege($1, p.oid, 'EXECUTE')
        OR has_function_privilege('public', p.oid, 'EXECUTE'))
ORDER BY 1"""


def grant(connection: Connection) -> None:
    """Makes role and grants if one is wrong: as the owner, in the migration's transaction.

    Raises `Stopped` if the role then still lacks a right that it must have, or may change history.
    """
    if not wrongly_granted(connection):
        return
    for statement in (_MAKE, *_GRANT):
        connection.exec_driver_sql(statement)
    if tables := wrongly_granted(connection):
        raise Stopped(
            f"The role {ROLE} may not do what it must, or may change what it must not, on "
            f"{', '.join(tables)}. Migrate as the owner of the tables."
        )


def wrongly_granted(connection: Connection) -> list[str]:
    """Lists what has wrong grants, by name; instead of that the role itself, if it is missing."""
    if not connection.exec_driver_sql(_EXISTS, (ROLE,)).first():
        return [ROLE]
    parameters: Any = (
        ROLE,
        [*APPEND_ONLY, *CHANGED_IN_PART],
        list(EXPIRING),
        list(_NAMED),
        list(_READ_ONLY),
        list(AS_OWNER),
        list(CHANGED_IN_PART),
        [f"{table}.{column}" for table, columns in CHANGED_IN_PART.items() for column in columns],
    )
    return [row[0] for row in connection.exec_driver_sql(_WRONG, parameters)]


# The service's login

#: A superuser is a member of every role. `SET ROLE` changes none of this: `RESET ROLE` undoes it.
_IS_OWNER = """SELECT session_user AS login FROM pg_roles r WHERE r.rolname = session_user
AND (r.rolsuper OR r.rolbypassrls OR EXISTS (SELECT FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    AND pg_has_role(session_user, c.relowner, 'MEMBER')))"""


async def require_own_login(chosen: Settings) -> None:
    """Raises `Stopped` in production if the login of DATABASE_URL can do what the owner can."""
    if chosen.environment != "production":
        return
    async with opened(chosen, size=1) as database:
        row = await database.fetch_one(_IS_OWNER)
    if row is not None:
        raise Stopped(
            f"ENVIRONMENT=production: the login {row['login']} of DATABASE_URL owns the tables, or "
            "may act as their owner, and so could change history. Give the service a login of its "
            f"own, a member of {ROLE} alone, and let `migrate` use the owner's by "
            "MIGRATION_DATABASE_URL."
        )


_JOIN = """SELECT format('GRANT %I TO %I', $2::text, rolname) AS statement FROM pg_roles
WHERE rolname = $1 AND NOT pg_has_role(rolname, $2::text, 'MEMBER')"""


async def admit(login: str, owner: Database) -> None:
    """Makes a login, which has to be there, a member of the service's role.

    Raises `Stopped` with what is to be run by hand if the owner may not.
    """
    row = await owner.fetch_one(_JOIN, login, ROLE)
    if row is not None:
        try:
            await owner.execute(row["statement"])
        except StatementRefused as error:
            if sqlstate(error) not in _NOT_OURS_TO_CHANGE:
                raise
            raise Stopped(
                f"The login {login} is not a member of {ROLE}, and the owner may not make it one. "
                f"Let an administrator of the server run: {row['statement']};"
            ) from error


_SETTINGS_MISSING = """SELECT format('ALTER ROLE %I IN DATABASE %I SET %I = %L', $1::text,
    current_database(), s.name, s.value) AS statement
FROM unnest($2::text[], $3::text[]) AS s(name, value)
WHERE NOT EXISTS (SELECT FROM pg_db_role_setting k JOIN pg_roles r ON r.oid = k.setrole
    JOIN pg_database d ON d.oid = k.setdatabase CROSS JOIN unnest(k.setconfig) AS known
    WHERE r.rolname = $1::text AND d.datname = current_database()
    AND lower(known) = lower(s.name || '=' || s.value))"""


async def put_settings_on(login: str, owner: Database) -> None:
    """Gives the sessions of a login the settings that the service's sessions need.

    Raises `Stopped` with what is to be run by hand if the owner may not change the login.
    """
    wanted = {"role": ROLE, **SESSION}
    rows = await owner.fetch(_SETTINGS_MISSING, login, list(wanted), list(wanted.values()))
    statements = [row["statement"] for row in rows]
    try:
        async with owner.begin() as transaction:
            for statement in statements:
                await transaction.execute(statement)
    except StatementRefused as error:
        if sqlstate(error) not in _NOT_OURS_TO_CHANGE:
            raise
        raise Stopped(
            f"The login {login} is not there, or not the owner's to change. Let an administrator "
            f"of the server run, in this database: {'; '.join(statements)};"
        ) from error

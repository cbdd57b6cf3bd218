"""PgBouncer in transaction mode, with four connections to a PostgreSQL of the test's own."""

import asyncio
import shutil
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from app.base.settings import Settings
from app.commands.migrate import upgrade_when_it_answers
from app.store.database import driver_url, until_it_answers
from demo.place import server_account
from demo.throwaway import home
from tests.faults.processes import free_port
from tests.journeys.service import furnish, serving
from tests.postgres import execute
from tests.receiver import Receiver

#: The service's login, the name by which the pooler knows the database, and the most sessions that
#: the database sees.
LOGIN, DATABASE, SESSIONS = "nwd_app", "referrals", 4
CONFIGURATION = """
[databases]
{database} = host={socket} port={port} dbname={name}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {sessions}
max_client_conn = 500
"""


@asynccontextmanager
async def pooler(direct, folder):
    """A running PgBouncer before the database of the URL `direct`; yields its URL."""
    port = free_port()
    text = CONFIGURATION.format(
        database=DATABASE,
        socket=direct.query["host"],
        port=direct.query["port"],
        name=direct.database,
        listen=port,
        folder=folder,
        sessions=SESSIONS,
    )
    (folder / "configuration").write_text(text)
    (folder / "users").write_text(f'"{LOGIN}" ""\n')
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin")
    assert program, "PgBouncer is not installed: .ci/install-pgbouncer"
    account = ["-u", "nobody"] if server_account().uid is not None else []
    log = folder / "log"
    with log.open("wb") as lines:
        running = await asyncio.create_subprocess_exec(
            program, *account, str(folder / "configuration"), stdout=lines, stderr=lines
        )
    url = f"postgresql://{LOGIN}@127.0.0.1:{port}/{DATABASE}"
    try:
        yield url
    finally:
        running.terminate()
        await running.wait()


@pytest.fixture(params=[True, False], ids=["listening", "looking"])
async def pooled(request, own_postgres):
    """The service behind PgBouncer; its workers listen past the pooler, or look every so often."""
    direct = make_url(own_postgres.url)
    login = direct.set(username=LOGIN).render_as_string(hide_password=False)
    async with AsyncExitStack() as ending:
        await execute(own_postgres.url, f"CREATE ROLE {LOGIN} LOGIN; GRANT nwd_service TO {LOGIN}")
        folder = ending.enter_context(home())
        folder.chmod(0o755)
        url = await ending.enter_async_context(pooler(direct, folder))
        receiver = await ending.enter_async_context(Receiver())
        settings = Settings(
            database_url=url,
            database_pooled=True,
            migration_database_url=own_postgres.url,
            database_listen_url=login if request.param else "",
            database_wait_s=30,
            token_secret="pooled " * 8,
            webhook_allow_private=receiver.allowed,
        )
        await upgrade_when_it_answers(own_postgres.url, settings)
        await until_it_answers(settings)
        await furnish(settings)
        service = await ending.enter_async_context(serving(settings, store=own_postgres.url))
        service.receiver, service.at_database = receiver, own_postgres.url
        service.at("2026-11-20T10:00-08:00")
        yield service


async def sessions(url):
    """(name, role of the login) of each session of the service at the database."""
    connection = await asyncpg.connect(driver_url(url))
    try:
        rows = await connection.fetch(
            "SELECT application_name, usename FROM pg_stat_activity WHERE usename = $1", LOGIN
        )
    finally:
        await connection.close()
    return [row["application_name"] for row in rows]

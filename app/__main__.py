"""The commands: `python -m app <command>`. Each command imports only what it needs.

Exit status: 0 done, 1 refused or failed with a sentence on standard error, 2 misused.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.base.errors import Refusal, Stopped
from app.base.settings import CHECKOUT, WrongSettings, settings
from app.model.caller import PURPOSES

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status."""
    given = _parser().parse_args(arguments)
    command: Command = given.command
    try:
        return command(given)
    except KeyboardInterrupt:
        return 130
    except WrongSettings as wrong:
        return _fail(str(wrong))
    except Refusal as refusal:
        return _fail(refusal.issues[0].diagnostics)
    except Stopped as stopped:
        return _fail(str(stopped))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app", description="No Wrong Door")
    commands = parser.add_subparsers(required=True, metavar="command")
    _add(commands, "serve", _serve, "the service")
    _add(commands, "deliver", _deliver, "the delivery worker")
    _add(commands, "migrate", _migrate, "bring the database to this code's schema")
    load = _add(commands, "load", _load, "load network and roster files (NDJSON or Bundles)")
    load.add_argument("files", nargs="+", type=Path, metavar="FILE")
    contract = _add(commands, "openapi", _openapi, "write the contract")
    contract.add_argument("--check", action="store_true", help="compare instead of writing")
    _add(commands, "check-policies", _check_policies, "validate the policy files")
    _add(commands, "check-places", _check_places, "recount the places that referrals hold")
    _add(commands, "rotate-keys", _rotate_keys, "encrypt webhook secrets with the first key")
    moves = _add(commands, "moves", _moves, "write docs/moves.md: who may do what, and when")
    moves.add_argument("--check", action="store_true", help="compare instead of writing")
    _add_policy(commands)
    _add_client(commands)
    _add_audit(commands)
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Command,
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:])
    parser.set_defaults(command=command)
    return parser


def _add_policy(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("policy", help="replay, compare and try policies")
    actions = parser.add_subparsers(required=True, metavar="action")
    _add(actions, "replay", _policy_replay, "ask every stored determination again")
    export = _add(actions, "export", _policy_export, "stored questions as NDJSON, without persons")
    export.add_argument("--output", type=Path, metavar="FILE", help="instead of standard output")
    diff = _add(actions, "diff", _policy_diff, "what changed from one policy to another")
    diff.add_argument("old", metavar="HPSM/2024-01-01")
    diff.add_argument("new", metavar="HPSM/2026-01-01")
    trial = _add(actions, "simulate", _policy_simulate, "what a new policy file would change")
    trial.add_argument("--plan", required=True)
    trial.add_argument("--file", required=True, type=Path, metavar="NEW.yaml")
    trial.add_argument("--over", required=True, type=Path, metavar="determinations.ndjson")


def _add_client(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("client", help="register clients, renew secrets, switch off")
    actions = parser.add_subparsers(required=True, metavar="action")
    add = _add(actions, "add", _client_add, "register a client; its secret is shown once")
    add.add_argument("id")
    add.add_argument("--organization", required=True, help="the id of its Organization")
    add.add_argument("--role", choices=("requester", "provider", "staff"), default="requester")
    add.add_argument("--scope", action="append", help="instead of the role's scopes; repeatable")
    add.add_argument("--purpose", choices=PURPOSES, help="why it asks (HL7 v3 PurposeOfUse)")
    add.add_argument("--name", help="by which people know it")
    keys = _add(actions, "keys", _client_keys, "replace a client's public keys")
    for parser_of_keys in (add, keys):
        one = parser_of_keys.add_mutually_exclusive_group()
        one.add_argument("--jwks", type=Path, metavar="FILE", help="its public keys, a JWKS")
        one.add_argument("--jwks-uri", metavar="URL", help="where it publishes its public keys")
        parser_of_keys.add_argument(
            "--certificate", type=Path, metavar="FILE", help="its TLS certificate, PEM"
        )
    rotate = _add(actions, "rotate", _client_rotate, "replace a client's secret; shown once")
    rotate.add_argument(
        "--overlap", type=int, default=0, metavar="HOURS", help="how long the old one stays good"
    )
    off = _add(actions, "off", _client_off, "switch a client off; its tokens end at once")
    on = _add(actions, "on", _client_on, "switch a client on again")
    for parser_of_one in (keys, rotate, off, on):
        parser_of_one.add_argument("id")
    _add(actions, "list", _client_list, "every client: how it logs in, and its scopes")


def _add_audit(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("audit", help="verify, export and keep the record of accesses")
    actions = parser.add_subparsers(required=True, metavar="action")
    verify = _add(actions, "verify", _audit_verify, "is each chain as it was sealed?")
    verify.add_argument("--plan", help="only this chain; * is that of no plan")
    verify.add_argument("--head", type=Path, metavar="FILE", help="heads kept from an earlier time")
    head = _add(actions, "head", _audit_head, "the head of each chain, to be kept elsewhere")
    head.add_argument("--plan", help="only this chain")
    export = _add(actions, "export", _audit_export, "AuditEvents as NDJSON")
    export.add_argument("--plan", required=True)
    for name in ("--from", "--to"):
        export.add_argument(name, required=True, metavar="2026-11-01", help="a day of UTC")
    retire = _add(actions, "retire", _audit_retire, "note that old months are taken away")
    retire.add_argument("--before", required=True, metavar="2020-11")


def _serve(_: argparse.Namespace) -> int:
    from app.serve import serve

    return serve()


def _deliver(_: argparse.Namespace) -> int:
    import uvloop

    if not settings().database_url:
        return _fail("Set DATABASE_URL.")
    settings().require_token_secret()
    uvloop.run(_deliver_until_stopped())
    return 0


async def _deliver_until_stopped() -> None:
    import signal

    from app.base.heavy_work import spare_collector
    from app.base.lateness import lateness_watched
    from app.base.logs import configure
    from app.store.database import until_it_answers
    from app.store.schema import require_own_login
    from app.workers.delivery import deliver_forever
    from app.workers.metrics import serve_metrics

    configure(settings().log_level)
    await until_it_answers(settings())
    await require_own_login(settings())
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    chosen = settings()
    spare_collector()
    with serve_metrics(chosen.host, chosen.worker_metrics_port):
        async with lateness_watched("worker", chosen.loop_monitor_ms):
            await deliver_forever(chosen, stop=stop)


def _migrate(_: argparse.Namespace) -> int:
    from app.commands.migrate import upgrade_when_it_answers

    url = settings().migration_database_url or settings().database_url
    if not url:
        return _fail("Set DATABASE_URL, or MIGRATION_DATABASE_URL for the owner's connection.")
    asyncio.run(upgrade_when_it_answers(url, settings()))
    return 0


def _load(given: argparse.Namespace) -> int:
    from app.store.directory.load import main as load

    return load(given.files)


def _openapi(given: argparse.Namespace) -> int:
    from app.api.contract.document import main as write
    from app.main import create_app

    return write(create_app(), check=given.check)


def _check_policies(_: argparse.Namespace) -> int:
    from app.policy.check import check_policies
    from app.policy.library import load_library, policy_folder, read_choice

    path = policy_folder(settings().policy_path)
    faults = check_policies(path)
    if faults:
        return _fail("\n".join(faults))
    try:
        load_library(path, read_choice(settings().policy_switches))
    except ValueError as fault:
        return _fail(f"POLICY_SWITCHES: {fault}")
    return 0


def _policy_replay(_: argparse.Namespace) -> int:
    from app.commands.policy import replay_command

    return replay_command()


def _policy_export(given: argparse.Namespace) -> int:
    from app.commands.policy import export_command

    return export_command(given.output)


def _policy_diff(given: argparse.Namespace) -> int:
    from app.commands.policy import diff_command

    return diff_command(given.old, given.new)


def _policy_simulate(given: argparse.Namespace) -> int:
    from app.commands.policy import simulate_command

    return simulate_command(given.plan, given.file, given.over)


def _check_places(_: argparse.Namespace) -> int:
    if not settings().database_url:
        return _fail("Set DATABASE_URL.")
    return asyncio.run(_recount_places())


async def _recount_places() -> int:
    """Compares each offer's count with the referrals that hold its places; 1 if any differs.

    Prints a line for each offer whose count differs.
    """
    from rich.console import Console

    from app.journey.waitlist import recount
    from app.store.database import opened

    async with opened(settings(), size=1) as database:
        miscounts = await recount(database)
    console = Console()
    for wrong in miscounts:
        line = f"{wrong.plan} {wrong.offer_id}: {wrong.taken} taken, {wrong.held} held by referrals"
        console.print(line, highlight=False, soft_wrap=True)
    if not miscounts:
        console.print("Every place that is taken is held by a referral.", highlight=False)
    return 1 if miscounts else 0


def _rotate_keys(_: argparse.Namespace) -> int:
    from app.commands.rotate_keys import rotate_keys

    if not settings().database_url:
        return _fail("Set DATABASE_URL.")
    return asyncio.run(rotate_keys(settings()))


def _moves(given: argparse.Namespace) -> int:
    from app.model.moves import moves_document

    path = CHECKOUT / "docs" / "moves.md"
    if not given.check:
        path.write_text(moves_document(), "utf-8")
    elif not path.exists() or path.read_text("utf-8") != moves_document():
        return _fail("docs/moves.md is out of date; mend it with: python -m app moves")
    return 0


def _client_add(given: argparse.Namespace) -> int:
    from app.commands.client import add

    wanted = (given.id, given.organization, given.role, given.scope)
    return asyncio.run(add(*wanted, _keys_given(given), given.purpose, given.name))


def _client_rotate(given: argparse.Namespace) -> int:
    from app.commands.client import renew

    return asyncio.run(renew(given.id, given.overlap))


def _client_keys(given: argparse.Namespace) -> int:
    from app.commands.client import replace_client_keys

    return asyncio.run(replace_client_keys(given.id, _keys_given(given)))


def _keys_given(given: argparse.Namespace) -> Any:
    from app.commands.client import KeyOptions

    return KeyOptions(given.jwks, given.jwks_uri, given.certificate)


def _client_off(given: argparse.Namespace) -> int:
    from app.commands.client import switch

    return asyncio.run(switch(given.id, on=False))


def _client_on(given: argparse.Namespace) -> int:
    from app.commands.client import switch

    return asyncio.run(switch(given.id, on=True))


def _client_list(_: argparse.Namespace) -> int:
    from app.commands.client import list_all

    return asyncio.run(list_all())


def _audit_verify(given: argparse.Namespace) -> int:
    from app.commands.audit import check

    return asyncio.run(check(given.plan, given.head))


def _audit_head(given: argparse.Namespace) -> int:
    from app.commands.audit import print_heads

    return asyncio.run(print_heads(given.plan))


def _audit_export(given: argparse.Namespace) -> int:
    from app.commands.audit import export

    return asyncio.run(export(given.plan, getattr(given, "from"), given.to))


def _audit_retire(given: argparse.Namespace) -> int:
    from app.commands.audit import retire

    return asyncio.run(retire(given.before))


def _fail(text: str) -> int:
    sys.stderr.write(text + "\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())

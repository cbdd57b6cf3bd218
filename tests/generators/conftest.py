"""The running service, and programs of other people that make clients of its contract."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.journeys.payloads import EXTRA, a_referral
from tests.outside import ROOT, served
from tests.postgres import token

CACHE = ROOT / ".ci-cache" / "generators"
CONTRACT = ROOT / "openapi" / "openapi.json"
CLIENTS = Path(__file__).parent / "clients"
PYTHON = CACHE / "python" / "bin"
NODE = CACHE / "node_modules" / ".bin"
#: What the journey is to have seen: a referral that the rules approve, read back, and its Task.
SEEN = {"read": True, "contained": ["Patient", "QuestionnaireResponse", "Coverage"], "task": True}


@pytest.fixture(scope="session")
def service_url(cluster, tmp_path_factory) -> str:
    log = tmp_path_factory.mktemp("service") / "log"
    with served(cluster.create(token()), log) as url:
        yield url


@pytest.fixture
def place(tmp_path, request) -> Path:
    """An empty folder for a generated client, from which Node finds its modules."""
    (tmp_path / "node_modules").symlink_to(CACHE / "node_modules")
    return tmp_path


@pytest.fixture
def journey(service_url):
    """Runs a program that asks for a token, refers, reads the referral and looks for its Task."""

    def run(*command: object, member: int, **more: str) -> dict:
        told = {
            "base": service_url,
            "client": "hospital",
            "secret": "demo-hospital",
            "referral": a_referral(EXTRA[member], identifier=f"generated-{member}"),
        }
        return json.loads(ran(*command, stdin=json.dumps(told), **more).splitlines()[-1])

    return run


def ran(*command: object, stdin: str = "", cwd: Path = ROOT, **more: str) -> str:
    """What a program printed; one that fails fails the test with all that it said."""
    done = subprocess.run(
        [str(word) for word in command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=540,
        cwd=cwd,
        env={**os.environ, "NO_PROXY": "127.0.0.1", **more},
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-8000:]
    return done.stdout.strip()


def generated(place: Path, language: str, *options: str) -> Path:
    """openapi-generator's client in a language."""
    made = place / "made"
    jar = next(PYTHON.parent.glob("lib/python*/site-packages/openapi_generator_cli/*.jar"))
    ran("java", "-jar", jar, "generate", "-i", CONTRACT, "-g", language, "-o", made, *options)
    return made


def typed(place: Path, *files: Path) -> Path:
    """TypeScript without a fault, and the JavaScript that comes of it."""
    # Node reads what comes of it as CommonJS, which finds files by name without their endings.
    flags = "--strict --skipLibCheck --target es2022 --module commonjs --moduleResolution node10"
    libraries = "--lib es2022,dom,dom.iterable --types node"
    out = place / "out"
    out.mkdir()
    (out / "package.json").write_text('{"type": "commonjs"}')
    words = [*flags.split(), *libraries.split(), "--rootDir", place, "--outDir", out]
    ran(NODE / "tsc", *words, *files, cwd=place)
    return out


def script(place: Path, name: str) -> Path:
    """One of our own programs beside the client that it uses."""
    copied = place / name
    copied.write_text((CLIENTS / name).read_text())
    return copied

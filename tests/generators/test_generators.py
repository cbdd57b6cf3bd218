"""Clients made of the contract by the usual generators compile, and complete the journey.

What each makes of a FHIR resource that it does not know (in `contained`, in a Bundle) must survive
the way there and back.
"""

import pytest

from tests.generators.conftest import CONTRACT, NODE, PYTHON, SEEN, generated, ran, script, typed

pytestmark = pytest.mark.generators
#: What a client of openapi-generator's Java needs beside what the generator's jar holds.
_JAVA = "/usr/share/java/geronimo-annotation-1.3-spec.jar:/usr/share/java/httpmime.jar"


def test_openapi_generator_python(place, journey):
    made = generated(place, "python", "--additional-properties=packageName=nwd")
    ran(PYTHON / "python", "-m", "compileall", "-q", made / "nwd")
    ran(PYTHON / "mypy", "--cache-dir", place / "types", "nwd", cwd=made)
    program = script(place, "by_openapi_generator.py")
    assert journey(PYTHON / "python", program, member=0, PYTHONPATH=str(made)) == SEEN


def test_openapi_python_client(place, journey):
    made, settings = place / "nwd", place / "settings.yaml"
    # Its own names for what it does not know: PDF, and the formatter that it would run.
    settings.write_text(
        "content_type_overrides: {application/pdf: application/octet-stream}\npost_hooks: []\n"
    )
    options = ["--path", CONTRACT, "--output-path", made, "--meta", "none", "--config", settings]
    said = ran(PYTHON / "openapi-python-client", "generate", "--fail-on-warning", *options)
    assert "WARNING" not in said
    ran(PYTHON / "python", "-m", "compileall", "-q", made)
    ran(PYTHON / "mypy", "--cache-dir", place / "types", made, cwd=place)
    program = script(place, "by_openapi_python_client.py")
    assert journey(PYTHON / "python", program, member=1, PYTHONPATH=str(place)) == SEEN


def test_openapi_generator_java(place, journey):
    options = "openApiNullable=false,containerDefaultToNull=true,useSingleRequestParameter=true"
    made = generated(place, "java", "--library=native", f"--additional-properties={options}")
    sources = sorted((made / "src" / "main").rglob("*.java"))
    program = script(place, "ByOpenapiGenerator.java")
    jar = next(PYTHON.parent.glob("lib/python*/site-packages/openapi_generator_cli/*.jar"))
    classes, libraries = place / "classes", f"{jar}:{_JAVA}"
    ran("javac", "-nowarn", "-proc:none", "-d", classes, "-cp", libraries, *sources, program)
    where = f"{classes}:{libraries}"
    assert journey("java", "-cp", where, "ByOpenapiGenerator", member=5) == SEEN


def test_openapi_generator_typescript_fetch(place, journey):
    generated(place, "typescript-fetch")
    out = typed(place, script(place, "by_openapi_generator.ts"))
    assert journey("node", out / "by_openapi_generator.js", member=2) == SEEN


def test_openapi_typescript(place, journey):
    ran(NODE / "openapi-typescript", CONTRACT, "-o", place / "made.d.ts")
    out = typed(place, script(place, "by_openapi_fetch.ts"))
    assert journey("node", out / "by_openapi_fetch.js", member=3) == SEEN


def test_hey_api(place, journey):
    ran(NODE / "openapi-ts", "-i", CONTRACT, "-o", place / "made", cwd=place)
    out = typed(place, script(place, "by_hey_api.ts"))
    assert journey("node", out / "by_hey_api.js", member=4) == SEEN


def test_redocly_finds_no_fault():
    ran(NODE / "redocly", "lint", CONTRACT, REDOCLY_TELEMETRY="off")


def test_spectral_finds_no_fault(place):
    rules = place / "rules.yaml"
    # That examples fit their schemas is tests/contract's to say: here it takes minutes.
    rules.write_text(
        'extends: ["spectral:oas"]\n'
        "rules: {oas3-valid-media-example: off, oas3-valid-schema-example: off}\n"
    )
    ran(NODE / "spectral", "lint", "--ruleset", rules, "--fail-severity", "error", CONTRACT)

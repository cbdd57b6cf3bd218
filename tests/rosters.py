"""Network and roster files as the tests use them."""

from app.fhir.r4.strict_json import parse


def read_files(*paths):
    """Every resource of NDJSON files."""
    return [parse(line) for path in paths for line in path.read_bytes().splitlines() if line]

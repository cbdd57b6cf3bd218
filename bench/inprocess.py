"""What the stages cost without database and web: `python -m bench.inprocess` prints JSON."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median

import orjson

from app.base.settings import Settings
from app.fhir.r4.check import check_resource
from app.fhir.r4.strict_json import parse
from app.fhir.service_request import to_domain
from app.journey.eligibility.identity import take_at_word
from app.journey.intake.context import RequestContext, rules
from app.journey.intake.submission import read_submission, read_tree
from app.journey.stages import eligibility
from app.model.known import Known
from app.policy.engine import evaluate
from app.policy.library import FILES, load_library
from app.store.referral.draft import Actor
from bench.bodies import referral


def _ms(work: Callable[[], object], times: int) -> float:
    """The median time of a call, in milliseconds."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return 1000 * median(took)


def measure(times: int) -> dict[str, float]:
    """Milliseconds of each stage on the referral that the bench posts."""
    settings = Settings()
    began = time.perf_counter()
    library = load_library(FILES)
    loading = 1000 * (time.perf_counter() - began)
    here = rules(settings, library)
    context = RequestContext(
        here, datetime.now(UTC), Actor("bench", "org-bench"), settings.fhir_base
    )
    body = referral(0)
    tree = read_tree(body, ["ServiceRequest"])
    submission = read_submission(tree, context)
    identity = take_at_word(submission.request, here.plans)
    question = eligibility(submission, identity, Known(), here).question

    def read() -> None:
        parsed = parse(body)
        check_resource(parsed)
        to_domain(parsed, (), submission.on)

    return {
        "load_policies_ms": loading,
        "evaluate_ms": _ms(lambda: evaluate(library, question), times),
        "eligibility_ms": _ms(lambda: eligibility(submission, identity, Known(), here), times),
        "read_ms": _ms(read, times),
        "submission_ms": _ms(
            lambda: read_submission(read_tree(body, ["ServiceRequest"]), context), times
        ),
    }


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(measure(int(sys.argv[1]))))

"""Loading and evaluating stay cheap, in processor time, so that a busy machine changes nothing.

The figures themselves, beside those of the machine, are `make bench`'s.
"""

import time
from statistics import median

from app.policy.engine import evaluate
from app.policy.explain import explain
from app.policy.library import load_library
from tests.policies.vectors import load_vectors, to_question
from tests.rules.policy.asking import LIBRARY

QUESTIONS = [to_question(vector) for vector in load_vectors()]


def best(work, tries=7):
    """The least processor time of several tries, in milliseconds."""
    spent = []
    for _ in range(tries):
        begun = time.process_time()
        work()
        spent.append((time.process_time() - begun) * 1000)
    return min(spent)


def test_all_policies_are_loaded_in_less_than_a_second():
    assert best(load_library, 3) < 1000


def test_a_referral_is_evaluated_in_less_than_a_millisecond():
    assert median(best(lambda q=q: evaluate(LIBRARY, q)) for q in QUESTIONS) < 1


def test_an_explanation_costs_less_than_the_evaluation():
    answers = [evaluate(LIBRARY, question) for question in QUESTIONS]
    told = median(best(lambda a=a: explain(a, LIBRARY)) for a in answers)
    assert told < median(best(lambda q=q: evaluate(LIBRARY, q)) for q in QUESTIONS)

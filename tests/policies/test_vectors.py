"""Every example vector, put to the rules directly."""

from collections.abc import Mapping
from typing import Any

import pytest

from app.policy.engine import evaluate
from app.policy.library import Library, load_library
from tests.policies.vectors import load_vectors, to_question

LIBRARY: Library = load_library()


@pytest.mark.parametrize("vector", load_vectors(), ids=lambda v: v["id"])
def test_the_rules_answer_a_vector_as_expected(vector: Mapping[str, Any]) -> None:
    said = evaluate(LIBRARY, to_question(vector))
    expect = vector["expect"]
    reasons = {reason.code for reason in said.reasons}
    missing = {fact.fact for fact in said.missing}
    assert said.outcome == expect["outcome"], (reasons, missing)
    assert reasons >= set(expect.get("reasons", ()))
    assert not reasons & set(expect.get("notReasons", ()))
    if "populations" in expect:
        assert set(said.populations) == set(expect["populations"])
    assert missing >= set(expect.get("missing", ()))
    assert not missing & set(expect.get("notMissing", ()))

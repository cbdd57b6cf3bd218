"""What tells of a substance use disorder is found wherever it stands, and left out."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fhir.consent import MOST, Organizations, read_consent
from app.fhir.r4.check import check_resource
from app.fhir.r4.codes import ACT_CODE, CALAIM_SERVICE, ICD_10_CM, NPI, fact_system
from app.fhir.r4.strict_json import dumps
from app.fhir.sensitive import is_labelled, label, tells
from app.fhir.withheld import shown
from app.policy.dictionary import load_dictionary
from app.policy.sensitive import is_sensitive, load_sensitive, sensitive_codes

NOW = datetime(2026, 11, 20, 18, tzinfo=UTC)
NOBODY = Organizations("", {})
META = {"versionId": "1", "lastUpdated": "2026-11-20T18:00:00Z"}


def coding(system, code):
    return {"system": system, "code": code}


def condition(code, system=ICD_10_CM):
    coded = {"coding": [coding(system, code)]}
    body = {"resourceType": "Condition", "id": "c", "meta": META, "code": coded}
    return {**body, "subject": {"display": "the member"}}


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("F10", True),
        ("F10.20", True),
        ("f1120", True),
        ("F16.10", True),
        ("F17.210", False),  # nicotine
        ("F18.10", True),
        ("F19.9", True),
        ("F20.9", False),
        ("F32.9", False),
        ("O99.311", True),
        ("O99.320", True),
        ("O99.330", False),  # tobacco
        ("Z71.41", True),
        ("Z71.6", False),  # tobacco
        ("K70.30", True),
        ("K85.20", True),
        ("K85.90", False),
        ("Z59.00", False),
    ],
)
def test_a_diagnosis_tells(code, told):
    assert tells(condition(code)) is told
    assert tells(condition(code, None)) is told
    assert is_labelled(label(condition(code))) is told


def test_a_code_of_another_system_tells_nothing():
    assert not tells(condition("F10.20", "http://snomed.info/sct"))


def test_every_listed_fact_and_code_is_one_of_the_dictionary():
    dictionary = load_dictionary()
    for fact, codes in sensitive_codes().items():
        assert codes <= set(dictionary[fact].codes), fact
    assert not is_sensitive("homeless")
    assert all(each.source for each in load_sensitive().facts)


def test_a_service_that_tells_labels_and_stays():
    request = {
        "resourceType": "ServiceRequest",
        "id": "s",
        "meta": META,
        "code": {"coding": [coding(CALAIM_SERVICE, "SC")]},
    }
    labelled = label(request)
    assert is_labelled(labelled)
    assert shown("ServiceRequest", dumps(labelled), []) == dumps(request)


def test_a_label_is_put_once():
    once = label(condition("F10.20"))
    assert label(once) == once
    assert [each["code"] for each in once["meta"]["security"]] == ["SUD", "R"]


def test_a_sender_may_label_by_a_documents_own_element():
    document = {
        "resourceType": "DocumentReference",
        "meta": META,
        "securityLabel": [{"coding": [coding(ACT_CODE, "ETHUD")]}],
    }
    assert shown("DocumentReference", dumps(label(document)), []) is None


# Forms

_TELLING = [
    (fact, {"valueCoding": coding(fact_system(fact), min(codes))} if codes else {})
    for fact, codes in sensitive_codes().items()
]
_PLAIN = [("homeless", {"valueBoolean": True}), ("x", {"valueString": "plain"})]


def item(fact, answer, *, boolean=False):
    return {"linkId": fact, "answer": [answer or {"valueBoolean": boolean}]}


def items():
    telling = st.builds(
        lambda told, no: item(*told, boolean=no), st.sampled_from(_TELLING), st.booleans()
    )
    plain = st.builds(lambda told: item(*told), st.sampled_from(_PLAIN))
    leaves = telling | plain
    return st.lists(
        st.recursive(
            leaves,
            lambda inner: st.builds(
                lambda of, under: (
                    {"linkId": "group", **({"item": of} if under else {})}
                    if under
                    else {**item("homeless", {"valueBoolean": True, "item": of})}
                ),
                st.lists(inner, min_size=1, max_size=3),
                st.booleans(),
            ),
            max_leaves=8,
        ),
        min_size=1,
        max_size=5,
    )


@given(items())
def test_no_answer_that_tells_is_left_however_deep(listed):
    form = {
        "resourceType": "QuestionnaireResponse",
        "id": "q",
        "meta": META,
        "text": {
            "status": "generated",
            "div": '<div xmlns="http://www.w3.org/1999/xhtml">told</div>',
        },
        "status": "completed",
        "item": listed,
    }
    labelled = label(form)
    told = tells(form)
    assert is_labelled(labelled) is told
    part = orjson.loads(shown("QuestionnaireResponse", dumps(labelled), []) or b"null")
    assert not tells(part)
    assert bool(part["meta"].get("security")) is told
    assert check_resource(part) == []
    assert ("text" in part) is not told
    assert shown("QuestionnaireResponse", dumps(labelled), ["sensitive:permit"]) == dumps(labelled)
    assert shown("QuestionnaireResponse", dumps(labelled), None) == dumps(labelled)


# Consents


def consent(**more):
    return {"resourceType": "Consent", "status": "active", **more}


def provision(decision="permit", **more):
    return {"type": decision, "securityLabel": [coding(ACT_CODE, "SUD")], **more}


def decisions(tree):
    return [(rule.covers, rule.decision) for rule in read_consent(tree, NOW, NOBODY)]


@pytest.mark.parametrize("made", [{}, {"provision": {}}, {"provision": {"purpose": []}}])
def test_a_consent_that_says_nothing_decides_nothing(made):
    assert decisions(consent(**made)) == []


def test_the_policy_of_a_consent_says_what_its_provision_does_not():
    def by(code):
        return consent(policyRule={"coding": [coding(ACT_CODE, code)]}, provision={})

    assert decisions(by("OPTIN")) == [("clinical", "permit")]
    assert decisions(by("OPTOUTE")) == [("clinical", "deny"), ("sensitive", "deny")]


def test_a_category_of_part_2_is_a_label():
    category = [{"coding": [coding(ACT_CODE, "42CFRPart2")]}]
    assert decisions(consent(category=category, provision={"type": "permit"})) == [
        ("sensitive", "permit")
    ]


def test_more_than_can_be_read_refuses_everything():
    npis = [{"reference": {"identifier": coding(NPI, None) | {"value": str(n)}}} for n in range(99)]
    for many in (
        provision(provision=[provision()] * (MOST + 1)),
        provision(actor=npis),
        provision(purpose=[{"code": str(n)} for n in range(99)]),
        provision(period={"start": "?"}),
    ):
        assert decisions(consent(provision=many)) == [("clinical", "deny"), ("sensitive", "deny")]


def test_a_refusal_to_somebody_whom_we_do_not_know_is_one_to_all():
    named = [{"reference": {"display": "my cousin"}}]
    (rule,) = read_consent(consent(provision=provision("deny", actor=named)), NOW, NOBODY)
    assert rule.recipients is None
    (rule,) = read_consent(consent(provision=provision("permit", actor=named)), NOW, NOBODY)
    assert rule.recipients == ("",)


def test_a_consent_is_never_dated_later_than_we_heard_it():
    for stated in ("2099", "2027-01", "2026-11-20", "9999-12-31", "2026-11-20T23:00:00Z"):
        made = consent(dateTime=stated, provision=provision("deny"))
        (rule,) = read_consent(made, NOW, NOBODY)
        assert rule.dated <= NOW


_CODES = st.sampled_from(["SUD", "R", "LOCIS", "HIV", "", "42CFRPart2"])
_PERIODS = st.fixed_dictionaries(
    {},
    optional={
        "start": st.sampled_from(["2026", "2026-11-20", "0001-01-01", "9999-12-31", "no date"]),
        "end": st.sampled_from(["2026", "2026-11-20T10:00:00-08:00", "9999", "0001-01-01"]),
    },
)
_PROVISIONS = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["permit", "deny"]),
            "securityLabel": st.lists(st.builds(lambda c: coding(ACT_CODE, c), _CODES), max_size=2),
            "period": _PERIODS,
            "purpose": st.lists(st.just({"code": "TREAT"}), max_size=2),
            "actor": st.lists(
                st.sampled_from(
                    [
                        {"reference": {"reference": "Organization/o"}},
                        {"reference": {"reference": "#x"}},
                        {"reference": {}},
                        {},
                    ]
                ),
                max_size=2,
            ),
            "class": st.lists(st.just({"code": "Condition"}), max_size=1),
        },
    ),
    lambda inner: st.builds(
        lambda own, within: {**own, "provision": within},
        st.fixed_dictionaries({"type": st.sampled_from(["permit", "deny"])}),
        st.lists(inner, max_size=3),
    ),
    max_leaves=6,
)


@given(
    st.sampled_from(["active", "inactive", "rejected", "entered-in-error", "draft", "proposed"]),
    _PROVISIONS,
    st.none() | st.sampled_from(["2026", "2026-11-20", "0001-01-01T00:00:00+14:00", "9999"]),
)
def test_every_consent_can_be_read(status, made, stated):
    tree = {"resourceType": "Consent", "status": status, "provision": made}
    if stated:
        tree["dateTime"] = stated
    rules = read_consent(tree, NOW, NOBODY)
    if status in ("draft", "proposed"):
        assert rules == []
    if status in ("inactive", "rejected", "entered-in-error"):
        assert {rule.decision for rule in rules} <= {"none"}
    for rule in rules:
        assert rule.covers in ("sensitive", "clinical", "contact")
        assert rule.dated <= NOW

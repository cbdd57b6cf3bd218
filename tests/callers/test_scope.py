"""What a client asks for, and what it is granted of it."""

import pytest

from app.model.caller import Caller, grant, is_scope
from app.store.clients import DEMONSTRATION, REQUESTER, hash_secret, secret_matches

HELD = {"system/ServiceRequest.crus", "system/Task.rus", "nwd/decide"}

CASES = [
    ("", HELD, sorted(HELD)),
    ("system/ServiceRequest.rs", {"system/ServiceRequest.rs"}, ["system/ServiceRequest.rs"]),
    ("system/ServiceRequest.cruds", {"system/ServiceRequest.crus"}, ["system/ServiceRequest.crus"]),
    ("system/Task.read", {"system/Task.rs"}, ["system/Task.read"]),
    ("system/Task.write", {"system/Task.u"}, ["system/Task.u"]),
    (
        "system/*.read",
        {"system/ServiceRequest.rs", "system/Task.rs"},
        ["system/ServiceRequest.rs", "system/Task.rs"],
    ),
    ("launch/patient openid system/Task.r", {"system/Task.r"}, ["system/Task.r"]),
    ("nwd/decide", {"nwd/decide"}, ["nwd/decide"]),
    ("nwd/roster", set(), []),
    ("system/Patient.rs", set(), []),
    ("user/Task.rs patient/*.read", set(), []),
    ("system/Task.sr", set(), []),
    ("system/Task.", set(), []),
    ("system/Task.rs?status=requested", set(), []),
    ("system/task.rs", set(), []),
    ("\x00 \ud800", set(), []),
]


@pytest.mark.parametrize(("asked", "scopes", "words"), CASES)
def test_a_client_is_granted_what_it_asks_for_within_what_it_holds(asked, scopes, words):
    assert grant(asked, HELD) == (frozenset(scopes), words)


def test_a_wildcard_covers_every_type():
    assert grant("system/Task.rs", {"system/*.cruds"})[0] == {"system/Task.rs"}
    assert grant("system/*.read", {"system/*.cruds"}) == (
        frozenset({"system/*.rs"}),
        ["system/*.read"],
    )


@pytest.mark.parametrize(
    ("text", "good"),
    [("system/*.cruds", True), ("nwd/network", True), ("system/Task.read", False), ("x", False)],
)
def test_only_v2_and_staff_scopes_can_be_given_to_a_client(text, good):
    assert is_scope(text) is good


@pytest.mark.parametrize(("letter", "good"), [("c", True), ("r", True), ("s", True), ("d", False)])
def test_a_requester_refers_and_reads_and_never_deletes(letter, good):
    assert Caller("hospital", "org", None, REQUESTER).may("ServiceRequest", letter) is good


def test_nobody_but_plan_staff_decides():
    deciders = {name for name, (_, scopes) in DEMONSTRATION.items() if "nwd/decide" in scopes}
    assert deciders == {"staff-hpsm", "staff-hpsj", "staff-ccah"}


def test_a_secret_matches_its_own_hash_and_no_other():
    kept = hash_secret("demo-hospital")
    assert "demo-hospital" not in kept
    assert kept != hash_secret("demo-hospital")
    assert secret_matches("demo-hospital", [kept])
    assert not secret_matches("demo-practice", [kept])
    assert not secret_matches("", [kept])
    assert not secret_matches("\ud800", [kept])


def test_a_client_that_does_not_exist_has_no_secret():
    assert not secret_matches("", ())

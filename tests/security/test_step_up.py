"""Routes that ask how recently, and by which means, a person signed in: RFC 9470 section 3, RFC 9068 section 2.2.1."""

import json
import re

import pytest

from m2mguard import ConfigurationError, InsufficientScope, InsufficientUserAuthentication, Requirement
from m2mguard.testing import fake_caller
from tests.manual_clock import ManualClock
from tests.security.forge import ACCEPTED, NOW, REMOVED, mint, outcome, server, stable_id

RECENT = Requirement(max_age=300)
STRONG = Requirement(acr=["phr", "mfa"])
NOT_RECENT, NOT_STRONG = (401, "max_age"), (401, "acr")
PERSON = {"sub": "user-alice", "auth_time": NOW - 10, "acr": "mfa"}
GUARD = server(issuer={"organization_claim": "organization_id"}, machine_only=False, leeway=30)


def refusal(requirement, claims, guard=GUARD):
    with pytest.raises(InsufficientUserAuthentication) as caught:
        guard.verify(mint({**PERSON, **claims}), requirement)
    return caught.value


def challenge(requirement, claims, guard=GUARD):
    answer = guard.answer(refusal(requirement, claims, guard))
    return answer.status, answer.headers["WWW-Authenticate"].partition(", ")[2]


@pytest.mark.parametrize(
    ("auth_time", "expected"),
    [
        (NOW, ACCEPTED),
        (NOW - 300, ACCEPTED),
        (NOW - 330, ACCEPTED),  # the leeway
        (NOW - 329.5, ACCEPTED),
        (NOW - 330.5, NOT_RECENT),
        (NOW - 331, NOT_RECENT),
        (0, NOT_RECENT),
        (-NOW, NOT_RECENT),
        (-(10**17), NOT_RECENT),
    ],
)
def test_a_sign_in_counts_for_max_age_seconds_and_the_leeway(auth_time, expected):
    assert outcome(GUARD, mint({**PERSON, "auth_time": auth_time}), RECENT) == expected


@pytest.mark.parametrize(("ahead", "expected"), [(0, ACCEPTED), (30, ACCEPTED), (31, NOT_RECENT), (1e300, NOT_RECENT)])
def test_a_sign_in_of_the_future_is_no_sign_in(ahead, expected):
    token = mint({**PERSON, "auth_time": NOW + ahead})
    assert outcome(GUARD, token, RECENT) == expected
    assert outcome(GUARD, token) == ACCEPTED  # where nothing is asked


@pytest.mark.parametrize(
    "value",
    [REMOVED, None, True, str(NOW), [NOW], {"at": NOW}, ""],
    ids=stable_id,
)
def test_a_time_that_cannot_be_read_is_no_recent_sign_in(value):
    guard = server(machine_only=False)
    assert outcome(guard, mint({**PERSON, "auth_time": value}), Requirement(max_age=2**31 - 1)) == NOT_RECENT
    assert outcome(guard, mint({**PERSON, "auth_time": value}), STRONG) == ACCEPTED


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("mfa", ACCEPTED),
        ("phr", ACCEPTED),
        ("MFA", NOT_STRONG),
        ("mfa ", NOT_STRONG),
        ("mf", NOT_STRONG),
        ("mfa2", NOT_STRONG),
        ("phr mfa", NOT_STRONG),
        ("", NOT_STRONG),
        (["mfa"], NOT_STRONG),
        ({"mfa": True}, NOT_STRONG),
        (1, NOT_STRONG),
        (None, NOT_STRONG),
        (REMOVED, NOT_STRONG),
    ],
    ids=stable_id,
)
def test_acr_is_one_of_the_accepted_values_compared_whole(value, expected):
    assert outcome(GUARD, mint({**PERSON, "acr": value}), STRONG) == expected


def test_the_challenge_names_all_that_a_new_sign_in_needs():
    both = Requirement(max_age=300, acr=["phr", "mfa"], scopes=["read:orders"], any_scope=["a", "b"])
    description = f'error_description="{InsufficientUserAuthentication.description}"'
    code = f'error="insufficient_user_authentication", {description}'
    assert challenge(RECENT, {"auth_time": 0}) == (401, f'{code}, max_age="300"')
    assert challenge(Requirement(max_age=0), {"auth_time": 0}) == (401, f'{code}, max_age="0"')
    assert challenge(STRONG, {"acr": "pwd"}) == (401, f'{code}, acr_values="phr mfa"')
    everything = f'{code}, acr_values="phr mfa", max_age="300"'
    assert challenge(both, {"auth_time": 0, "scope": "read:orders a"}) == (401, everything)
    for lacking in ("", "read:orders", "a b"):
        assert challenge(both, {"acr": "pwd", "scope": lacking}) == (401, f'{everything}, scope="read:orders a b"')


def test_the_answer_holds_nothing_of_the_token():
    answer = GUARD.answer(refusal(Requirement(max_age=1, acr="mfa"), {"acr": "canary", "sub": "canary"}))
    assert "canary" not in repr(answer)
    assert str(NOW - 10) not in repr(answer)
    assert json.loads(answer.body) == {
        "error": "insufficient_user_authentication",
        "error_description": InsufficientUserAuthentication.description,
    }


@pytest.mark.parametrize(
    ("claims", "requirement", "expected"),
    [
        ({"exp": NOW - 60}, RECENT, (401, "expired")),
        ({"aud": "https://other.api"}, RECENT, (401, "audience")),
        ({"organization_id": "org-red"}, RECENT, (403, "organization")),
        ({}, Requirement(max_age=300, organization="org-blue"), (403, "organization")),
        ({"organization_id": "org-blue"}, Requirement(max_age=300, organization="org-blue"), NOT_RECENT),
        ({"scope": ""}, Requirement(max_age=300, scopes=["read:orders"]), NOT_RECENT),
        ({"scope": "", "auth_time": NOW}, Requirement(max_age=300, scopes=["read:orders"]), (403, "scope")),
    ],
)
def test_nobody_signs_in_again_for_what_no_sign_in_can_change(claims, requirement, expected):
    assert outcome(GUARD, mint({**PERSON, "auth_time": 0, **claims}), requirement) == expected


@pytest.mark.parametrize("requirement", [RECENT, STRONG], ids=["max_age", "acr"])
@pytest.mark.parametrize("claims", [{}, {"auth_time": NOW, "acr": "mfa"}], ids=["plain", "with a person's claims"])
def test_an_applications_token_never_meets_it(requirement, claims):
    assert outcome(GUARD, mint(claims), requirement) == (403, "not_a_person")
    assert outcome(GUARD, mint(claims)) == ACCEPTED
    with pytest.raises(InsufficientScope) as caught:
        GUARD.verify(mint(claims), requirement)
    assert "scope=" not in GUARD.answer(caught.value).headers["WWW-Authenticate"]  # since no other token would help


def test_a_remembered_tokens_sign_in_grows_old():
    clock = ManualClock(NOW)
    guard = server(machine_only=False, leeway=0, clock=clock)
    token = mint(PERSON)
    assert [outcome(guard, token, RECENT) for _ in range(2)] == [ACCEPTED, ACCEPTED]
    clock.advance(290)
    assert outcome(guard, token, RECENT) == ACCEPTED
    clock.advance(1)
    assert outcome(guard, token, RECENT) == NOT_RECENT
    assert outcome(guard, token, Requirement(max_age=400)) == ACCEPTED
    assert outcome(guard, token) == ACCEPTED
    assert guard.health().verdicts.remembered == 1
    clock.advance(-2)
    assert outcome(guard, token, RECENT) == ACCEPTED


def test_a_caller_can_be_asked_for_a_sign_in_later():
    clock = ManualClock(NOW)
    guard = server(machine_only=False, leeway=0, clock=clock)
    caller = guard.verify(mint(PERSON))
    guard.authorize(caller, RECENT)
    clock.advance(300)
    with pytest.raises(InsufficientUserAuthentication):
        guard.authorize(caller, RECENT)


def test_the_operator_is_told_what_was_found_and_the_caller_is_named():
    old = refusal(RECENT, {"auth_time": NOW - 3600})
    assert (old.reason, old.problem, old.claim, old.expected) == ("max_age", None, "auth_time", ("at most 300 s ago",))
    assert (old.got, old.app_id, old.max_age, old.acr_values) == (("2027-01-15T07:00:00Z",), "app-orders", 300, ())
    other = refusal(STRONG, {"acr": "pwd"})
    assert (other.reason, other.claim, other.expected, other.got) == ("acr", "acr", ("phr", "mfa"), ("pwd",))
    for claims, problem in (
        ({"auth_time": REMOVED}, "missing"),
        ({"auth_time": "x"}, "wrong_type"),
        ({"auth_time": NOW + 99}, "contradiction"),
    ):
        assert refusal(RECENT, claims).problem == problem
    assert refusal(STRONG, {"acr": REMOVED}).problem == "missing"
    assert refusal(STRONG, {"acr": 1}).problem == "wrong_type"


@pytest.mark.parametrize("requirement", [RECENT, STRONG], ids=["max_age", "acr"])
def test_a_server_for_machines_only_says_that_nobody_can_meet_it(requirement):
    for guard in (server(), server(machine_only=True)):
        with pytest.raises(ConfigurationError, match="machine_only=False"):
            guard.check_requirement(requirement)
        with pytest.raises(ConfigurationError, match="machine_only=False"):
            guard.verify(mint(), requirement)
    GUARD.check_requirement(requirement)


@pytest.mark.parametrize("max_age", [-1, 1.5, True, "300", 2**31, float("nan"), [300]], ids=stable_id)
def test_max_age_is_a_whole_number_of_seconds(max_age):
    with pytest.raises(ConfigurationError, match="max_age"):
        Requirement(max_age=max_age)
    assert Requirement(max_age=0).max_age == 0


@pytest.mark.parametrize(
    "acr",
    ["", " ", "a b", 'a"b', "a\\b", "a\r\nb", "ä", b"mfa", 1, None, ["mfa", ""], ["a b"], {"mfa": 1}],
    ids=stable_id,
)
def test_acr_can_always_be_named_in_a_challenge(acr):
    with pytest.raises(ConfigurationError, match="acr"):
        Requirement(acr=acr)
    assert Requirement(acr="urn:example:mfa").acr == ("urn:example:mfa",)


def test_no_caller_is_an_application_of_a_list_and_a_person():
    for asked in ({"max_age": 300}, {"acr": "mfa"}):
        with pytest.raises(ConfigurationError, match="app_ids"):
            Requirement(app_ids=["app-orders"], **asked)
    assert Requirement(app_ids=["app-orders"], acr=()).acr == ()


def test_equal_requirements_are_equal_and_keep_the_order_of_preference():
    assert Requirement(max_age=5, acr=["b", "a", "b"]) == Requirement(max_age=5, acr=("b", "a"))
    assert hash(Requirement(acr="a")) == hash(Requirement(acr=["a"]))
    assert Requirement(acr=["b", "a"]) != Requirement(acr=["a", "b"])
    assert Requirement(max_age=5) != Requirement(max_age=6) != Requirement()


def test_a_requirement_without_a_clock_is_met_by_no_age():
    caller = fake_caller(user_id="user-alice", claims={"auth_time": NOW})
    with pytest.raises(InsufficientUserAuthentication):
        RECENT.check(caller)
    RECENT.check(caller, now=NOW)


def test_the_challenge_keeps_the_grammar_for_every_acr():
    quotable = "".join(map(chr, range(0x21, 0x7F))).replace('"', "").replace("\\", "")
    header = GUARD.answer(refusal(Requirement(acr=[quotable, "b"]), {})).headers["WWW-Authenticate"]
    assert re.findall(r'acr_values="([^"]*)"', header) == [f"{quotable} b"]

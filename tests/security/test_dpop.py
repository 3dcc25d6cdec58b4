"""Tokens that are bound to a key: RFC 9449 at the resource server, from the Authorization field to the answer."""

import asyncio
import concurrent.futures
import logging
import threading
from dataclasses import dataclass, field

import pytest

from m2mguard import (
    ConfigurationError,
    InvalidRequest,
    InvalidToken,
    KeysUnavailable,
    MissingToken,
    Requirement,
    ResourceServer,
)
from m2mguard.dpop import Dpop, MemoryReplayStore, ReplayStoreFull, UsedProof
from m2mguard.errors import AuthError, InvalidDpopProof, UseDpopNonce
from m2mguard.testing import SigningKey, base64url, calling_as, fake_caller
from tests.dpop_proofs import KEY, OTHER_KEY, bound_to, dpop_proof, jwk_of
from tests.manual_clock import ManualClock
from tests.security.forge import ACCEPTED, NOW, mint, outcome, server

API = "https://shopping.example"
URL = f"{API}/orders"
TOKEN = mint(bound_to())
UNBOUND = mint()
PROOF = (401, "dpop_proof")
USED = (401, "dpop_replayed")
ALGORITHMS = "ES256 ES384 ES512 EdDSA Ed25519 PS256 RS256"


@dataclass
class Head:
    """The head of a request, as an adapter gives it."""

    proofs: list[str] = field(default_factory=list)
    method: str = "GET"
    sent: str = "/orders"
    query: str = ""
    peer: str | None = None

    @property
    def path(self):
        return {"path": self.sent, "raw_path": self.sent.encode()}

    @property
    def fields(self):
        return [("host", "evil.example"), *[("DPoP", proof) for proof in self.proofs]]


def guard(**settings):
    named = {name: settings.pop(name) for name in tuple(settings) if name in Dpop.__dataclass_fields__}
    return server(resource_url=API, dpop=Dpop(**named), **settings)


def proof(token=TOKEN, url=URL, now=NOW, **changes):
    return dpop_proof(token, url, now, **changes)


def call(api, *proofs, token=TOKEN, scheme="DPoP", requirement=None, is_open=False, **head):
    given = Head(list(proofs), **head)
    return api.authenticate([f"{scheme} {token}"], requirement, head=given, is_open=is_open)


def result(api, *proofs, **request):
    try:
        call(api, *proofs, **request)
    except (AuthError, KeysUnavailable) as error:
        return error.status, error.reason
    return ACCEPTED


def refusal(api, *proofs, **request):
    with pytest.raises(AuthError) as caught:
        call(api, *proofs, **request)
    return caught.value


def test_a_bound_token_is_accepted_with_a_proof_of_its_key():
    caller = call(guard(), proof())
    assert caller.app_id == "app-orders"


@pytest.mark.parametrize("scheme", ["DPoP", "dpop", "DPOP", "dPoP "])
def test_the_scheme_may_be_written_in_any_case(scheme):
    assert result(guard(), proof(), scheme=scheme) == ACCEPTED


def test_without_dpop_a_bound_token_is_refused_and_the_scheme_is_another():
    api = server(resource_url=API)
    assert isinstance(refusal(api, proof()), MissingToken)
    error = refusal(api, proof(), scheme="Bearer")
    assert (error.reason, error.problem, error.app_id) == ("claim", "bound", "app-orders")
    assert result(api, token=UNBOUND, scheme="Bearer") == ACCEPTED
    assert "DPoP" not in api.answer(error).headers["WWW-Authenticate"]


def test_a_bound_token_as_a_bearer_token_is_refused_even_with_a_proof():
    error = refusal(guard(), proof(), scheme="Bearer")
    assert (error.status, error.error, error.problem) == (401, "invalid_token", "bound")
    assert result(guard(), proof()) == ACCEPTED


def test_an_unbound_token_with_the_scheme_dpop_is_refused():
    error = refusal(guard(), proof(UNBOUND), token=UNBOUND)
    assert (error.status, error.error, error.problem) == (401, "invalid_token", "not_bound")
    assert result(guard(), token=UNBOUND, scheme="Bearer") == ACCEPTED


def test_a_bound_token_alone_is_refused():
    assert outcome(guard(), TOKEN) == (401, "claim")
    with pytest.raises(InvalidToken):
        guard().authenticate([f"DPoP {TOKEN}"])  # an adapter that tells nothing of the request
    assert outcome(guard(), UNBOUND) == ACCEPTED


def test_required_refuses_tokens_that_are_not_bound():
    api = guard(required=True)
    assert refusal(api, token=UNBOUND, scheme="Bearer").problem == "not_bound"
    assert result(api, proof()) == ACCEPTED


@pytest.mark.parametrize("value", ["DPoP", "DPoP ", "DPoP a b", "DPoP =", "DPoP \u00e9"])
def test_a_dpop_credential_outside_the_grammar_is_a_400(value):
    with pytest.raises(InvalidRequest):
        guard().authenticate([value], head=Head([proof()]))
    assert result(guard(), proof()) == ACCEPTED


@pytest.mark.parametrize("value", ["DPoPx abc", "Basic abc", "DPo abc"])
def test_another_scheme_stays_another_scheme(value):
    with pytest.raises(MissingToken) as caught:
        guard().authenticate([value], head=Head([proof()]))
    assert caught.value.reason == "other_scheme"


def test_two_authorization_fields_are_refused():
    with pytest.raises(InvalidRequest):
        guard().authenticate([f"DPoP {TOKEN}", f"Bearer {UNBOUND}"], head=Head([proof()]))


@pytest.mark.parametrize(("count", "problem"), [(0, "no_proof"), (2, "several_proofs"), (3, "several_proofs")])
def test_there_is_exactly_one_dpop_field(count, problem):
    given = [proof() for _ in range(count)]
    assert refusal(guard(), *given).problem == problem
    assert refusal(guard(), ", ".join([proof(), proof()])).problem == "segments"  # as WSGI servers join them
    assert result(guard(), proof()) == ACCEPTED


def test_a_captured_proof_is_refused_for_everything_else():
    captured = proof()
    api = guard()
    assert result(api, captured, method="POST") == PROOF
    assert result(api, captured, sent="/orders/7") == PROOF
    assert result(api, captured, token=mint({**bound_to(), "jti": "token-2"})) == PROOF
    assert result(api, captured, token=mint(bound_to(OTHER_KEY))) == PROOF
    assert result(api, captured) == ACCEPTED  # none of these has used it up
    assert result(api, captured) == USED


def test_a_proof_of_another_key_is_refused():
    assert result(guard(), proof(key=OTHER_KEY)) == PROOF
    assert result(guard(), proof(header={"jwk": jwk_of(OTHER_KEY)})) == PROOF
    assert result(guard(), proof(token=(other := mint(bound_to(OTHER_KEY))), key=OTHER_KEY), token=other) == ACCEPTED


def test_a_proof_with_its_private_key_is_refused():
    number = KEY.private_key.private_numbers().private_value
    header = {"jwk": {**jwk_of(KEY), "d": base64url(number.to_bytes(32))}}
    assert refusal(guard(), proof(header=header)).problem == "private_key"
    assert result(guard(), proof()) == ACCEPTED


@pytest.mark.parametrize(
    ("age", "expected"), [(0, ACCEPTED), (89, ACCEPTED), (90, PROOF), (-30, ACCEPTED), (-31, PROOF)]
)
def test_a_proof_is_neither_old_nor_of_the_future(age, expected):
    assert result(guard(leeway=30), proof(now=NOW - age)) == expected


def test_the_host_field_and_the_query_do_not_count():
    assert result(guard(), proof(url="https://evil.example/orders")) == PROOF
    assert result(guard(), proof(url=f"{URL}?page=2"), query="page=3") == ACCEPTED


def test_a_stripped_prefix_is_part_of_the_url():
    assert result(guard(stripped_prefix="/shop"), proof(url=f"{API}/shop/orders")) == ACCEPTED
    assert result(guard(stripped_prefix="/shop"), proof()) == PROOF


def test_a_websocket_handshake_is_a_get():
    assert result(guard(), proof(), method="WEBSOCKET") == ACCEPTED
    assert result(guard(), proof(method="POST"), method="WEBSOCKET") == PROOF


def test_the_requirement_is_checked_after_the_proof():
    asked = Requirement(scopes=["write:orders"])
    assert result(guard(), proof(), requirement=asked) == (403, "scope")
    assert result(guard(), requirement=asked) == PROOF
    assert result(guard(), proof(), requirement=Requirement(scopes=["read:orders"])) == ACCEPTED


def test_the_proof_is_checked_each_time_and_the_token_is_remembered():
    api = guard()
    assert [result(api, proof()) for _ in range(3)] == [ACCEPTED] * 3
    assert (api.health().verdicts.hits, api.health().verdicts.misses) == (2, 1)
    assert result(api) == PROOF


def test_the_same_jti_is_used_up_whatever_else_the_proof_says():
    api = guard()
    assert result(api, proof(claims={"jti": "same"})) == ACCEPTED
    assert result(api, proof(claims={"jti": "same"}, now=NOW - 5)) == USED
    other = mint(bound_to(OTHER_KEY))
    assert result(api, proof(other, key=OTHER_KEY, claims={"jti": "same"}), token=other) == ACCEPTED


def test_of_two_uses_at_once_exactly_one_passes():
    api, given, both = guard(), proof(), threading.Barrier(8)

    def use(_):
        both.wait()
        return result(api, given)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = list(pool.map(use, range(8)))
    assert (results.count(ACCEPTED), results.count(USED)) == (1, 7)


def test_of_two_tasks_at_once_exactly_one_passes():
    api, given = guard(), proof()

    async def use():
        try:
            await api.aauthenticate([f"DPoP {TOKEN}"], head=Head([given]))
        except InvalidDpopProof as error:
            return error.reason
        return ACCEPTED

    async def both():
        return await asyncio.gather(use(), use())

    assert sorted(asyncio.run(both()), key=str) == sorted([ACCEPTED, "dpop_replayed"], key=str)


def test_an_open_connection_is_looked_at_again_with_its_used_proof():
    clock = ManualClock(NOW)
    api, given = guard(nonce=True, clock=clock), None
    nonce = refusal(api, proof()).nonce
    given = proof(claims={"nonce": nonce})
    assert result(api, given) == ACCEPTED
    clock.advance(1800)
    assert result(api, given, is_open=True) == ACCEPTED
    assert result(api, given, is_open=True, sent="/other") == PROOF
    assert result(api, given)[0] == 401  # a new request is not one
    clock.advance(3600)
    assert result(api, given, is_open=True) == (401, "expired")


def test_a_nonce_is_asked_for_and_then_accepted():
    clock = ManualClock(NOW)
    api = guard(nonce=True, nonce_lifetime=60, clock=clock)
    error = refusal(api, proof())
    assert isinstance(error, UseDpopNonce)
    answer = api.answer(error)
    assert answer.status == 401
    assert answer.headers["DPoP-Nonce"] == error.nonce
    assert answer.headers["Cache-Control"] == "no-store"
    assert 'DPoP realm="api", error="use_dpop_nonce"' in answer.headers["WWW-Authenticate"]
    claims = {"nonce": error.nonce}
    assert result(api, proof(claims=claims)) == ACCEPTED
    clock.advance(60)
    assert result(api, proof(claims=claims, now=clock())) == ACCEPTED  # of the slot before
    clock.advance(60)
    assert refusal(api, proof(claims=claims, now=clock())).error == "use_dpop_nonce"


def test_nonces_are_shared_by_their_key():
    first, second, stranger = (guard(nonce=True, nonce_key=bytes([one]) * 32) for one in (1, 1, 2))
    nonce = refusal(first, proof()).nonce
    assert result(second, proof(claims={"nonce": nonce})) == ACCEPTED
    assert result(stranger, proof(claims={"nonce": nonce})) == (401, "dpop_nonce")
    assert result(guard(), proof(claims={"nonce": "made-up"})) == ACCEPTED  # nobody asked


def test_a_proof_that_lacks_a_nonce_is_not_used_up():
    api = guard(nonce=True)
    given = proof()
    assert [result(api, given) for _ in range(2)] == [(401, "dpop_nonce")] * 2


def test_the_challenges_are_one_value_with_both_schemes():
    api = guard(realm="shop")
    metadata = 'resource_metadata="https://shopping.example/.well-known/oauth-protected-resource"'
    with pytest.raises(MissingToken) as caught:
        api.authenticate([], head=Head())
    value = api.answer(caught.value).headers["WWW-Authenticate"]
    assert value == f'Bearer realm="shop", {metadata}, DPoP algs="{ALGORITHMS}"'
    value = api.answer(refusal(api, proof(), scheme="Bearer")).headers["WWW-Authenticate"]
    assert value.startswith('Bearer realm="shop", error="invalid_token"')
    assert value.endswith(f', DPoP algs="{ALGORITHMS}"')
    value = api.answer(refusal(api)).headers["WWW-Authenticate"]
    assert value.startswith(
        f'Bearer realm="shop", {metadata}, DPoP realm="shop", error="invalid_dpop_proof", error_desc'
    )
    value = api.answer(refusal(api, proof(), token=TOKEN[:-4] + "AAAA")).headers["WWW-Authenticate"]
    assert ', DPoP realm="shop", error="invalid_token"' in value
    api = guard(required=True, algorithms=["ES256"])
    value = api.answer(refusal(api, token=UNBOUND, scheme="Bearer")).headers["WWW-Authenticate"]
    assert value.startswith('DPoP realm="api", error="invalid_token"')
    assert "Bearer" not in value
    assert 'algs="ES256"' in value


def test_the_metadata_say_so():
    document = guard().resource_metadata.answer.detail
    assert document["dpop_signing_alg_values_supported"] == ALGORITHMS.split()
    assert "dpop_bound_access_tokens_required" not in document
    assert guard(required=True).resource_metadata.answer.detail["dpop_bound_access_tokens_required"] is True
    assert not [name for name in server(resource_url=API).resource_metadata.answer.detail if "dpop" in name]


def test_a_full_share_is_a_503_for_its_application_only():
    store = MemoryReplayStore(max_proofs=3, max_proofs_per_application=2)
    api = guard(replay_store=store)
    assert [result(api, proof()) for _ in range(2)] == [ACCEPTED] * 2
    error = None
    with pytest.raises(KeysUnavailable) as caught:
        call(api, proof())
    error = caught.value
    assert (error.reason, error.problem, error.app_id) == ("replay_store", "store_full", "app-orders")
    answer = api.answer(error)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert "WWW-Authenticate" not in answer.headers
    other = mint({**bound_to(), "sub": "app-billing", "client_id": "app-billing"})
    assert result(api, proof(other), token=other) == ACCEPTED
    assert result(api, proof(other), token=other) == (503, "replay_store")  # all room is taken


def test_room_is_free_again_when_proofs_are_too_old():
    clock = ManualClock(NOW)
    api = guard(replay_store=MemoryReplayStore(max_proofs=1, max_proofs_per_application=1), clock=clock, leeway=30)
    assert result(api, proof()) == ACCEPTED
    clock.advance(89)
    assert result(api, proof(now=clock())) == (503, "replay_store")
    clock.advance(1)
    assert result(api, proof(now=clock())) == ACCEPTED


def test_a_clock_that_is_set_back_makes_no_used_proof_good_again():
    clock = ManualClock(NOW)
    api, given = guard(clock=clock), proof()
    assert result(api, given) == ACCEPTED
    clock.advance(1000)
    assert result(api, proof(now=clock())) == ACCEPTED
    clock.advance(-1000)
    assert result(api, given) == USED
    clock.advance(1)
    assert result(api, proof(now=clock())) == ACCEPTED


class FailingStore:
    def first_use(self, proof):
        raise OSError(proof)

    async def afirst_use(self, proof):
        raise OSError(proof)


class ForgetfulStore:
    """Answers with something that is not quite True."""

    def first_use(self, proof):
        return 1

    async def afirst_use(self, proof):
        return 1


def test_a_store_that_fails_is_a_503_and_only_its_type_is_named():
    api = guard(replay_store=FailingStore())
    with pytest.raises(KeysUnavailable) as caught:
        call(api, proof())
    assert caught.value.detail == "what remembers used DPoP proofs raised OSError"
    with pytest.raises(KeysUnavailable):
        asyncio.run(api.aauthenticate([f"DPoP {TOKEN}"], head=Head([proof()])))
    assert result(guard(replay_store=ForgetfulStore()), proof()) == USED
    assert result(guard(replay_store=MemoryReplayStore()), proof()) == ACCEPTED


def test_the_memory_store_counts_what_it_holds():
    store = MemoryReplayStore(max_proofs=2, max_proofs_per_application=2)
    used = [UsedProof(bytes([one]) * 32, ("issuer", "app"), 100.0, 10.0) for one in range(3)]
    assert [store.first_use(one) for one in used[:2]] == [True, True]
    assert len(store) == 2
    with pytest.raises(ReplayStoreFull):
        store.first_use(used[2])
    assert not store.first_use(used[0])
    assert store.first_use(used[2]._replace(now=100.0, expires_at=200.0))
    assert len(store) == 1


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"required": "yes"}, "required"),
        ({"nonce": 1}, "nonce"),
        ({"algorithms": []}, "algorithms"),
        ({"algorithms": ["HS256"]}, "HS256"),
        ({"algorithms": ["none"]}, "none"),
        ({"algorithms": ["ML-DSA-44"]}, "ML-DSA-44"),
        ({"max_age": 0}, "max_age"),
        ({"max_age": 601}, "max_age"),
        ({"nonce": True, "nonce_key": b"short"}, "nonce_key"),
        ({"nonce": True, "nonce_key": "x" * 32}, "nonce_key"),
        ({"nonce_key": b"x" * 32}, "nonce_key"),
        ({"nonce_lifetime": 1}, "nonce_lifetime"),
        ({"stripped_prefix": "shop"}, "stripped_prefix"),
        ({"stripped_prefix": "/shop/"}, "stripped_prefix"),
        ({"replay_store": object()}, "replay_store"),
    ],
)
def test_an_invalid_setting_is_named(settings, named):
    with pytest.raises(ConfigurationError, match=named) as caught:
        Dpop(**settings)
    assert "x" * 32 not in str(caught.value)
    Dpop(required=True, nonce=True, nonce_key=b"x" * 32, stripped_prefix="/shop", algorithms=["ES256"])


def test_dpop_needs_a_resource_url():
    with pytest.raises(ConfigurationError, match="resource_url"):
        server(dpop=Dpop())
    with pytest.raises(ConfigurationError, match="dpop must be a Dpop"):
        server(dpop=True, resource_url=API)
    assert server(dpop=Dpop(), resource_url=API)


@pytest.mark.parametrize("numbers", [{"max_proofs": 0}, {"max_proofs": 5, "max_proofs_per_application": 6}])
def test_the_room_of_a_store_is_checked(numbers):
    with pytest.raises(ConfigurationError):
        MemoryReplayStore(**numbers)


def test_a_secret_is_nowhere_to_be_seen(caplog):
    canary = "canary-" + "c" * 30
    api = guard(nonce=True, nonce_key=canary.encode())
    assert canary not in repr(api.settings.dpop)
    caplog.set_level(logging.DEBUG)
    events = []
    api = guard(on_event=events.append)
    bad = [
        proof(claims={"jti": canary, "htm": canary}),
        proof(claims={"htu": f"https://{canary}.example/"}),
        proof(header={"jwk": {**jwk_of(KEY), "d": canary}}),
        proof(header={"typ": canary}),
        f"{canary}.{canary}.{canary}",
        proof(claims={"jti": canary, "ath": canary}),
    ]
    for given in bad:
        error = refusal(api, given)
        shown = f"{error!r} {error} {error.__dict__} {error.args} {dict(api.answer(error).headers)} {error.__context__}"
        assert canary not in shown
        assert given not in shown
    assert len(events) >= len(bad)
    assert canary not in repr(events) + caplog.text
    assert all(one not in caplog.text for one in (TOKEN, *bad))


def test_a_refusal_names_the_application_in_the_log(caplog):
    api = guard()
    refusal(api)
    assert "the request has no DPoP field (reason dpop_proof)" in caplog.text
    assert "app-orders" in caplog.text


@pytest.mark.parametrize("alg", ["ES384", "EdDSA", "PS256"])
def test_other_algorithms_work_if_they_are_accepted(alg):
    key = SigningKey.generate(alg)
    token = mint(bound_to(key))
    assert result(guard(), proof(token, key=key), token=token) == ACCEPTED
    assert result(guard(algorithms=["ES256"]), proof(token, key=key), token=token) == PROOF


ENVIRONMENT = {
    "M2MGUARD_ISSUER": "https://issuer.example",
    "M2MGUARD_AUDIENCE": API,
    "M2MGUARD_RESOURCE_URL": API,
}


def from_env(**variables):
    return ResourceServer.from_env(ENVIRONMENT | {f"M2MGUARD_{name}": value for name, value in variables.items()})


def test_the_environment_says_it_all():
    assert from_env().settings.dpop is None
    assert from_env(DPOP="accepted").settings.dpop == Dpop()
    found = from_env(
        DPOP="required",
        DPOP_ALGORITHMS="ES256 EdDSA",
        DPOP_MAX_AGE="30",
        DPOP_NONCE="true",
        DPOP_NONCE_KEY=base64url(b"k" * 32),
        DPOP_NONCE_LIFETIME="120",
        DPOP_STRIPPED_PREFIX="/shop",
    ).settings.dpop
    assert found == Dpop(
        required=True,
        algorithms=["ES256", "EdDSA"],
        max_age=30,
        nonce=True,
        nonce_key=b"k" * 32,
        nonce_lifetime=120,
        stripped_prefix="/shop",
    )


@pytest.mark.parametrize(
    "variables",
    [{"DPOP": "yes"}, {"DPOP_MAX_AGE": "30"}, {"DPOP": "accepted", "DPOP_NONCE_KEY": "%%%"}, {"DPOP_X": "1"}],
)
def test_a_wrong_variable_is_named(variables):
    with pytest.raises(ConfigurationError, match="M2MGUARD_DPOP"):
        from_env(**variables)


def test_a_block_of_calling_as_needs_no_proof():
    api = guard(required=True)
    with calling_as(api, fake_caller("app-orders")):
        assert api.authenticate([], head=Head()).app_id == "app-orders"
    with pytest.raises(MissingToken):
        api.authenticate([], head=Head())

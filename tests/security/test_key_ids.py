"""A key id is a hint: tokens and keys without one, and keys that share one (RFC 7515 section 4.1.4, RFC 7517 section 4.5)."""

import functools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m2mguard import InvalidToken, Issuer, KeysUnavailable, ResourceServer
from m2mguard._keys.key_set import MAX_KEYS_PER_KID, KeySet, key_set_from_members
from m2mguard._token.jws import load_key
from m2mguard.testing import SHOPPING_API, faults
from tests.key_threads import join_key_threads
from tests.manual_clock import ManualClock
from tests.refusals import reason_of
from tests.security.forge import ACCEPTED, REMOVED, changed, key, mint, outcome, server

UNKNOWN, SIGNATURE, ALGORITHM = (401, "unknown_key"), (401, "signature"), (401, "algorithm")
EVERY = {"algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]}
NO_KID = {"kid": REMOVED}


def without_kid(signer):
    return changed(signer.public_jwk, NO_KID)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "ES384", "ES512", "EdDSA"])
def test_keys_and_tokens_without_kid_are_accepted(algorithm):
    signer = key(algorithm)
    guard = server(without_kid(signer))
    assert outcome(guard, mint(signer=signer, with_header=NO_KID)) == ACCEPTED
    assert outcome(guard, mint(signer=key(algorithm, "foreign"), with_header=NO_KID)) == SIGNATURE


def test_a_token_without_kid_uses_the_only_key_of_its_alg():
    elliptic, rsa = key("ES256", "e"), key("RS256", "r")
    guard = server(elliptic.public_jwk, rsa.public_jwk, without_kid(key("ES384")))
    for signer in (elliptic, rsa, key("ES384")):
        assert outcome(guard, mint(signer=signer, with_header=NO_KID)) == ACCEPTED
    assert outcome(guard, mint(signer=rsa.using(algorithm="PS256"), with_header=NO_KID)) == ACCEPTED
    assert outcome(guard, mint(signer=key("ES512"), with_header=NO_KID)) == UNKNOWN
    assert outcome(guard, mint(signer=key("ES256", "foreign"), with_header=NO_KID)) == SIGNATURE


@pytest.mark.parametrize("named", [True, False])
def test_a_token_without_kid_is_refused_if_several_keys_fit(named):
    first, second = key("ES256", "a"), key("ES256", "b")
    jwks = [one.public_jwk if named else without_kid(one) for one in (first, second)]
    for signer in (first, second):
        with pytest.raises(InvalidToken) as error:
            server(*jwks).verify(mint(signer=signer, with_header=NO_KID))
        assert error.value.reason == "unknown_key"
        assert "several" in error.value.detail
        assert outcome(server(signer.public_jwk), mint(signer=signer, with_header=NO_KID)) == ACCEPTED


def test_the_alg_of_a_jwk_selects_the_key_without_kid():
    first, second = (key("RS256", name) for name in ("a", "b"))
    guard = server({**without_kid(first), "alg": "RS256"}, {**without_kid(second), "alg": "PS256"}, issuer=EVERY)
    assert outcome(guard, mint(signer=first, with_header=NO_KID)) == ACCEPTED
    assert outcome(guard, mint(signer=second.using(algorithm="PS256"), with_header=NO_KID)) == ACCEPTED
    assert outcome(guard, mint(signer=first.using(algorithm="PS256"), with_header=NO_KID)) == SIGNATURE
    assert outcome(guard, mint(signer=first.using(algorithm="RS512"), with_header=NO_KID)) == UNKNOWN


def test_one_key_under_several_kids_fits_a_token_without_kid():
    jwk = key().public_jwk
    guard = server(jwk, {**jwk, "kid": "again"}, without_kid(key()))
    assert outcome(guard, mint(with_header=NO_KID)) == ACCEPTED


def test_a_token_with_an_unknown_kid_is_tried_with_keys_without_kid():
    named, unnamed = key("ES256", "named"), key("ES256", "unnamed")
    guard = server(named.public_jwk, without_kid(unnamed))
    assert outcome(guard, mint(signer=unnamed)) == ACCEPTED
    assert outcome(guard, mint(signer=named)) == ACCEPTED
    assert outcome(guard, mint(signer=named.using(kid="other"))) == SIGNATURE
    assert outcome(guard, mint(signer=key("ES384", "other"))) == UNKNOWN
    assert outcome(server(named.public_jwk), mint(signer=named.using(kid="other"))) == UNKNOWN


def test_a_kid_that_is_too_long_is_unknown_even_if_keys_have_none():
    guard = server(without_kid(key()))
    assert outcome(guard, mint(with_header={"kid": "k" * 512})) == ACCEPTED
    assert outcome(guard, mint(with_header={"kid": "k" * 513})) == UNKNOWN


def test_a_known_kid_selects_only_its_key():
    named, unnamed = key("ES256", "named"), key("ES256", "unnamed")
    guard = server(named.public_jwk, without_kid(unnamed))
    assert outcome(guard, mint(signer=unnamed.using(kid="named"))) == SIGNATURE
    assert outcome(server(key("ES384", "named").public_jwk, without_kid(unnamed)), mint(signer=named)) == ALGORITHM


def test_keys_without_kid_cause_at_most_four_verifications():
    several = [key("ES256", f"copy-{number}") for number in range(5)]
    guard = server(*(without_kid(one) for one in several))
    assert [outcome(guard, mint(signer=one)) for one in several] == [ACCEPTED] * 4 + [SIGNATURE]


@pytest.mark.parametrize("order", [1, -1])
def test_a_key_published_twice_for_two_algorithms_is_used_for_both(order):
    rsa = key("RS256")
    jwks = [{**rsa.public_jwk, "alg": "RS256"}, {**rsa.public_jwk, "alg": "PS256"}][::order]
    guard = server(*jwks, issuer=EVERY)
    assert outcome(guard, mint(signer=rsa)) == ACCEPTED
    assert outcome(guard, mint(signer=rsa.using(algorithm="PS256"))) == ACCEPTED
    assert outcome(guard, mint(signer=rsa.using(algorithm="PS512"))) == ALGORITHM
    assert outcome(server(jwks[0], issuer=EVERY), mint(signer=rsa.using(algorithm=jwks[1]["alg"]))) == ALGORITHM


def test_a_key_published_for_six_algorithms_is_used_for_all():
    rsa = key("RS256")
    names = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
    keys = key_set_from_members({"keys": [{**rsa.public_jwk, "alg": name} for name in names]}, max_keys=9)
    guard = server(*({**rsa.public_jwk, "alg": name} for name in names), issuer=EVERY)
    for name in names:
        assert outcome(guard, mint(signer=rsa.using(algorithm=name))) == ACCEPTED
        assert len(keys.candidates("key-1", name)) == MAX_KEYS_PER_KID
    assert outcome(guard, mint(signer=key("ES256"))) == ALGORITHM


def test_the_identity_of_a_key_is_its_thumbprint_and_an_algorithm():
    rsa = key("RS256").public_jwk
    free, bound, other = (
        load_key(rsa),
        load_key({**rsa, "alg": "PS256", "kid": "b"}),
        load_key(key("RS256", "x").public_jwk),
    )
    assert free.identity("PS256") == bound.identity("PS256") != free.identity("RS256")
    assert free.identity("PS256") != other.identity("PS256")
    assert free.thumbprint == bound.thumbprint
    with pytest.raises(KeyError):
        bound.identity("RS256")
    both = key_set_from_members({"keys": [{**rsa, "alg": "RS256"}, {**rsa, "alg": "PS256"}]}, max_keys=9)
    assert both.identities == {free.identity("RS256"), free.identity("PS256")}
    assert key_set_from_members({"keys": [{**rsa, "alg": "RS256"}]}, max_keys=9).identities == {free.identity("RS256")}
    assert len(KeySet([free]).identities) == len(free.algorithms) == 6
    assert both.thumbprints == {free.thumbprint}


@functools.cache
def pool_key(name, alg, kid):
    """One of four keys, for one algorithm or for all algorithms of its type."""
    material = key("ES256" if name in "ab" else "RS256", name).public_jwk
    return load_key(changed(material, {"kid": kid, "alg": alg}))


KIDS = [None, "k", "l"]
MATERIALS = st.sampled_from([*((name, alg) for name in "ab" for alg in (None, "ES256")),
                             *((name, alg) for name in "cd" for alg in (None, "RS256", "PS256"))])  # fmt: skip


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(MATERIALS, st.sampled_from(KIDS)), max_size=9),
    st.sampled_from([*KIDS, "unknown"]),
    st.sampled_from(["ES256", "RS256", "PS256", "ES384"]),
)
def test_candidates_are_those_of_a_simple_search(chosen, kid, alg):
    keys = [pool_key(*material, name) for material, name in chosen]
    found = KeySet(keys).candidates(kid, alg)
    fitting = [one for one in keys if alg in one.algorithms]
    if kid is None:
        alone = len({one.thumbprint for one in fitting}) == 1
        assert found == ((fitting[0],) if alone else ())
        assert KeySet(keys).is_ambiguous(alg) is (len({one.thumbprint for one in fitting}) > 1)
        return
    named = [one for one in keys if one.kid == kid]
    expected = named or [one for one in fitting if one.kid is None]
    assert len(found) == min(MAX_KEYS_PER_KID, len(expected))
    assert set(found) <= set(expected)
    assert any(alg in one.algorithms for one in found) is any(alg in one.algorithms for one in expected)
    assert found == tuple(expected) or len(expected) > MAX_KEYS_PER_KID


@pytest.mark.parametrize("kid", [None, ""])
def test_an_unset_kid_counts_as_missing(kid):
    """Serializers without null write an empty string for a value that is not set."""
    guard = server({**key().public_jwk, "kid": kid})
    for changes in (NO_KID, {"kid": ""}, {"kid": "key-1"}):
        assert outcome(guard, mint(with_header=changes)) == ACCEPTED
    assert outcome(server(), mint(with_header={"kid": ""})) == UNKNOWN


def published(issuer, *jwks):
    issuer.misbehave("jwks", faults.body(json.dumps({"keys": jwks}).encode()))


def unnamed(issuer):
    return {name: value for name, value in issuer.current_key.public_jwk.items() if name != "kid"}


def test_keys_without_kid_are_fetched_once_and_refreshed_when_due(issuer):
    published(issuer, unnamed(issuer))
    clock = ManualClock()
    guard = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API, monotonic=clock)
    token = issuer.mint(header=NO_KID)
    for _ in range(3):
        assert guard.verify(token).app_id == "app-orders"
        assert guard.verify(issuer.mint(header=NO_KID)).app_id == "app-orders"
    assert issuer.count("jwks") == 1
    clock.advance(300)
    assert guard.verify(token).app_id == "app-orders"
    assert issuer.count("jwks") == 2
    [known] = guard.health().issuers[0].keys
    assert known.key_id == ""


def test_a_rotation_without_kid_is_found_even_to_another_key_type(issuer):
    published(issuer, unnamed(issuer))
    guard = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    guard.verify(issuer.mint(header=NO_KID))
    for fetches, algorithm in enumerate(("ES256", "RS256", "ES384"), 2):
        issuer.rotate(algorithm)
        published(issuer, unnamed(issuer))
        assert guard.verify(issuer.mint(header=NO_KID)).app_id == "app-orders"
        assert issuer.count("jwks") == fetches


def test_a_token_with_an_unknown_kid_is_accepted_after_the_first_fetch(issuer):
    published(issuer, unnamed(issuer))
    guard = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    assert guard.verify(issuer.mint()).app_id == "app-orders"
    assert issuer.count("jwks") == 1


def test_a_cached_token_ends_if_its_key_is_withdrawn_for_its_algorithm(issuer):
    rsa = key("RS256", "rsa")
    jwks = [{**rsa.public_jwk, "alg": alg} for alg in ("RS256", "PS256")]
    published(issuer, *jwks)
    guard = ResourceServer(Issuer(url=issuer.url), audience=SHOPPING_API)
    kept, withdrawn = issuer.mint(key=rsa), issuer.mint(key=rsa.using(algorithm="PS256"))
    assert guard.verify(kept).app_id == guard.verify(withdrawn).app_id == "app-orders"
    published(issuer, jwks[0])
    guard.refresh()
    assert guard.verify(kept).app_id == "app-orders"
    assert reason_of(guard, withdrawn) == "algorithm"


def test_tokens_without_kid_are_rate_limited_like_unknown_kids(issuer):
    guard = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    guard.verify(issuer.mint())
    for signer in (key("ES384", "foreign"), key("RS256", "foreign")):
        for _ in range(20):
            with pytest.raises((InvalidToken, KeysUnavailable)):
                guard.verify(issuer.mint(key=signer, header=NO_KID))
    assert issuer.count("jwks") == 2


def test_a_worker_starts_from_a_file_of_keys_without_kid(issuer, tmp_path):
    tmp_path.chmod(0o700)
    published(issuer, {**unnamed(issuer), "kid": None, "alg": None, "d": "", "key_ops": []})
    settings = {"audience": SHOPPING_API, "key_directory": tmp_path}
    assert ResourceServer(Issuer.logto(issuer.endpoint), **settings).warm_up().ready
    join_key_threads()  # the file is written after the keys are published
    issuer.misbehave("all", faults.status(503))
    assert (
        ResourceServer(Issuer.logto(issuer.endpoint), **settings).verify(issuer.mint(header=NO_KID)).app_id
        == "app-orders"
    )


def test_a_token_without_kid_is_refused_after_a_second_key_appears(issuer):
    published(issuer, issuer.current_key.public_jwk)
    guard = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    assert guard.verify(issuer.mint(header=NO_KID)).app_id == "app-orders"
    published(issuer, issuer.current_key.public_jwk, key("ES256", "next").public_jwk)
    guard.refresh()
    assert reason_of(guard, issuer.mint(header=NO_KID)) == "unknown_key"
    assert guard.verify(issuer.mint()).app_id == "app-orders"

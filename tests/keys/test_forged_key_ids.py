"""A flood of tokens with invented key ids causes at most two fetches per cool-down and does not delay known tokens."""

import concurrent.futures
import threading
import time

import pytest

from m2mguard import InvalidToken, Issuer, KeysUnavailable, ResourceServer
from m2mguard.events import UnknownKeyThrottled
from m2mguard.testing import SHOPPING_API, SigningKey, faults

FLOOD = 1000
ISSUERS = {
    "healthy": None,
    "503": faults.status(503),
    "hanging": faults.hang(),
    "slow": faults.delay(0.1),
    "disconnecting": faults.disconnect(),
}


@pytest.fixture(scope="module")
def foreign_key():
    """A key that the issuer does not publish."""
    return SigningKey.generate("ES256")


@pytest.fixture
def forged(issuer, foreign_key):
    return [issuer.mint(key=foreign_key, header={"kid": f"forged-{number}"}) for number in range(FLOOD)]


def flood(server, tokens, *, at_once):
    """Send every token; count the outcomes by kind."""

    def send(token):
        try:
            server.verify(token)
        except InvalidToken as error:
            return "refused" if error.reason == "unknown_key" else error.reason
        except KeysUnavailable:
            return "unavailable"
        return "accepted"

    if at_once:
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            outcomes = list(pool.map(send, tokens))
    else:
        outcomes = [send(token) for token in tokens]
    return {outcome: outcomes.count(outcome) for outcome in set(outcomes)}


@pytest.mark.parametrize("at_once", [False, True], ids=["sequential", "concurrent"])
@pytest.mark.parametrize("fault", ISSUERS.values(), ids=ISSUERS)
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_1000_forged_tokens_cost_at_most_two_requests(issuer, make_server, clock, forged, warm, fault, at_once):
    timeout_s = 2 if fault == ISSUERS["slow"] else 0.2  # a slow issuer is no failing one, also on a busy machine
    server = make_server(max_wait=0.05, timeout=timeout_s, connect_timeout=0.2)
    known = issuer.mint()
    if warm:
        server.verify(known)
    issuer.reset_counts()
    if fault:
        issuer.misbehave("jwks", fault)
    outcomes = flood(server, forged, at_once=at_once)
    assert issuer.count() <= 2
    assert "accepted" not in outcomes
    if fault is None:
        assert outcomes["refused"] >= 1, "the fetch decides at least the token that started it"
        assert set(outcomes) <= {"refused", "unavailable"}
    elif fault != ISSUERS["slow"]:
        assert outcomes == {"unavailable": FLOOD}, "a failure of the issuer became a 401"
    if warm:
        clock.advance(29)
        flood(server, forged[:20], at_once=False)
        assert issuer.count() <= 2
    issuer.behave()


def test_known_tokens_are_served_without_delay_during_a_flood(issuer, make_server, forged):
    server = make_server(max_wait=20, timeout=20, connect_timeout=20)
    known = issuer.mint()
    server.verify(known)
    issuer.misbehave("jwks", faults.hang())
    attacker = threading.Thread(target=flood, args=(server, forged[:200]), kwargs={"at_once": True})
    attacker.start()
    issuer.wait_for_requests("jwks", 2)
    began = time.perf_counter()
    for _ in range(20):
        server.verify(known)
        server.verify(issuer.mint())
        time.sleep(0.002)
    took_s = time.perf_counter() - began
    assert attacker.is_alive()  # still waits for the issuer, as each token with an unknown key does
    issuer.behave()
    attacker.join()
    assert took_s < 15


def test_one_forged_token_costs_one_fetch(issuer, forged):
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)  # on a real clock
    server.verify(issuer.mint())
    flood(server, forged[:1], at_once=False)
    assert issuer.count("jwks") == 2


def test_a_fetch_is_allowed_again_after_half_of_the_cool_down(issuer, server, clock, forged, events):
    server.verify(issuer.mint())
    for fetches in (2, 3, 4):
        flood(server, forged[:50], at_once=False)
        assert issuer.count("jwks") == fetches
        clock.advance(15)
    assert len(events.of(UnknownKeyThrottled)) == 3 * 49


def test_the_rate_limit_holds_with_real_clocks(issuer, forged):
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    server.verify(issuer.mint())
    outcomes = flood(server, forged, at_once=True)
    assert set(outcomes) <= {"refused", "unavailable"}
    assert issuer.count("jwks") <= 3


def test_a_request_that_waited_for_a_fetch_causes_no_second_fetch(issuer, make_server, foreign_key):
    """The key set is newer than the token and has a key with its id that does not match its signature: no fetch can help."""
    forged = issuer.mint(key=foreign_key.using(kid=issuer.current_key.kid))
    server = make_server()
    with pytest.raises(InvalidToken, match="signature"):
        server.verify(forged)
    assert issuer.count("jwks") == 1
    with pytest.raises(InvalidToken, match="signature"):
        server.verify(forged)  # arrives after the fetch, so it causes one fetch: the key may have been replaced
    assert issuer.count("jwks") == 2

"""A flood of tokens with invented key ids costs the issuer two fetches per cool-down, and known tokens nothing."""

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
def stranger():
    return SigningKey.generate("ES256")


@pytest.fixture
def forged(issuer, stranger):
    return [issuer.mint(key=stranger, header={"kid": f"forged-{number}"}) for number in range(FLOOD)]


def flood(server, tokens, *, at_once):
    """Send every token; tell how many were refused and how many could not be told."""

    def send(token):
        try:
            server.verify(token)
        except InvalidToken as error:
            return "refused" if error.reason == "unknown_key" else error.reason
        except KeysUnavailable:
            return "could not tell"
        return "accepted"

    if at_once:
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            outcomes = list(pool.map(send, tokens))
    else:
        outcomes = [send(token) for token in tokens]
    return {outcome: outcomes.count(outcome) for outcome in set(outcomes)}


@pytest.mark.parametrize("at_once", [False, True], ids=["in a row", "at once"])
@pytest.mark.parametrize("fault", ISSUERS.values(), ids=ISSUERS)
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_1000_forged_tokens_cost_at_most_two_requests(issuer, make_server, clock, forged, warm, fault, at_once):
    server = make_server(max_wait=0.05, timeout=0.2, connect_timeout=0.2)
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
        assert outcomes["refused"] >= 1, "the issuer had its say about one of them, and about none of the others"
        assert set(outcomes) <= {"refused", "could not tell"}
    elif fault != ISSUERS["slow"]:
        assert outcomes == {"could not tell": FLOOD}, "an issuer's fault became a 401"
    if warm:
        clock.advance(29)
        flood(server, forged[:20], at_once=False)
        assert issuer.count() <= 2
    issuer.behave()


def test_known_tokens_are_served_throughout_a_flood_with_their_usual_latency(issuer, make_server, forged):
    server = make_server(max_wait=0.3, timeout=0.5, connect_timeout=0.5)
    known = issuer.mint()
    server.verify(known)
    issuer.misbehave("jwks", faults.hang())
    done = threading.Event()
    longest = 0.0

    def attack():
        flood(server, forged[:200], at_once=True)
        done.set()

    attacker = threading.Thread(target=attack)
    attacker.start()
    issuer.wait_for_requests("jwks", 2)
    looks = 0
    while not done.is_set():
        began = time.perf_counter()
        server.verify(known)
        server.verify(issuer.mint())
        longest = max(longest, time.perf_counter() - began)
        looks += 1
        time.sleep(0.002)
    attacker.join()
    assert looks > 10
    assert longest < 0.25  # less than any wait for the issuer
    issuer.behave()


def test_one_forged_token_costs_one_fetch(issuer, forged):
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)  # its clock never stands still
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


def test_with_real_clocks_a_flood_is_held_off_just_the_same(issuer, forged):
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    server.verify(issuer.mint())
    outcomes = flood(server, forged, at_once=True)
    assert set(outcomes) <= {"refused", "could not tell"}
    assert issuer.count("jwks") <= 3


def test_one_request_that_waited_for_a_fetch_causes_no_second_one(issuer, make_server, stranger):
    """The key set came after the token, and has a key of its id whose signature it does not carry: there is nothing left to ask."""
    forged = issuer.mint(key=stranger.using(kid=issuer.current_key.kid))
    server = make_server()
    with pytest.raises(InvalidToken, match="signature"):
        server.verify(forged)
    assert issuer.count("jwks") == 1
    with pytest.raises(InvalidToken, match="signature"):
        server.verify(forged)  # came after the fetch, so it asks once, as a key may have been replaced
    assert issuer.count("jwks") == 2

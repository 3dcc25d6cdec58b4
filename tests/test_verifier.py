"""Cached tokens in ResourceServer: the same checks apply to them as to new tokens."""

import threading
import time
from typing import Any

import pytest

from m2mguard import (
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    Issuer,
    KeyCaching,
    KeysUnavailable,
    MissingToken,
    Requirement,
    ResourceServer,
)
from m2mguard.events import StaleServed, TokenAccepted
from m2mguard.health import VerdictHealth
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.manual_clock import ManualClock
from tests.refusals import reason_of


@pytest.fixture
def clock():
    """The wall clock of the server; it starts at the current time, because the issuer uses the real clock."""
    return ManualClock(time.time())


@pytest.fixture
def monotonic():
    return ManualClock()


@pytest.fixture
def events():
    """A plain list: these tests look at the events of their own thread only."""
    return []


@pytest.fixture
def server(issuer, clock, monotonic, events):
    return server_of(issuer, clock=clock, monotonic=monotonic, on_event=events.append)


def server_of(issuer, audience=SHOPPING_API, **settings):
    return ResourceServer(Issuer.logto(issuer.endpoint), audience=audience, **settings)


def test_a_token_is_verified_once_and_then_cached(issuer, server, events):
    token = issuer.mint()
    assert server.verify(token) is server.verify(token.encode()) is server.authenticate([f"Bearer {token}"])
    assert server.health().verdicts == VerdictHealth(remembered=1, hits=2, misses=1)
    accepted = [event.remembered for event in events if isinstance(event, TokenAccepted)]
    assert accepted == [False, True, True]


def test_size_0_disables_the_cache(issuer):
    server, token = server_of(issuer, verdict_cache_size=0), issuer.mint()
    assert server.verify(token) == server.verify(token)
    assert server.health().verdicts == VerdictHealth(remembered=0, hits=0, misses=2)


@pytest.mark.parametrize(
    "field_format",
    [b"Bearer %s", b"bearer %s", b"BEARER %s", b"Bearer  %s", b"Bearer %s \t", b" Bearer %s"],
)
@pytest.mark.parametrize("as_text", [False, True])
def test_a_cached_token_is_found_in_every_form_of_its_field(issuer, server, field_format, as_text):
    token = issuer.mint()
    caller = server.verify(token)
    field = field_format % token.encode()
    assert server.authenticate([field.decode() if as_text else field]) is caller
    assert server.health().verdicts == VerdictHealth(remembered=1, hits=1, misses=1)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ([b"Bearer %s", b"Bearer %s"], InvalidRequest),
        ([b"Bearer %s,"], InvalidRequest),
        ([b"Bearer %s %s"], InvalidRequest),
        ([b"Bearer %s\n"], InvalidRequest),
        ([b"Bearer,%s"], InvalidRequest),
        ([b"Bearer%s"], MissingToken),
        ([b"Basic %s"], MissingToken),
        ([b"%s"], MissingToken),
        ([b"Bearer %s="], InvalidToken),
        ([b"Bearer x%s"], InvalidToken),
    ],
)
def test_a_cached_token_makes_no_invalid_field_valid(issuer, server, fields, error):
    token = issuer.mint()
    server.verify(token)
    with pytest.raises(error):
        server.authenticate([field.replace(b"%s", token.encode()) for field in fields])
    assert server.health().verdicts.hits == 0


def test_a_cached_token_expires_to_the_second(issuer, server, clock):
    token = issuer.mint(issued_at=int(clock.now), lifetime=600)
    clock.now = int(clock.now) + 600 + 30 - 0.001  # the leeway is 30 s
    assert server.verify(token) is server.verify(token)
    clock.advance(0.001)
    assert reason_of(server, token) == "expired"


def test_a_cached_token_is_refused_while_the_clock_is_before_its_start(issuer, server, clock):
    began = int(clock.now)
    token = issuer.mint(issued_at=began)
    caller = server.verify(token)
    clock.now = began - 30.001
    assert reason_of(server, token) == "not_yet_valid"
    clock.now = began - 30
    assert server.verify(token) is caller


def test_cached_tokens_of_a_withdrawn_key_are_refused(issuer, server):
    old = issuer.mint()
    server.verify(old)
    issuer.withdraw()
    issuer.rotate()
    server.refresh()
    assert reason_of(server, old) == "unknown_key"
    assert server.verify(issuer.mint()).app_id == "app-orders"
    assert server.health().verdicts.hits == 0


def test_cached_tokens_of_a_replaced_key_are_refused(issuer, server):
    old = issuer.mint()
    server.verify(old)
    issuer.replace_material()
    server.refresh()
    assert reason_of(server, old) == "signature"
    assert server.verify(issuer.mint())


def test_cached_tokens_of_other_keys_survive_a_rotation(issuer, server):
    old = issuer.mint()
    caller = server.verify(old)
    issuer.rotate("RS256")
    server.verify(issuer.mint())  # fetches the new key
    assert server.verify(old) is caller


def test_a_cached_token_is_not_accepted_with_expired_keys(issuer, server, monotonic):
    token = issuer.mint()
    server.verify(token)
    issuer.stop()
    monotonic.advance(3_600)
    with pytest.raises(KeysUnavailable):
        server.verify(token)


def test_while_the_issuer_is_down_a_cached_token_is_not_checked_again(issuer, server, monotonic, events):
    token = issuer.mint()
    caller = server.verify(token)
    issuer.stop()
    monotonic.advance(3_599)
    assert server.verify(token) is server.verify(token) is caller
    assert server.health().verdicts == VerdictHealth(remembered=1, hits=2, misses=1)
    assert any(isinstance(event, StaleServed) for event in events)


def test_cached_tokens_alone_keep_the_keys_fresh(issuer, server, monotonic):
    token = issuer.mint()
    server.verify(token)
    for fetches in (2, 3, 4):
        monotonic.advance(299)  # past refresh-ahead, before the ttl
        server.verify(token)
        issuer.wait_for_requests("jwks", fetches)
        server.warm_up()  # waits for the refresh in flight
    assert server.health().verdicts == VerdictHealth(remembered=1, hits=3, misses=1)


def test_purge_drops_keys_and_tokens(issuer, server):
    token = issuer.mint()
    server.verify(token)
    server.purge()
    assert server.health().verdicts.remembered == 0
    issuer.stop()
    with pytest.raises(KeysUnavailable):
        server.verify(token)


def test_requirements_are_checked_on_every_request(issuer, server):
    header = [f"Bearer {issuer.mint(scopes=['read:orders'])}"]
    server.authenticate(header, Requirement(scopes=["read:orders"]))
    with pytest.raises(InsufficientScope):
        server.authenticate(header, Requirement(scopes=["write:orders"]))


def test_servers_do_not_share_cached_tokens(issuer):
    first, other = server_of(issuer), server_of(issuer, audience="https://billing.api")
    again = server_of(issuer)
    token = issuer.mint()
    first.verify(token)
    assert reason_of(other, token) == "audience"
    assert again.verify(token) is not first.verify(token)
    assert again.health().verdicts == VerdictHealth(remembered=1, hits=0, misses=1)


def test_a_flood_of_invalid_tokens_does_not_change_the_cache(issuer, server):
    good = issuer.mint()
    caller = server.verify(good)
    header, payload, signature = good.split(".")
    forger = LocalIssuer(algorithm="ES256", issuer=issuer.url)
    for number in range(300):
        forged = forger.mint(header={"kid": issuer.current_key.kid, "n": number})
        for invalid in (forged, f"{header}.{payload}.{'A' * len(signature)}", issuer.mint(lifetime=-60 - number)):
            reason_of(server, invalid)
        with pytest.raises(InsufficientScope):
            server.verify(issuer.mint_user_token())
    assert server.verify(good) is caller
    assert server.health().verdicts == VerdictHealth(remembered=1, hits=1, misses=1)
    assert len(server._verifier._known_headers) == 1


def test_the_number_of_known_headers_is_bounded(issuer, server):
    for number in range(300):
        assert server.verify(issuer.mint(header={"n": number}))
    assert len(server._verifier._known_headers) <= 256


def test_a_known_header_does_not_validate_another_payload(issuer, server):
    server.verify(issuer.mint())
    header, payload, _ = issuer.mint("app-admin").split(".")
    assert reason_of(server, f"{header}.{payload}.{issuer.mint().split('.')[2]}") == "signature"


def test_threads_get_the_right_callers_during_purges_with_a_small_cache(issuer):
    server = server_of(issuer, verdict_cache_size=4, caching=KeyCaching(burst=100))
    tokens = {name: issuer.mint(name) for name in (f"app-{number}" for number in range(12))}
    server.warm_up()
    wrong: list[Any] = []

    def work():
        try:
            for _ in range(25):
                wrong.extend(name for name, token in tokens.items() if server.verify(token).app_id != name)
        except BaseException as error:
            wrong.append(error)
            raise

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(5):
        server.purge()
        server.warm_up()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert server.health().verdicts.remembered <= 4

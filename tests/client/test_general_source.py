"""A source that knows no more of its issuer than a URL: discovery, the age of metadata, silent scopes, refusals."""

import pytest

from m2mguard.client import TokenEndpointUnavailable, TokenRequestRefused, TokenSource
from m2mguard.events import RenewalFailed, TokenRenewed
from m2mguard.net import HttpTransport
from m2mguard.testing import MANAGEMENT_API, SHOPPING_API, LocalIssuer, faults
from tests.client.conftest import APP_ID, APP_SECRET, LIFETIME_S


@pytest.mark.parametrize("authentication", ["client_secret_basic", "client_secret_post"])
def test_the_general_source_finds_the_endpoint_by_discovery_once(issuer, clock, events, authentication):
    source = TokenSource(
        issuer.url,
        client_id=APP_ID,
        client_secret=APP_SECRET,
        resource=SHOPPING_API,
        client_authentication=authentication,
        clock=clock,
        monotonic=clock,
        on_event=events,
    )
    source.token()
    source.for_target(resource=MANAGEMENT_API).token()
    assert (issuer.count("discovery"), issuer.count("token")) == (1, 2)
    assert ("authorization" in issuer.requests[-1].headers) == (authentication == "client_secret_basic")


def general(issuer: LocalIssuer, clock, **changed) -> TokenSource:
    arguments = {
        "client_id": APP_ID,
        "client_secret": APP_SECRET,
        "resource": SHOPPING_API,
        "clock": clock,
        "monotonic": clock,
    }
    return TokenSource(issuer.url, **(arguments | changed))


def test_discovery_that_fails_is_no_token_and_what_was_found_once_is_kept(issuer, clock, events):
    issuer.misbehave("discovery", faults.members(token_endpoint="https://elsewhere.example/token"))
    source = general(issuer, clock, on_event=events)
    with pytest.raises(TokenEndpointUnavailable, match="another origin"):
        source.token()
    assert issuer.count("token") == 0
    events.next(RenewalFailed)
    issuer.behave()
    clock.advance(1)
    token = source.token()
    events.next(TokenRenewed)
    issuer.misbehave("discovery", faults.status(500))
    clock.advance(LIFETIME_S)
    assert source.token() != token
    assert events.next(TokenRenewed).cause == "expired"


def test_discovery_and_request_share_one_time_out(issuer, clock):
    class Slow(HttpTransport):
        def request(self, *args, **kwargs):
            clock.advance(3)
            return super().request(*args, **kwargs)

    source = general(issuer, clock, transport=Slow(), timeout=3)
    with pytest.raises(TokenEndpointUnavailable, match="the issuer took too long"):
        source.token()
    assert (issuer.count("discovery"), issuer.count("token")) == (1, 0)


def test_metadata_is_asked_for_again_after_an_hour(issuer, clock):
    source = general(issuer, clock)
    source.token()
    clock.advance(3599)
    source.for_target(resource=MANAGEMENT_API).token()
    assert issuer.count("discovery") == 1
    clock.advance(1)
    source.token()
    assert issuer.count("discovery") == 2


def test_metadata_is_asked_for_again_after_a_failure_since_the_endpoint_may_have_moved(issuer, clock):
    source = general(issuer, clock)
    source.token()
    issuer.misbehave("token", faults.status(404), times=1)
    other = source.for_target(resource=MANAGEMENT_API)
    with pytest.raises(TokenEndpointUnavailable, match="404"):
        other.token()
    clock.advance(1)
    other.token()
    assert issuer.count("discovery") == 2


def test_a_given_token_endpoint_needs_no_discovery(issuer, clock):
    source = general(issuer, clock, token_endpoint=issuer.token_endpoint)
    assert source.token().scopes == frozenset()
    assert issuer.count("discovery") == 0


def test_without_a_word_on_scopes_the_general_source_takes_them_as_granted(issuer, clock, events):
    granting = general(issuer, clock, scopes=["delete:orders"], on_event=events)
    assert granting.token().scopes == {"delete:orders"}
    dropping = general(issuer, clock, scopes=["delete:orders"], missing_scope="dropped")
    assert dropping.token().scopes == frozenset()


def test_the_same_refusals_of_the_general_source_are_read_without_logtos_meanings(issuer, clock):
    wrong = general(issuer, clock, client_secret="wrong")
    with pytest.raises(TokenRequestRefused) as raised:
        wrong.token()
    assert (raised.value.reason, raised.value.error) == ("client_authentication", "invalid_client")
    assert raised.value.error_description == "client authentication failed"

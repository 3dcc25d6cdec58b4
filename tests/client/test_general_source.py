"""A source for any issuer, given only its URL: discovery, age of the metadata, missing scopes, refusals."""

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


def general_source(issuer: LocalIssuer, clock, **changed) -> TokenSource:
    arguments = {
        "client_id": APP_ID,
        "client_secret": APP_SECRET,
        "resource": SHOPPING_API,
        "clock": clock,
        "monotonic": clock,
    }
    return TokenSource(issuer.url, **(arguments | changed))


def test_a_failed_discovery_keeps_the_endpoint_found_before(issuer, clock, events):
    """Without an endpoint found before, a failed discovery is an error."""
    issuer.misbehave("discovery", faults.members(token_endpoint="https://elsewhere.example/token"))
    source = general_source(issuer, clock, on_event=events)
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


def test_discovery_and_token_request_share_one_time_out(issuer, clock):
    class SlowTransport(HttpTransport):
        def request(self, *args, **kwargs):
            clock.advance(3)
            return super().request(*args, **kwargs)

    source = general_source(issuer, clock, transport=SlowTransport(), timeout=3)
    with pytest.raises(TokenEndpointUnavailable, match="the issuer took too long"):
        source.token()
    assert (issuer.count("discovery"), issuer.count("token")) == (1, 0)


def test_metadata_expires_after_an_hour(issuer, clock):
    source = general_source(issuer, clock)
    source.token()
    clock.advance(3599)
    source.for_target(resource=MANAGEMENT_API).token()
    assert issuer.count("discovery") == 1
    clock.advance(1)
    source.token()
    assert issuer.count("discovery") == 2


def test_metadata_expires_after_a_failed_token_request(issuer, clock):
    source = general_source(issuer, clock)
    source.token()
    issuer.misbehave("token", faults.status(404), times=1)
    other = source.for_target(resource=MANAGEMENT_API)
    with pytest.raises(TokenEndpointUnavailable, match="404"):
        other.token()
    clock.advance(1)
    other.token()
    assert issuer.count("discovery") == 2


def test_a_given_token_endpoint_needs_no_discovery(issuer, clock):
    source = general_source(issuer, clock, token_endpoint=issuer.token_endpoint)
    assert source.token().scopes == frozenset()
    assert issuer.count("discovery") == 0


def test_missing_scope_means_granted_unless_configured_as_dropped(issuer, clock, events):
    granting = general_source(issuer, clock, scopes=["delete:orders"], on_event=events)
    assert granting.token().scopes == {"delete:orders"}
    dropping = general_source(issuer, clock, scopes=["delete:orders"], missing_scope="dropped")
    assert dropping.token().scopes == frozenset()


def test_a_general_source_does_not_use_logtos_reasons(issuer, clock):
    wrong = general_source(issuer, clock, client_secret="wrong")
    with pytest.raises(TokenRequestRefused) as raised:
        wrong.token()
    assert (raised.value.reason, raised.value.error) == ("client_authentication", "invalid_client")
    assert raised.value.error_description == "client authentication failed"

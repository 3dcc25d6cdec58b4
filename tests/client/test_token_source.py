"""A source with a local issuer that acts as Logto: first fetch, renewal, outages, refusals, scopes, targets."""

import inspect

import pytest

from m2mguard import Issuer, ResourceServer
from m2mguard.client import TokenEndpointUnavailable, TokenRequestRefused, TokenSource
from m2mguard.events import RenewalFailed, ScopesDropped, TokenRenewed
from m2mguard.net import HttpTransport
from m2mguard.testing import MANAGEMENT_API, SHOPPING_API, Application, Fault, LocalIssuer
from tests.client.conftest import APP_ID, APP_SECRET, LIFETIME_S

RENEW_BEFORE_S = 0.12 * LIFETIME_S  # the earliest that jitter allows


def test_an_api_accepts_the_token(issuer, source):
    token = source.token()
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    caller = server.authenticate([token.authorization])
    assert (caller.app_id, caller.scopes) == (APP_ID, token.scopes) == (APP_ID, {"read:orders"})
    assert token.expires_at == pytest.approx(caller.expires_at, abs=5)


async def test_atoken_works_on_asyncio_and_trio(issuer, source):
    token = await source.atoken()
    assert await source.atoken() is token
    assert issuer.count("token") == 1


def test_no_request_is_sent_before_the_first_use(issuer, source):
    assert issuer.count() == 0


def test_one_request_is_enough_until_the_renewal_is_due(issuer, source, clock, events):
    token = source.token()
    clock.advance(LIFETIME_S - RENEW_BEFORE_S - 1)
    assert source.token() is token
    assert issuer.count("token") == 1
    assert events.next(TokenRenewed) == TokenRenewed(
        issuer=issuer.url, app_id=APP_ID, resource=SHOPPING_API, cause="first", lifetime_s=LIFETIME_S
    )


def test_a_renewal_does_not_delay_calls(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(0.95 * LIFETIME_S)
    with issuer.hold("token") as gate:
        assert source.token() is token
        gate.wait_for(1)
        assert source.token() is token  # while the request is in flight
        assert issuer.count("token") == 2
    assert events.next(TokenRenewed).cause == "renewal"
    renewed = source.token()
    assert renewed != token
    clock.advance(0.2 * LIFETIME_S)  # past the end of the first
    assert source.token() is renewed
    assert issuer.count("token") == 2


def test_the_lifetime_counts_from_the_start_of_the_request(issuer, make_source, clock, events):
    class SlowTransport(HttpTransport):
        def request(self, *args, **kwargs):
            clock.advance(4)
            return super().request(*args, **kwargs)

    source = make_source(transport=SlowTransport())
    token = source.token()
    events.next(TokenRenewed)
    issuer.stop()
    clock.advance(LIFETIME_S - 5)
    assert source.token() is token
    events.next(RenewalFailed)
    clock.advance(1)
    with pytest.raises(TokenEndpointUnavailable):
        source.token()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"app_id": "nobody"}, "unknown_client"),
        ({"app_secret": "wrong"}, "wrong_secret"),
        ({"resource": f"{SHOPPING_API}/"}, "resource"),
        ({"organization_id": "org-none"}, "organization"),
    ],
)
def test_each_mistake_has_its_own_reason(make_source, changed, reason):
    with pytest.raises(TokenRequestRefused) as raised:
        make_source(**changed).token()
    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("registered", "reason"),
    [
        ({"secret_expired": True}, "expired_secret"),
        ({"kind": "traditional"}, "grant_type"),
        ({"kind": "spa"}, "wrong_secret"),
        ({"denial": "no tokens today"}, "denied"),
        ({"script_error": "boom"}, "claims_script"),
    ],
)
def test_each_mistake_in_logtos_console_has_its_own_reason(registered, reason, clock):
    with LocalIssuer(applications={APP_ID: Application(secret=APP_SECRET, **registered)}) as issuer:
        source = TokenSource.logto(
            issuer.endpoint, APP_ID, APP_SECRET, resource=SHOPPING_API, clock=clock, monotonic=clock
        )
        with pytest.raises(TokenRequestRefused) as raised:
            source.token()
    assert raised.value.reason == reason


def test_the_default_time_out_is_longer_than_that_of_a_claims_script(issuer, make_source):
    assert inspect.signature(TokenSource).parameters["timeout"].default == 10
    assert inspect.signature(TokenSource.logto).parameters["timeout"].default == 10
    source = make_source()
    with issuer.hold("token"):
        steps = source._cached.token()
        assert next(steps).timeout_s == 10
    assert source.token().scopes == {"read:orders"}


def test_a_refusal_does_not_remove_a_valid_token(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    issuer.misbehave("token", Fault(status=401, body=b'{"error": "invalid_client"}'))
    clock.advance(0.95 * LIFETIME_S)
    assert source.token() is token
    failed = events.next(RenewalFailed)
    assert (failed.reason, failed.remaining_s) == ("wrong_secret", pytest.approx(0.05 * LIFETIME_S))
    assert source.token() is token


def test_dropped_scopes_are_reported_once(issuer, make_source, clock, events, caplog):
    source = make_source(scopes=["read:orders", "write:orders", "delete:orders"])
    assert source.token().scopes == {"read:orders"}
    events.next(TokenRenewed)
    assert events.next(ScopesDropped).missing == ("delete:orders", "write:orders")
    clock.advance(0.95 * LIFETIME_S)
    source.token()
    events.next(TokenRenewed)
    assert events.queue.empty()
    [warning] = [record for record in caplog.records if record.m2mguard_event == "ScopesDropped"]
    assert warning.levelname == "WARNING"
    assert "delete:orders" in warning.getMessage()
    assert "give the application a role" in warning.getMessage()


def test_scopes_are_reported_as_dropped_if_logto_sends_no_scope(make_source, events):
    assert make_source(scopes=["delete:orders"]).token().scopes == frozenset()
    events.next(TokenRenewed)
    assert events.next(ScopesDropped).missing == ("delete:orders",)


def test_a_token_with_all_scopes_reports_no_dropped_scope(source, events):
    source.token()
    events.next(TokenRenewed)
    assert events.queue.empty()


def test_an_organization_token_needs_no_resource(make_source):
    token = make_source(resource=None, organization_id="org-blue", scopes=["read:members"]).token()
    assert token.scopes == {"read:members"}


def test_each_target_has_its_own_token(issuer, source):
    sources = [
        source,
        source.for_target(resource=SHOPPING_API, scopes=[]),
        source.for_target(resource=MANAGEMENT_API, scopes=["read:orders"]),
        source.for_target(resource=SHOPPING_API, scopes=["read:orders"], organization_id="org-blue"),
        source.for_target(resource=SHOPPING_API, scopes=["read:orders"], parameters={"colour": "blue"}),
    ]
    tokens = [one.token() for one in sources]
    assert len({token.value for token in tokens}) == issuer.count("token") == 5
    assert [one.token() for one in sources] == tokens


def test_equal_targets_share_one_token(issuer, source):
    token = source.token()
    assert source.for_target(resource=SHOPPING_API, scopes={"read:orders"}).token() is token
    assert issuer.count("token") == 1


def test_for_target_does_not_inherit_omitted_parameters(issuer, source):
    assert source.for_target(resource=SHOPPING_API).token().scopes == frozenset()
    assert b"scope" not in issuer.requests[-1].body

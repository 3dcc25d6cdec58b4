"""ResourceServer with a local issuer over real HTTP, sync and async."""

import copy
import dataclasses
import json
import pickle

import anyio
import pytest

from m2mguard import (
    ConfigurationError,
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
from m2mguard._server.trusted_issuer import KnownApplications
from m2mguard.events import Event, TokenRefused
from m2mguard.net import HttpTransport
from m2mguard.testing import SHOPPING_API, LocalIssuer, faults
from tests.refusals import reason_of


@pytest.fixture
def server(issuer):
    return ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)


@pytest.fixture(params=["sync", "asyncio", "trio"])
def call_method(request):
    """Calls a method of a server, or the async version of the method on an event loop."""

    def call(server, method, *args, **kwargs):
        if request.param == "sync":
            return getattr(server, method)(*args, **kwargs)

        async def main():
            return await getattr(server, f"a{method}")(*args, **kwargs)

        return anyio.run(main, backend=request.param)

    return call


def test_verify_returns_the_caller(issuer, server, call_method):
    caller = call_method(server, "verify", issuer.mint("app-orders", scopes=["read:orders", "write:orders"]))
    assert caller.app_id == caller.identity == caller.display_name == "app-orders"
    assert caller.scopes == {"read:orders", "write:orders"}
    assert caller.is_authenticated
    assert caller.is_machine


def test_authenticate_returns_the_caller(issuer, server, call_method):
    token = issuer.mint(scopes=["read:orders"])
    caller = call_method(server, "authenticate", [f"Bearer {token}".encode()], Requirement(scopes=["read:orders"]))
    assert caller.app_id == "app-orders"


@pytest.mark.parametrize(
    ("headers", "error", "status"),
    [
        ([], MissingToken, 401),
        (["Basic YTpi"], MissingToken, 401),
        (["Bearer a", "Bearer b"], InvalidRequest, 400),
        (["Bearer a b"], InvalidRequest, 400),
        (["Bearer abc"], InvalidToken, 401),
    ],
)
def test_an_invalid_header_is_refused_without_a_request_to_the_issuer(
    issuer, server, call_method, headers, error, status
):
    with pytest.raises(error) as refusal:
        call_method(server, "authenticate", headers)
    assert refusal.value.status == server.answer(refusal.value).status == status
    assert issuer.count() == 0


def test_a_missing_scope_is_a_403_that_names_the_required_scopes(issuer, server, call_method):
    requirement = Requirement(scopes=["read:orders", "write:orders"])
    with pytest.raises(InsufficientScope) as refusal:
        call_method(server, "authenticate", [f"Bearer {issuer.mint(scopes=['read:orders'])}"], requirement)
    header = server.answer(refusal.value).headers["WWW-Authenticate"]
    assert 'error="insufficient_scope"' in header
    assert 'scope="read:orders write:orders"' in header


def test_an_issuer_that_is_not_configured_gets_no_request(issuer, server, call_method):
    with LocalIssuer() as other, pytest.raises(InvalidToken) as refusal:
        call_method(server, "verify", other.mint())
    assert refusal.value.reason == "unknown_issuer"
    assert issuer.count() == other.count() == 0


def test_unavailable_keys_are_a_503_and_never_a_401(issuer, server, call_method):
    issuer.misbehave("all", faults.status(503))
    with pytest.raises(KeysUnavailable) as refusal:
        call_method(server, "verify", issuer.mint())
    answer = server.answer(refusal.value)
    assert answer.status == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert "WWW-Authenticate" not in answer.headers


def test_a_rotated_key_is_accepted_on_its_first_request(issuer, server, call_method):
    call_method(server, "verify", issuer.mint())
    issuer.rotate("RS256")
    assert call_method(server, "verify", issuer.mint()).app_id == "app-orders"
    assert issuer.count("jwks") == 2


def test_warm_up_fetches_once_and_reports_a_failure_without_raising(issuer, server, call_method):
    assert call_method(server, "warm_up").ready
    assert call_method(server, "warm_up").ready
    assert issuer.count("jwks") == 1
    issuer.stop()
    cold = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    health = call_method(cold, "warm_up", timeout=5)
    assert not health.ready
    assert health.issuers[0].last_error == "no connection can be made"
    assert health.issuers[0].last_problem == "no_connection"


def test_refresh_fetches_again_and_purge_drops_keys_and_tokens(issuer, server, call_method):
    token = issuer.mint()
    call_method(server, "verify", token)
    issuer.rotate()
    issuer.rotate()
    assert server.verify(token).app_id
    call_method(server, "refresh")
    assert reason_of(server, token) == "unknown_key"
    server.purge()
    assert not server.health().ready
    assert server.verify(issuer.mint()).app_id


def test_two_issuers_with_equal_key_ids_keep_separate_keys(call_method):
    with LocalIssuer() as ours:
        key = ours.current_key
        with LocalIssuer(key=type(key).generate("ES384", kid=key.kid)) as theirs:
            server = ResourceServer([Issuer.logto(ours.endpoint), theirs.url], audience=SHOPPING_API)
            assert call_method(server, "verify", ours.mint()).issuer == ours.url
            assert call_method(server, "verify", theirs.mint()).issuer == theirs.url
            with pytest.raises(InvalidToken) as refusal:
                call_method(server, "verify", ours.mint(claims={"iss": theirs.url}))
            assert refusal.value.reason == "signature"


def test_a_server_with_configured_keys_never_fetches(issuer):
    server = ResourceServer(Issuer(url=issuer.url, jwks=issuer.jwks), audience=SHOPPING_API)
    assert server.health().ready
    assert server.verify(issuer.mint()).app_id
    issuer.rotate()
    assert reason_of(server, issuer.mint()) == "unknown_key"
    assert server.refresh().ready
    assert issuer.count() == 0


def test_a_configured_jwks_uri_needs_no_discovery(issuer):
    server = ResourceServer(Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri), audience=SHOPPING_API)
    assert server.verify(issuer.mint()).app_id
    assert (issuer.count("discovery"), issuer.count("jwks")) == (0, 1)


def test_a_caller_is_checked_against_a_requirement_later(issuer, server):
    caller = server.verify(issuer.mint(scopes=["read:orders"]))
    server.authorize(caller, Requirement(scopes=["read:orders"]))
    with pytest.raises(InsufficientScope):
        server.authorize(caller, Requirement(app_ids=["another"]))


def test_a_star_as_organization_in_a_request_is_no_wildcard(issuer, server):
    headers = [f"Bearer {issuer.mint(organization_id='org-1')}"]
    requirement = Requirement(organization=lambda request: request["organization"])
    caller = server.authenticate(headers, requirement, request={"organization": "org-1"})
    assert caller.organization_id == "org-1"
    for other in ("org-2", "*", "", None, 1):
        with pytest.raises(InsufficientScope):
            server.authenticate(headers, requirement, request={"organization": other})


def test_on_event_gets_every_refusal_with_its_reason(issuer):
    events: list[Event] = []
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API, on_event=events.append)
    with pytest.raises(InvalidToken):
        server.authenticate([f"Bearer {issuer.mint(lifetime=-60)}"])
    refused = [event for event in events if isinstance(event, TokenRefused)]
    assert [(event.status, event.reason) for event in refused] == [(401, "expired")]


def test_an_error_of_on_event_changes_no_result(issuer, caplog):
    def broken(event):
        raise RuntimeError("broken")

    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API, on_event=broken)
    assert server.verify(issuer.mint()).app_id
    with pytest.raises(InvalidToken):
        server.verify("abc")
    assert "on_event raised" in caplog.text


def test_health_shows_the_keys(issuer, server):
    assert server.health().issuers[0].key_ids == ()
    server.warm_up()
    (health,) = server.health().issuers
    assert health.ready
    assert health.key_ids == (issuer.current_key.kid,)
    assert health.keys[0].thumbprint == issuer.current_key.kid
    assert health.keys[0].algorithms == ("ES256",)
    assert not health.stale
    assert 0 <= health.age < 5
    assert health.next_refresh < health.fetched_at + 300 < health.stale_until


def test_a_caller_can_be_copied_and_pickled_but_not_changed(issuer, server):
    caller = server.verify(issuer.mint(claims={"custom": {"list": [1, {"a": "b"}]}}))
    assert copy.deepcopy(caller) is caller
    restored = pickle.loads(pickle.dumps(caller))
    assert restored == caller
    assert hash(restored) == hash(caller)
    with pytest.raises(dataclasses.FrozenInstanceError):
        caller.app_id = "another"
    for change in (
        lambda: caller.claims.update(sub="another"),
        lambda: caller.claims["custom"].update(list=[]),
        lambda: caller.claims["custom"]["list"].append(1),
    ):
        with pytest.raises(AttributeError):
            change()


def test_a_server_can_be_configured_by_environment_variables(issuer):
    server = ResourceServer.from_env(
        {
            "M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint,
            "M2MGUARD_AUDIENCE": f"{SHOPPING_API} https://other.api",
            "M2MGUARD_TTL": "60",
            "M2MGUARD_REALM": "shop",
            "HOME": "/nowhere",
        }
    )
    assert server.verify(issuer.mint()).audience == SHOPPING_API
    (health,) = server.health().issuers
    assert health.stale_until is not None
    assert health.fetched_at is not None
    assert health.stale_until - health.fetched_at == pytest.approx(3600)
    assert 'realm="shop"' in server.answer(MissingToken("missing", "none")).headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"M2MGUARD_AUDIENCE": "a"}, "M2MGUARD_ISSUER"),
        ({"M2MGUARD_ISSUER": "https://a.example"}, "M2MGUARD_AUDIENCE"),
        ({"M2MGUARD_ISUER": "https://a.example", "M2MGUARD_AUDIENCE": "a"}, "M2MGUARD_ISUER"),
        ({"M2MGUARD_ISSUER": "https://a.example", "M2MGUARD_AUDIENCE": "a", "M2MGUARD_TTL": "soon"}, "M2MGUARD_TTL"),
        ({"M2MGUARD_ISSUER": "https://a.example", "M2MGUARD_AUDIENCE": "a", "M2MGUARD_CLOCK": "x"}, "M2MGUARD_CLOCK"),
    ],
)
def test_an_invalid_variable_is_named(environ, named):
    with pytest.raises(ConfigurationError, match=named):
        ResourceServer.from_env(environ)


def test_the_answer_is_json_without_values_of_the_token(issuer, server):
    with pytest.raises(InvalidToken) as refusal:
        server.verify(issuer.mint(audience="https://canary.example"))
    answer = server.answer(refusal.value)
    assert (
        json.loads(answer.body)
        == answer.detail
        == {"error": "invalid_token", "error_description": answer.detail["error_description"]}
    )
    assert "canary" not in repr(answer)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"CACHING": KeyCaching(), "TTL": "60"}, "CACHING is given together with single numbers of it"),
        ({"TRANSPORT": HttpTransport(), "CA_FILE": "ca.pem"}, "CA_FILE has no effect beside TRANSPORT"),
    ],
)
def test_contradicting_settings_are_rejected(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        ResourceServer.from_settings(
            {"ISSUER": "https://issuer.example", "AUDIENCE": "https://api.example", **settings}
        )


def test_known_applications_are_cleared_at_the_limit(monkeypatch):
    monkeypatch.setattr("m2mguard._server.trusted_issuer.MAX_KNOWN_APPLICATIONS", 2)
    known = KnownApplications()
    for app_id in ("a", "b", "c"):
        known.add(app_id)
    assert [app_id in known for app_id in ("a", "b", "c")] == [False, False, True]

"""Opaque tokens of two real authorization servers: oidc-provider, with plain and signed answers, and django-oauth-toolkit."""

import secrets
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import pytest
import urllib3

from m2mguard import (
    InsufficientScope,
    Introspection,
    InvalidToken,
    Issuer,
    KeysUnavailable,
    Requirement,
    ResourceServer,
)
from m2mguard.client import ClientSecret, MutualTls, PrivateKeyJwt
from m2mguard.events import IntrospectionFailed
from m2mguard.net import HttpTransport, TransportError
from m2mguard.testing import SigningKey
from tests.client_keys import Certificate, private_pem
from tests.manual_clock import ManualClock
from tests.observed_events import ObservedEvents

PERSON = "urn:m2mguard:test:person"
SERVERS = ("oidc-provider", "oidc-provider, signed", "django-oauth-toolkit")


class CountingTransport:
    """Counts the questions, and holds them or fails on demand."""

    def __init__(self) -> None:
        self._real = HttpTransport()
        self._lock = threading.Lock()
        self.questions = 0
        self.most_at_once = 0
        self._at_once = 0
        self.is_down = False

    def request(self, method, url, **arguments):
        if self.is_down:
            raise TransportError("the issuer is down", code="no_connection")
        if method == "GET":
            return self._real.request(method, url, **arguments)
        with self._lock:
            self.questions += 1
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            return self._real.request(method, url, **arguments)
        finally:
            with self._lock:
                self._at_once -= 1


@dataclass(frozen=True, kw_only=True)
class World:
    """An authorization server, an API that asks it about tokens, and how the two see a token."""

    issuer: Issuer
    audience: str
    app_id: str
    token: Callable[[], str]
    persons_token: Callable[[], str]
    revoke: Callable[[str], object]

    def api(self, **arguments) -> ResourceServer:
        issuer = arguments.pop("issuer", self.issuer)
        return ResourceServer(issuer, arguments.pop("audience", self.audience), **arguments)

    def with_introspection(self, **changes) -> Issuer:
        assert self.issuer.introspection is not None
        return replace(self.issuer, introspection=replace(self.issuer.introspection, **changes))


@pytest.fixture(params=SERVERS)
def world(request) -> World:
    if request.param == "django-oauth-toolkit":
        toolkit = request.getfixturevalue("oauth_toolkit")
        ours = Introspection(
            client_id="shopping-api",
            timeout=60,
            authentication=ClientSecret(toolkit.clients["shopping-api"]),
            audience_required=False,
        )
        return World(
            issuer=Issuer(url=toolkit.issuer, jwks={"keys": []}, introspection=ours),
            audience="https://shopping.api",
            app_id="orders",
            token=lambda: toolkit.token("orders", scope="read:orders"),
            persons_token=lambda: toolkit.token(
                "web-shop", scope="read:orders", grant_type="password", username="alice", password="alice"
            ),
            revoke=lambda token: toolkit.revoke("orders", token),
        )
    provider = request.getfixturevalue("oidc_provider")
    ours = Introspection(
        client_id="shopping-api",
        timeout=60,
        authentication=ClientSecret(provider.clients["shopping-api"]),
        jwt=request.param.endswith("signed"),
    )
    return World(
        issuer=Issuer(url=provider.issuer, introspection=ours),
        audience=provider.opaque_resource,
        app_id="orders-es384",
        token=lambda: provider.token("orders-es384", scope="read:orders", resource=provider.opaque_resource),
        persons_token=lambda: provider.token("orders-es384", grant=PERSON),
        revoke=lambda token: provider.revoke("orders-es384", token),
    )


def test_a_machines_token_is_accepted(world):
    token = world.token()
    assert token.count(".") == 0
    caller = world.api().verify(token, Requirement(scopes=["read:orders"], app_ids=[world.app_id]))
    assert (caller.app_id, caller.subject, caller.is_machine) == (world.app_id, world.app_id, True)
    assert (caller.scopes, caller.issuer, caller.audience) == ({"read:orders"}, world.issuer.url, world.audience)
    assert time.time() < caller.expires_at < time.time() + 40_000
    assert "sub" not in caller.claims  # neither server names one, so the App ID is the client id
    with pytest.raises(InsufficientScope):
        world.api().verify(token, Requirement(scopes=["write:orders"]))


def test_a_persons_token_is_refused_unless_persons_are_let_in(world):
    token = world.persons_token()
    with pytest.raises(InsufficientScope) as refused:
        world.api().verify(token)
    assert refused.value.reason == "not_a_machine"
    caller = world.api(machine_only=False).verify(token)
    assert not caller.is_machine
    assert "alice" in (caller.claims.get("sub"), caller.claims.get("username"))


def test_a_token_that_nobody_gave_is_inactive(world):
    with pytest.raises(InvalidToken) as refused:
        world.api().verify(secrets.token_urlsafe(32))
    assert (refused.value.reason, refused.value.status) == ("inactive", 401)


def test_a_revoked_token_is_refused_within_ttl(world):
    clock, token = ManualClock(time.time()), world.token()
    api = world.api(monotonic=clock)
    api.verify(token)
    world.revoke(token)
    clock.advance(59)
    api.verify(token)
    clock.advance(1)
    with pytest.raises(InvalidToken) as refused:
        api.verify(token)
    assert refused.value.reason == "inactive"


def test_purge_forgets_a_revoked_token_at_once(world):
    token, api = world.token(), world.api()
    api.verify(token)
    world.revoke(token)
    api.purge()
    with pytest.raises(InvalidToken):
        api.verify(token)


def test_200_callers_of_one_token_make_one_request(world):
    token, transport = world.token(), CountingTransport()
    api, together = world.api(transport=transport), threading.Barrier(200)

    def call(_: int) -> str:
        together.wait(30)
        return api.verify(token).app_id

    with ThreadPoolExecutor(200) as pool:
        assert set(pool.map(call, range(200))) == {world.app_id}
    assert transport.questions == 1


def test_1000_invented_tokens_stay_within_the_budget(world):
    transport, good = CountingTransport(), world.token()
    api = world.api(issuer=world.with_introspection(max_concurrent=4), transport=transport)
    api.verify(good)

    def call(_: int) -> tuple[str, int]:
        with pytest.raises((InvalidToken, KeysUnavailable)) as refused:
            api.verify(secrets.token_urlsafe(32))
        return refused.value.reason, refused.value.status

    with ThreadPoolExecutor(16) as pool:
        answers = set(pool.map(call, range(1000)))
    assert answers <= {("inactive", 401), ("introspection_unavailable", 503)}
    assert ("inactive", 401) in answers
    assert transport.most_at_once <= 3  # a quarter is reserved for known tokens
    questions = transport.questions
    assert api.verify(good).app_id == world.app_id  # was not pushed out
    assert transport.questions == questions


def test_an_outage_serves_what_is_remembered_until_it_is_too_old(world):
    clock, transport, events = ManualClock(time.time()), CountingTransport(), ObservedEvents()
    api, token = world.api(monotonic=clock, transport=transport, on_event=events), world.token()
    api.verify(token)
    transport.is_down = True
    clock.advance(59)
    api.verify(token)
    clock.advance(1)
    with pytest.raises(KeysUnavailable) as unavailable:
        api.verify(token)
    assert (unavailable.value.reason, unavailable.value.problem) == ("introspection_unavailable", "no_connection")
    assert [event.problem for event in events.wait_for(IntrospectionFailed)] == ["no_connection"]
    transport.is_down = False
    clock.advance(6)
    api.verify(token)


def test_wrong_credentials_of_ours_are_no_fault_of_the_caller(world, caplog):
    events, secret, token = ObservedEvents(), "a-wr0ng-secret", world.token()
    issuer = world.with_introspection(authentication=ClientSecret(secret))
    api = world.api(issuer=issuer, on_event=events)
    with pytest.raises(KeysUnavailable) as unavailable:
        api.verify(token)
    assert (unavailable.value.status, unavailable.value.problem) == (503, "introspection_credentials")
    [event] = events.wait_for(IntrospectionFailed)
    assert event.problem == "introspection_credentials"
    health = api.health().issuers[0].introspection
    assert health is not None
    assert (health.failures, health.last_problem) == (1, "introspection_credentials")
    shown = [
        repr(api.settings),
        repr(unavailable.value),
        str(unavailable.value),
        repr(event),
        repr(health),
        caplog.text,
    ]
    assert not [text for text in shown if secret in text or token in text]
    assert "introspection_credentials" in caplog.text


def test_a_token_for_another_api_is_refused(world):
    """django-oauth-toolkit names no audience: its answer is refused unless `audience_required=False` accepts that."""
    api, reason = world.api(audience="https://other.api"), "audience"
    if world.issuer.introspection.audience_required is False:
        api = world.api(issuer=world.with_introspection(audience_required=True))
    with pytest.raises(InvalidToken) as refused:
        api.verify(world.token())
    assert (refused.value.reason, refused.value.app_id) == (reason, world.app_id)


def test_a_plain_answer_is_not_taken_for_a_signed_one(oauth_toolkit):
    ours = Introspection(
        client_id="shopping-api",
        timeout=60,
        authentication=ClientSecret(oauth_toolkit.clients["shopping-api"]),
        audience_required=False,
        jwt=True,
    )
    with pytest.raises(KeysUnavailable) as unavailable:
        ResourceServer(Issuer(url=oauth_toolkit.issuer, introspection=ours), "https://shopping.api").verify(
            oauth_toolkit.token("orders", scope="read:orders")
        )
    assert unavailable.value.problem == "introspection_answer"


class AskingAsAnother(HttpTransport):
    """What a cache between us and the issuer does that does not look at who asks: questions get another client's answers."""

    def __init__(self, app_id: str, secret: str) -> None:
        super().__init__()
        self._others = urllib3.make_headers(basic_auth=f"{app_id}:{secret}")["authorization"]

    def request(self, method, url, *, headers, **arguments):
        headers = {**headers, "Authorization": self._others} if method == "POST" else headers
        return super().request(method, url, headers=headers, **arguments)


@pytest.mark.parametrize("app_id", ["orders-rs256", "shopping-api"])
def test_an_answer_that_was_signed_for_another_client_is_not_believed(oidc_provider, app_id):
    events = ObservedEvents()
    ours = Introspection(
        client_id="shopping-api",
        timeout=60,
        authentication=ClientSecret(oidc_provider.clients["shopping-api"]),
        jwt=True,
    )
    api = ResourceServer(
        Issuer(url=oidc_provider.issuer, introspection=ours),
        oidc_provider.opaque_resource,
        transport=AskingAsAnother(app_id, oidc_provider.clients[app_id]),
        on_event=events,
    )
    token = oidc_provider.token("orders-es384", resource=oidc_provider.opaque_resource)
    if app_id == "shopping-api":
        assert api.verify(token).app_id == "orders-es384"
        return
    with pytest.raises(KeysUnavailable) as unavailable:
        api.verify(token)
    assert (unavailable.value.status, unavailable.value.problem) == (503, "introspection_audience")
    assert [event.problem for event in events.wait_for(IntrospectionFailed)] == ["introspection_audience"]


@pytest.mark.parametrize(("audience", "is_accepted"), [("https://shopping.api", True), ("https://other.api", False)])
def test_a_toolkit_token_for_a_resource_names_its_audience(oauth_toolkit, audience, is_accepted):
    ours = Introspection(
        client_id="shopping-api", timeout=60, authentication=ClientSecret(oauth_toolkit.clients["shopping-api"])
    )
    api = ResourceServer(Issuer(url=oauth_toolkit.issuer, introspection=ours), audience)
    token = oauth_toolkit.token("orders", scope="read:orders", resource="https://shopping.api")
    if is_accepted:
        assert api.verify(token).audience == audience
    else:
        with pytest.raises(InvalidToken) as refused:
            api.verify(token)
        assert refused.value.reason == "audience"


def asking_as(provider, client_id, authentication, **more) -> ResourceServer:
    ours = Introspection(client_id=client_id, authentication=authentication, timeout=60, **more)
    return ResourceServer(Issuer(url=provider.issuer, introspection=ours), provider.opaque_resource)


@pytest.mark.parametrize("is_ours", [True, False])
def test_we_prove_who_we_are_by_a_private_key(oidc_provider, is_ours):
    key = oidc_provider.keys["key-ES256"] if is_ours else SigningKey.generate("ES256")
    api = asking_as(oidc_provider, "key-ES256", PrivateKeyJwt(private_pem(key)))
    for _ in range(2):  # an assertion is used once
        token = oidc_provider.token("orders-es384", resource=oidc_provider.opaque_resource)
        if is_ours:
            assert api.verify(token).app_id == "orders-es384"
        else:
            with pytest.raises(KeysUnavailable) as unavailable:
                api.verify(token)
            assert unavailable.value.problem == "introspection_credentials"


@pytest.mark.parametrize("is_ours", [True, False])
def test_we_prove_who_we_are_by_a_certificate(oidc_provider, tmp_path, is_ours):
    certificate = oidc_provider.certificate if is_ours else Certificate.make()
    (tmp_path / "ca.pem").write_bytes(oidc_provider.ca)
    (tmp_path / "pair.pem").write_bytes(certificate.certificate + certificate.key)
    metadata = urllib3.request("GET", f"{oidc_provider.issuer}/.well-known/openid-configuration").json()
    endpoint = f"{metadata['mtls_endpoint_aliases']['token_endpoint']}/introspection"
    way = MutualTls(tmp_path / "pair.pem", ca_file=str(tmp_path / "ca.pem"))
    api = asking_as(oidc_provider, "certificate", way, endpoint=endpoint)
    token = oidc_provider.token("orders-es384", resource=oidc_provider.opaque_resource)
    if is_ours:
        assert api.verify(token).app_id == "orders-es384"
    else:
        with pytest.raises(KeysUnavailable) as unavailable:
            api.verify(token)
        assert unavailable.value.problem == "introspection_credentials"


def test_a_jwt_of_the_same_issuer_is_verified_as_before(oidc_provider):
    transport = CountingTransport()
    ours = Introspection(
        client_id="shopping-api", timeout=60, authentication=ClientSecret(oidc_provider.clients["shopping-api"])
    )
    api = ResourceServer(
        Issuer(url=oidc_provider.issuer, introspection=ours), oidc_provider.resource, transport=transport
    )
    assert api.verify(oidc_provider.token("orders-es384")).app_id == "orders-es384"
    assert transport.questions == 0

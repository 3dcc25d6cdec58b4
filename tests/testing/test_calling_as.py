"""`calling_as` and `fake_caller`: tests without tokens, in which no check of the route is lost."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from m2mguard import InsufficientScope, Requirement, ResourceServer
from m2mguard.errors import MissingToken
from m2mguard.events import TokenRefused
from m2mguard.starlette import lifespan
from m2mguard.testing import TestServer, calling_as, fake_caller

READ = Requirement(scopes=["read"])
READER = fake_caller("app-mine", scopes=["read"])
ISSUER = "https://tenant.example/oidc"


def resource_server(**settings):
    return ResourceServer(ISSUER, audience="https://mine.api", **settings)


def test_a_fake_caller_grants_nothing_that_is_not_named():
    caller = fake_caller()
    assert (caller.app_id, caller.scopes, caller.organization_id, caller.is_machine) == (
        "app-orders",
        frozenset(),
        None,
        True,
    )
    assert fake_caller(scopes=["a", "b"]).claims["scope"] == "a b"
    person = fake_caller("app-web", user_id="user-alice", claims={"department": "sales"})
    assert (person.app_id, person.subject, person.is_machine) == ("app-web", "user-alice", False)
    assert person.claims["department"] == "sales"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"scopes": "read"}, TypeError), ({"scope": ["read"]}, TypeError), ({"scopes": ["read write"]}, ValueError)],
)
def test_a_fake_caller_takes_no_wrong_argument(arguments, error):
    with pytest.raises(error):
        fake_caller("app-mine", **arguments)


def test_the_caller_is_of_the_servers_issuer_and_audience():
    with calling_as(resource_server(), READER) as caller:
        assert (caller.issuer, caller.audience) == (ISSUER, "https://mine.api")
        assert (caller.claims["iss"], caller.claims["aud"]) == (caller.issuer, caller.audience)
    with calling_as(resource_server(), fake_caller(issuer="https://named.example")) as caller:
        assert caller.issuer == "https://named.example"


@pytest.mark.parametrize(
    ("caller", "requirement", "reason"),
    [
        (fake_caller(), READ, "scope"),
        (fake_caller(scopes=["write"]), Requirement(any_scope=["read", "list"]), "scope"),
        (fake_caller("app-other"), Requirement(app_ids=["app-mine"]), "application"),
        (fake_caller(organization_id="blue"), Requirement(), "organization"),
        (fake_caller(organization_id="blue"), Requirement(organization="red"), "organization"),
        (fake_caller(), Requirement(organization=lambda request: request["tenant"]), "organization"),
        (fake_caller(issuer="https://named.example"), Requirement(issuers=[ISSUER]), "issuer"),
        (fake_caller("app-web", user_id="user-alice"), Requirement(), "not_a_machine"),
    ],
)
def test_what_the_route_asks_for_is_enforced(caller, requirement, reason):
    server = resource_server()
    with calling_as(server, caller), pytest.raises(InsufficientScope) as caught:
        server.authenticate([], requirement, request={"tenant": "blue"})
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    ("caller", "requirement"),
    [
        (READER, READ),
        (READER, Requirement(any_scope=["read", "list"], app_ids=["app-mine"], issuers=[ISSUER])),
        (fake_caller(organization_id="blue"), Requirement(organization=lambda request: request["tenant"])),
        (fake_caller(organization_id="blue"), Requirement(organization="*")),
    ],
)
def test_a_caller_that_has_it_passes(caller, requirement):
    server = resource_server()
    with calling_as(server, caller):
        assert server.authenticate([], requirement, request={"tenant": "blue"}).app_id == caller.app_id
        assert server.verify("no token at all", requirement, request={"tenant": "blue"}).app_id == caller.app_id


def test_a_person_passes_where_people_may_call():
    server = resource_server(machine_only=False)
    with calling_as(server, fake_caller("app-web", user_id="user-alice")):
        assert server.authenticate([]).subject == "user-alice"


def test_a_refusal_is_reported_with_the_route(events):
    server = resource_server(on_event=events)
    with calling_as(server, fake_caller("app-mine")), pytest.raises(InsufficientScope):
        server.authenticate([], READ, route=("GET", "/orders"))
    (event,) = events.of(TokenRefused)
    assert (event.reason, event.app_id, event.path) == ("scope", "app-mine", "/orders")


def test_a_person_that_is_refused_is_reported_too(events):
    server = resource_server(on_event=events)
    person = fake_caller("app-web", user_id="user-alice")
    with calling_as(server, person), pytest.raises(InsufficientScope):
        server.authenticate([], route=("GET", "/orders"))
    (event,) = events.of(TokenRefused)
    assert (event.reason, event.app_id, event.issuer, event.path) == ("not_a_machine", "app-web", ISSUER, "/orders")


def test_blocks_are_nested_and_end_with_an_error_too():
    server, other = resource_server(), resource_server()
    with calling_as(server, READER):
        with calling_as(server, fake_caller("app-inner")):
            assert server.authenticate([]).app_id == "app-inner"
        assert server.authenticate([]).app_id == "app-mine"
        with pytest.raises(MissingToken):
            other.authenticate([])
    with pytest.raises(ZeroDivisionError), calling_as(server, READER):
        1 / 0  # noqa: B018
    with pytest.raises(MissingToken):
        server.authenticate([])


def test_nothing_is_fetched():
    with TestServer() as server:
        server.issuer.stop()
        app = FastAPI(lifespan=lifespan(server))
        app.get("/orders")(lambda caller: caller.app_id)
        app.get("/readyz")(lambda: server.readiness().status)
        with calling_as(server, READER), TestClient(app) as client:
            assert client.get("/readyz").json() == 200
            assert server.refresh().ready
            server.purge()
        assert server.issuer.count() == 0
        assert not server.health().ready


def test_only_a_caller_can_call():
    with pytest.raises(TypeError, match="fake_caller"), calling_as(resource_server(), "app-mine"):
        pass

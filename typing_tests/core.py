"""What an editor must know of the public names. Checked by mypy and pyright in their strict modes; never run."""

from collections.abc import Mapping
from typing import assert_type

from m2mguard import (
    Answer,
    AuthError,
    Caller,
    Event,
    Health,
    InsufficientScope,
    InsufficientUserAuthentication,
    Introspection,
    InvalidToken,
    Issuer,
    KeyCaching,
    KeysUnavailable,
    M2MGuardError,
    Requirement,
    ResourceServer,
    __version__,
)
from m2mguard.client import ClientSecret
from m2mguard.errors import InsufficientScopeReason, InsufficientUserAuthenticationReason, InvalidTokenReason
from m2mguard.net import HttpTransport, Response, Transport, TransportError, TransportProblem


class Canned:
    """Anything with this one method is a Transport; nothing need be inherited."""

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, max_bytes: int
    ) -> Response:
        return Response(status=200, headers={}, body=b"{}")


def seen(event: Event) -> None:
    assert_type(event.issuer, str | None)


def of_tenant(request: object) -> str | None:
    return None


server = ResourceServer(
    [Issuer.logto("https://tenant.logto.app"), "https://issuer.example", Issuer(url="https://other.example")],
    audience=["https://shopping.api", "https://stock.api"],
    leeway=0,
    caching=KeyCaching(ttl=60, stale_for=0),
    transport=Canned(),
    on_event=seen,
)
introspection = Introspection(client_id="shopping-api", authentication=ClientSecret("secret"), ttl=30, jwt=True)
assert_type(Issuer(url="https://issuer.example", introspection=introspection).introspection, Introspection | None)
default_transport: Transport = HttpTransport(connect_timeout=1, http_origins=["http://logto:3001"])
assert_type(TransportError("one sentence").code, TransportProblem)
version: str = __version__
requirement = Requirement(scopes=["read:orders"], any_scope=("a", "b"), app_ids={"app"}, organization=of_tenant)
of_persons = Requirement(max_age=300, acr=["phr", "mfa"])
assert_type(Requirement(acr="mfa").max_age, int | None)

assert_type(ResourceServer.from_env(), ResourceServer)
assert_type(server.verify("a.b.c"), Caller)
assert_type(server.authenticate([b"Bearer a.b.c"]), Caller)
assert_type(server.authenticate(["Bearer a.b.c"], requirement), Caller)
assert_type(server.warm_up(timeout=1), Health)
assert_type(server.health(), Health)


async def awaited() -> None:
    assert_type(await server.averify("a.b.c"), Caller)
    assert_type(await server.aauthenticate([b"Bearer a.b.c"], requirement), Caller)
    assert_type(await server.awarm_up(), Health)


def a_route(caller: Caller) -> None:
    assert_type(caller.app_id, str)
    assert_type(caller.scopes, frozenset[str])
    assert_type(caller.organization_id, str | None)
    assert_type(caller.expires_at, float)
    assert_type(caller.claims, Mapping[str, object])
    caller.app_id = "another"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def refused(error: M2MGuardError) -> Answer | None:
    match error:
        case InvalidToken() | InsufficientScope():
            assert_type(error.status, int)
            assert_type(error.reason, InvalidTokenReason | InsufficientScopeReason)
            assert_type(error.got, tuple[str, ...] | None)
            return server.answer(error)
        case InsufficientUserAuthentication():
            assert_type(error.reason, InsufficientUserAuthenticationReason)
            assert_type(error.max_age, int | None)
            assert_type(error.acr_values, tuple[str, ...])
            return server.answer(error)
        case AuthError():
            assert_type(error.error, str | None)
            return server.answer(error)
        case KeysUnavailable():
            assert_type(error.retry_after, float)
            return server.answer(error)
        case _:
            return None

"""The guards of gRPC: methods, settings, the Caller, waiting. For their answers see tests/contract."""

import asyncio
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from m2mguard import ConfigurationError, KeyCaching, Requirement, ResourceServer
from m2mguard.grpc import AioGuard, Guard, current_caller
from m2mguard.testing import TestServer, calling_as, fake_caller
from m2mguard.testing.faults import hang
from tests.grpc_servers import (
    AIO_METHODS,
    GUARDS,
    KINDS,
    METHODS,
    STACKS,
    bearer,
    call,
    registered,
    seen_caller,
    service,
    serving,
)

HEALTH = ("/grpc.health.v1.Health/",)
REFLECTION = ("/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/")
OK, UNAUTHENTICATED, DENIED, UNIMPLEMENTED = (
    grpc.StatusCode.OK,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNIMPLEMENTED,
)
READ = Requirement(scopes=["read"])
pytestmark = pytest.mark.parametrize("stack", STACKS)


def code(channel, method, token="", *, kind="unary_unary", **more):
    return call(channel, kind, method=method, metadata=bearer(token) if token else (), **more).code


def orders(stack, name="shop.Orders"):
    return service(name, **METHODS[stack])


def test_an_unknown_method_needs_a_token_as_any_other(stack, server):
    with serving(stack, [GUARDS[stack](server)]) as channel:
        for method in ("/shop.Orders/no_such", "/no.Such/Method", "/shop.Orders/", "/x"):
            for kind in KINDS:
                assert code(channel, method, kind=kind, requests=()) is UNAUTHENTICATED
                assert code(channel, method, server.token(), kind=kind) is UNIMPLEMENTED


def test_a_service_and_a_method_are_public_by_name_and_nothing_else(stack, server):
    guard = GUARDS[stack](server, public=["/shop.Public/", "/shop.Orders/stream_unary"])
    names = ("shop.Public", "shop.Orders", "shop.PublicToo", "shop", "Public")
    with serving(stack, [guard], *(orders(stack, name) for name in names)) as channel:
        for name in names:
            for kind in KINDS:
                is_public = name == "shop.Public" or (name, kind) == ("shop.Orders", "stream_unary")
                outcome = call(channel, kind, method=f"/{name}/{kind}")
                assert outcome.code is (OK if is_public else UNAUTHENTICATED)
                assert set(outcome.messages) == ({b"null"} if is_public else set())
        assert code(channel, "/shop.Public/no_such") is UNIMPLEMENTED
        for method in (
            "/shop.Public/../shop.Orders/unary_unary",
            "/shop.public/unary_unary",
            "//shop.Public/unary_unary",
        ):
            assert code(channel, method) is UNAUTHENTICATED
        for kind in KINDS:  # a token makes no Caller where none is asked for
            assert set(
                call(channel, kind, method=f"/shop.Public/{kind}", metadata=bearer(server.token())).messages
            ) == {b"null"}


def test_the_health_service_is_public_unless_told_otherwise(stack, server):
    servicer = health.aio.HealthServicer() if stack == "aio" else health.HealthServicer()
    handlers = registered(health_pb2_grpc.add_HealthServicer_to_server, servicer)
    for settings, without in (({}, OK), ({"public": HEALTH}, OK), ({"public": ()}, UNAUTHENTICATED)):
        with serving(stack, [GUARDS[stack](server, **settings)], *handlers) as channel:
            assert code(channel, "/grpc.health.v1.Health/Check", request=b"") is without
            assert code(channel, "/grpc.health.v1.Health/Check", server.token(), request=b"") is OK
            stub = health_pb2_grpc.HealthStub(channel)
            for metadata, ends in (((), without), (bearer(server.token()), OK)):
                watch = stub.Watch(health_pb2.HealthCheckRequest(), metadata=metadata, timeout=10)
                if ends is OK:
                    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
                    watch.cancel()
                else:
                    assert watch.code() is ends


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_needs_a_token_unless_it_is_opened(stack, version, server):
    servicer = (reflection.aio if stack == "aio" else reflection).ReflectionServicer(["shop.Orders"])
    handlers = registered(reflection_pb2_grpc.add_ServerReflectionServicer_to_server, servicer)
    method = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
    if version == "v1":  # the same messages under another name
        handlers = [Renamed(handlers[0], "grpc.reflection.v1.", "grpc.reflection.v1alpha.")]
    asks = [reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString()]
    for public, without in ((HEALTH, UNAUTHENTICATED), ((*HEALTH, *REFLECTION), OK)):
        with serving(stack, [GUARDS[stack](server, public=public)], *handlers) as channel:
            assert code(channel, method, kind="stream_stream", requests=asks) is without
            outcome = call(channel, "stream_stream", method=method, metadata=bearer(server.token()), requests=asks)
            assert (outcome.code, b"shop.Orders" in outcome.messages[0]) == (OK, True)


class Renamed(grpc.GenericRpcHandler):
    def __init__(self, handler, before, after):
        self.handler, self.before, self.after = handler, before, after

    def service(self, details):
        return self.handler.service(Details(details.method.replace(self.before, self.after)))


class Details:
    invocation_metadata = ()

    def __init__(self, method):
        self.method = method


def test_what_the_server_and_the_method_ask_for_adds_up(stack, server):
    methods = {"/shop.Orders/stream_unary": Requirement(scopes=["write"])}
    with serving(stack, [GUARDS[stack](server, requires=READ, methods=methods)]) as channel:
        for scopes, accepted in (
            ([], ()),
            (["read"], {"unary_unary"}),
            (["write"], ()),
            (["read", "write"], {"unary_unary", "stream_unary"}),
        ):
            token = server.token(scopes=scopes)
            for kind in ("unary_unary", "stream_unary"):
                assert code(channel, f"/shop.Orders/{kind}", token, kind=kind) is (OK if kind in accepted else DENIED)
        outcome = call(channel, "stream_unary", metadata=bearer(server.token(scopes=["read"])))
        assert 'scope="write"' in outcome.values("www-authenticate")[0]


def test_a_method_asks_for_an_organization_where_the_server_asks_for_nothing(stack, server):
    def tenant(details):
        return dict(details.invocation_metadata).get("tenant")

    methods = {
        "/shop.Orders/unary_unary": Requirement(organization=tenant),
        "/shop.Orders/unary_stream": Requirement(organization="*"),
    }
    token = server.token(organization_id="org-blue")
    for requires, of_the_organization in ((None, OK), (Requirement(), DENIED)):
        with serving(stack, [GUARDS[stack](server, requires=requires, methods=methods)]) as channel:
            blue = call(channel, "unary_unary", metadata=[*bearer(token), ("tenant", "org-blue")])
            assert blue.code is of_the_organization
            assert call(channel, "unary_unary", metadata=[*bearer(token), ("tenant", "org-red")]).code is DENIED
            assert code(channel, "/shop.Orders/unary_stream", token, kind="unary_stream") is of_the_organization
            assert code(channel, "/shop.Orders/stream_unary", token, kind="stream_unary") is DENIED


@pytest.mark.parametrize(
    "arguments",
    [
        {"server": "https://issuer.example"},
        {"requires": ["read"]},
        {"requires": Requirement(issuers=["https://nobody.example"])},
        {"streams": "cut"},
        {"public": "/shop.Orders/"},
        *({"public": [name]} for name in ("/", "a.B/", "/a.B", "/a.B/*", "GET /a.B/C", "/a.B/C/D", "/a..B/", "", 1)),
        {"methods": ["/shop.Orders/Get"]},
        {"methods": {"/shop.Orders/Get": ["read"]}},
        {"methods": {"/shop.Orders/Get": Requirement(issuers=["https://nobody.example"])}},
        *({"methods": {name: READ}} for name in ("/shop.Orders/", "shop.Orders/Get", "/Get", "/shop.Orders/Get/", "/shop.Orders/*", 1)),
        {"methods": {"/grpc.health.v1.Health/Check": READ}},
        {"methods": {"/shop.Orders/Get": READ}, "public": ["/shop.Orders/Get"]},
    ],
    ids=repr,
)  # fmt: skip
def test_an_invalid_argument_is_refused(stack, arguments):
    given = {"server": ResourceServer("https://issuer.example", audience="https://a.api"), **arguments}
    with pytest.raises(ConfigurationError):
        GUARDS[stack](given.pop("server"), **given)


def test_a_requirement_that_names_ids_must_name_its_issuer(stack):
    server = ResourceServer(["https://a.example", "https://b.example"], audience="https://a.api")
    with pytest.raises(ConfigurationError):
        GUARDS[stack](server, methods={"/shop.Orders/Get": Requirement(app_ids=["app-orders"])})
    GUARDS[stack](
        server, methods={"/shop.Orders/Get": Requirement(app_ids=["app-orders"], issuers=["https://a.example"])}
    )


def test_there_is_no_caller_outside_a_call(stack):
    with pytest.raises(RuntimeError, match=stack.replace("sync", "Guard").replace("aio", "AioGuard")):
        current_caller()


@pytest.mark.parametrize("functions_of", STACKS)
def test_no_call_sees_the_caller_of_another(stack, functions_of, server):
    functions = METHODS["sync" if stack == "sync" else functions_of]  # grpc.aio runs plain functions, too
    tokens = {f"app-{number}": server.token(f"app-{number}") for number in range(20)}
    guard = GUARDS[stack](server, public=["/shop.Public/"])
    services = (service("shop.Orders", **functions), service("shop.Public", **functions))

    def seen(job):
        app_id, kind = job
        own = call(channel, kind, metadata=bearer(tokens[app_id])).messages
        public = call(channel, kind, method=f"/shop.Public/{kind}", metadata=bearer(tokens[app_id])).messages
        return {json.loads(message)["app_id"] for message in own} == {app_id} and set(public) == {b"null"}

    with serving(stack, [guard], *services, threads=3) as channel, ThreadPoolExecutor(8) as clients:
        assert all(clients.map(seen, [(app_id, kind) for app_id in tokens for kind in KINDS]))


def test_a_public_call_is_quick_while_others_wait_for_keys(stack, capsys):
    with TestServer(http=True) as server:
        token = server.token()
        guard = GUARDS[stack](server, public=["/shop.Public/"])
        services = orders(stack), orders(stack, "shop.Public")
        with serving(stack, [guard], *services) as channel, ThreadPoolExecutor(4) as clients:
            code(channel, "/shop.Public/unary_unary")
            with server.issuer.hold() as gate:
                waiting = [clients.submit(code, channel, "/shop.Orders/unary_unary", token) for _ in range(4)]
                gate.wait_for(1)
                began = time.perf_counter()
                assert code(channel, "/shop.Public/unary_unary") is OK
                took_s = time.perf_counter() - began
                assert not any(call.done() for call in waiting)
            assert [call.result() for call in waiting] == [OK] * 4
    with capsys.disabled():
        print(f"\n{stack}: a public call took {took_s * 1000:.1f} ms while four others waited for keys")
    assert took_s < 0.5


def test_a_hanging_issuer_makes_a_call_unavailable_for_now(stack):
    with TestServer(http=True, caching=KeyCaching(max_wait=0.2, timeout=0.5)) as server:
        server.issuer.misbehave("all", hang())
        with serving(stack, [GUARDS[stack](server)]) as channel:
            for kind in KINDS:
                outcome = call(channel, kind, metadata=bearer(server.token()))
                assert outcome.code is grpc.StatusCode.UNAVAILABLE
                [pushback] = outcome.values("grpc-retry-pushback-ms")
                assert int(pushback) >= 1000
                assert call(channel, kind).code is UNAUTHENTICATED


def test_calling_as_finds_the_server_of_a_guard(stack, server):
    guard = GUARDS[stack](server, requires=READ)
    with serving(stack, [guard]) as channel:
        for target in (guard, server):
            with calling_as(target, fake_caller("app-mine", scopes=["read"])):
                for kind in KINDS:
                    outcome = call(channel, kind)
                    assert json.loads(outcome.messages[0])["app_id"] == "app-mine"
            with calling_as(target, fake_caller("app-mine")):
                assert {call(channel, kind).code for kind in KINDS} == {DENIED}
        assert call(channel, "unary_unary").code is UNAUTHENTICATED


def test_a_refused_call_does_not_reach_its_handler(stack, server):
    reached = []
    handlers = {
        "sync": {"unary_unary": lambda request, context: reached.append(request)},
        "aio": {"unary_unary": AIO_METHODS["unary_unary"], "stream_unary": lambda requests, context: reached.append(list(requests))},
    }  # fmt: skip
    with serving(stack, [GUARDS[stack](server)], service("shop.Orders", **handlers[stack])) as channel:
        for kind in handlers[stack]:
            assert call(channel, kind, metadata=bearer("no.good.token")).code is UNAUTHENTICATED
    assert reached == []


def test_another_interceptor_sees_a_handler_of_the_same_kind(stack, server):
    """As those of OpenTelemetry and Prometheus do, which come before all others, it wraps what it sees, and keeps its kind."""
    seen = []

    class Counting(grpc.ServerInterceptor):
        def intercept_service(self, continuation, details):
            handler = continuation(details)
            seen.append((details.method.split("/")[-1], handler.request_streaming, handler.response_streaming))
            return handler

    class AioCounting(grpc.aio.ServerInterceptor):
        async def intercept_service(self, continuation, details):
            return (
                Counting().intercept_service(lambda _: handler, details)
                if (handler := await continuation(details))
                else None
            )

    first = {"sync": Counting, "aio": AioCounting}[stack]()
    with serving(stack, [first, GUARDS[stack](server)]) as channel:
        for kind in KINDS:
            assert call(channel, kind, metadata=bearer(server.token())).code is OK
    assert seen == [(kind, kind.startswith("stream"), kind.endswith("stream")) for kind in KINDS]


def test_what_a_handler_says_itself_arrives_as_it_is(stack, server, caplog):
    caplog.set_level(logging.CRITICAL, "grpc")  # a record of the failure would keep the poller of grpc.aio running

    def abort(request, context):
        context.set_trailing_metadata((("own", current_caller().app_id),))
        context.abort(grpc.StatusCode.NOT_FOUND, "own")

    async def aio_abort(request, context):
        await context.abort(grpc.StatusCode.NOT_FOUND, "own", (("own", current_caller().app_id),))

    def fail(request, context):
        raise LookupError("own failure")

    async def aio_fail(request, context):
        raise LookupError("own failure")

    unary, stream = {"sync": (abort, fail), "aio": (aio_abort, aio_fail)}[stack]
    with serving(
        stack, [GUARDS[stack](server)], service("shop.Orders", unary_unary=unary, stream_unary=stream)
    ) as channel:
        aborted = call(channel, "unary_unary", metadata=bearer(server.token()))
        assert aborted[:3] == (grpc.StatusCode.NOT_FOUND, "own", [("own", "app-orders")])
        failed = call(channel, "stream_unary", metadata=bearer(server.token()))
        assert (failed.code, "own failure" in failed.details) == (grpc.StatusCode.UNKNOWN, True)


def test_the_end_of_a_generator_still_has_its_caller(stack, server):
    ends = []

    def stream(request, context):
        try:
            while True:
                yield seen_caller()
        finally:
            ends.append(seen_caller())
            ended.set()

    async def aio_stream(request, context):
        try:
            while True:
                yield seen_caller()
                await asyncio.sleep(0)
        finally:
            ends.append(seen_caller())
            ended.set()

    ended = threading.Event()
    with serving(
        stack, [GUARDS[stack](server)], service("shop.Orders", unary_stream={"sync": stream, "aio": aio_stream}[stack])
    ) as channel:
        responses = channel.unary_stream("/shop.Orders/unary_stream")(b"", metadata=bearer(server.token()), timeout=20)
        first = next(responses)
        responses.cancel()
        assert ended.wait(10)
    assert ends == [first]
    assert json.loads(first)["app_id"] == "app-orders"


def test_one_guard_serves_several_servers(stack, server):
    guard = {"sync": Guard, "aio": AioGuard}[stack](server)
    with serving(stack, [guard]) as one, serving(stack, [guard]) as two:
        for channel in (one, two, one):
            assert call(channel, "stream_stream", metadata=bearer(server.token())).code is OK

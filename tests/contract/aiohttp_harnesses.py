"""The contract's application in aiohttp.web, protected as a whole or handler by handler."""

import asyncio
import contextlib
import http.client
from typing import Any, ClassVar
from urllib.parse import quote

from aiohttp import hdrs, web
from aiohttp.test_utils import TestServer

from m2mguard.aiohttp import CALLER, bearer_auth_middleware, requires
from m2mguard.testing.contract import (
    OWN_FIELDS,
    OWN_REFUSAL,
    STREAM,
    ApplicationFailure,
    ContractRequest,
    ContractResponse,
    Protection,
    shown,
)

ASCII_BUT_SPACE = "".join(map(chr, range(0x21, 0x7F)))
PATHS = ("/caller", "/tenants/{tenant}/caller", "/mounted/caller", "/healthz", "/docs/page")


async def who(request: web.Request) -> web.Response:
    return web.json_response(shown(request.get(CALLER)))


async def stream(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(headers=dict(OWN_FIELDS))
    await answer.prepare(request)
    for chunk in STREAM:
        await answer.write(chunk)
    return answer


async def own_refusal(request: web.Request) -> web.Response:
    status, fields, body = OWN_REFUSAL
    return web.Response(status=status, headers=dict(fields), body=body)


async def send(app: web.Application, request: ContractRequest) -> ContractResponse:
    """Send a request over loopback; aiohttp's own client drops bytes outside UTF-8."""
    server = TestServer(app)
    await server.start_server(max_field_size=200_000)
    try:
        return await asyncio.to_thread(exchange, server.port, request)
    finally:
        await server.close()


def exchange(port: int | None, request: ContractRequest) -> ContractResponse:
    path = request.mounted_at + request.path + (f"?{request.query}" if request.query else "")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest(request.method, quote(path, safe=ASCII_BUT_SPACE), skip_accept_encoding=True)
    fields = [(name, value.encode()) for name, value in request.fields]
    for name, value in (*fields, *(("Authorization", value) for value in request.authorization)):
        connection.putheader(name, value)
    if request.body and not any(name.lower() == "content-length" for name, _ in request.fields):
        connection.putheader("Content-Length", str(len(request.body)))
    connection.endheaders(request.body)
    with contextlib.closing(connection), connection.getresponse() as answer:
        return ContractResponse(status=answer.status, fields=tuple(answer.getheaders()), body=answer.read())


class AiohttpMiddleware:
    """An application behind the middleware, which matches public paths."""

    matches_public_paths: ClassVar[bool] = True

    def tenant(self, request: web.Request) -> str | None:
        return request.match_info.get("tenant")

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        mounted = [
            f"{methods} {request.mounted_at}{path}".strip()
            for methods, _, path in (entry.rpartition(" ") for entry in protection.public)
        ]
        failures: list[ApplicationFailure] = []
        app = web.Application(
            middlewares=[
                recording_failures(failures),
                bearer_auth_middleware(protection.server, requires=protection.requirement, public=mounted),
            ]
        )
        inner = web.Application()
        add_routes(inner, failures)
        if request.mounted_at:
            app.add_subapp(request.mounted_at, inner)
        else:
            add_routes(app, failures)
        return outcome(app, request, failures)


class AiohttpHandlers:
    """The same application with the decorator on each handler except for the public paths."""

    matches_public_paths: ClassVar[bool] = False

    def tenant(self, request: web.Request) -> str | None:
        return request.match_info.get("tenant")

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        requirement: Any = protection.requirement
        guard = requires(
            *requirement.scopes, any_scope=requirement.any_scope, app_ids=requirement.app_ids, organization=requirement.organization,
            issuers=requirement.issuers, max_age=requirement.max_age, acr=requirement.acr, server=protection.server,
        )  # fmt: skip
        failures: list[ApplicationFailure] = []
        inner, app = web.Application(), web.Application(middlewares=[recording_failures(failures)])
        add_routes(inner if request.mounted_at else app, failures, guard)
        if request.mounted_at:
            app.add_subapp(request.mounted_at, inner)
        return outcome(app, request, failures)


def add_routes(app: web.Application, failures: list[ApplicationFailure], guard: Any = lambda handler: handler) -> None:
    async def failure(_request: web.Request) -> web.Response:
        raise ApplicationFailure

    for path in PATHS:
        handler = who if path in ("/healthz", "/docs/page") else guard(who)
        for method in (hdrs.METH_GET, hdrs.METH_HEAD, hdrs.METH_POST, hdrs.METH_OPTIONS):
            app.router.add_route(method, path, handler)
    for path, handler in (("/stream", stream), ("/refusal", own_refusal), ("/failure", failure)):
        app.router.add_get(path, guard(handler))


def recording_failures(failures: list[ApplicationFailure]) -> Any:
    """A middleware that records the application's exception: aiohttp answers it with 500, but the contract expects it."""

    @web.middleware
    async def record(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            return await handler(request)
        except ApplicationFailure as failure:
            failures.append(failure)
            return web.Response(status=500)

    return record


def outcome(app: web.Application, request: ContractRequest, failures: list[ApplicationFailure]) -> ContractResponse:
    answer = asyncio.run(send(app, request))
    if failures:
        raise failures[0]
    return answer

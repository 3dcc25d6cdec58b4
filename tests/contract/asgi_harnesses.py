"""The contract's application in plain ASGI, Starlette, FastAPI and Quart."""

import json
from typing import Annotated, Any, ClassVar

import anyio
import quart
from fastapi import APIRouter, Depends, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse, StreamingResponse
from starlette.responses import Response as StarletteResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from werkzeug.datastructures import Headers

from m2mguard import Caller
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.fastapi import M2MAuth
from m2mguard.testing.contract import (
    OWN_FIELDS,
    OWN_REFUSAL,
    STREAM,
    ContractRequest,
    ContractResponse,
    Protection,
    shown,
)
from tests.contract.application import ALL_METHODS, failure, tenant_of


def send_with(client: Any, request: ContractRequest) -> ContractResponse:
    """Send a request with a client that has the interface of httpx, such as those of Starlette and Litestar."""
    headers = [(name.encode(), value.encode()) for name, value in request.fields]
    answer = client.request(
        request.method,
        url_of(request),
        headers=[*headers, *((b"Authorization", value) for value in request.authorization)],
        content=request.body,
    )
    return ContractResponse(status=answer.status_code, fields=tuple(answer.headers.multi_items()), body=answer.content)


def url_of(request: ContractRequest) -> str:
    return request.mounted_at + request.path + (f"?{request.query}" if request.query else "")


class PlainASGI:
    """An application without a framework, behind the middleware; Starlette's test client drives any ASGI application."""

    matches_public_paths: ClassVar[bool] = True

    def tenant(self, request: Any) -> str | None:
        return tenant_of(request["path"])

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        app = BearerAuthMiddleware(
            self._application, protection.server, requires=protection.requirement, public=protection.public
        )
        return send_with(TestClient(app, root_path=request.mounted_at), request)

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        status: int = 200
        fields: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
        chunks: tuple[bytes, ...] = (self._who(scope),)
        match scope["path"].removeprefix(scope["root_path"]):
            case "/stream":
                fields, chunks = OWN_FIELDS, STREAM
            case "/refusal":
                status, fields, body = OWN_REFUSAL
                chunks = (body,)
            case "/failure":
                failure()
        headers = [(name.encode(), value.encode()) for name, value in fields]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body"})

    def _who(self, scope: Any) -> bytes:
        return json.dumps(shown(scope.get("auth"))).encode()


class StarletteHarness:
    """Starlette, behind the middleware as it is added in Starlette."""

    matches_public_paths: ClassVar[bool] = True

    def tenant(self, request: Any) -> str | None:
        return tenant_of(request["path"])

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        app = Starlette(
            routes=[
                *self._routes("/caller", "/tenants/{tenant}/caller", "/healthz", "/docs/page"),
                Mount("/mounted", routes=self._routes("/caller")),
                Route("/stream", starlette_stream),
                Route("/refusal", starlette_refusal),
                Route("/failure", failure),
            ]
        )
        app.add_middleware(
            BearerAuthMiddleware,
            server=protection.server,
            requires=protection.requirement,
            public=protection.public,
        )
        return send_with(TestClient(app, root_path=request.mounted_at), request)

    def _routes(self, *paths: str) -> list[Route]:
        return [Route(path, lambda request: JSONResponse(_caller_in(request)), methods=ALL_METHODS) for path in paths]


class FastAPIHarness:
    """FastAPI with the dependency on each route."""

    matches_public_paths: ClassVar[bool] = False

    def tenant(self, request: Any) -> str | None:
        return request.path_params.get("tenant")

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        requirement: Any = protection.requirement
        requires = M2MAuth(protection.server).requires(
            scopes=requirement.scopes,
            any_scope=requirement.any_scope,
            app_ids=requirement.app_ids,
            organization=requirement.organization,
            max_age=requirement.max_age,
            acr=requirement.acr,
        )
        who = APIRouter()

        @who.api_route("/caller", methods=ALL_METHODS)
        def caller_route(caller: Annotated[Caller, Depends(requires)]) -> Any:
            return shown(caller)

        app = FastAPI()
        app.include_router(who)
        app.include_router(who, prefix="/tenants/{tenant}")
        app.include_router(who, prefix="/mounted")

        app.get("/stream", dependencies=[Depends(requires)])(starlette_stream)
        app.get("/refusal", dependencies=[Depends(requires)])(starlette_refusal)
        app.get("/failure", dependencies=[Depends(requires)])(lambda: failure())

        @app.get("/healthz")
        @app.get("/docs/page")
        def public(request: StarletteRequest) -> Any:
            return _caller_in(request)

        response = send_with(TestClient(app, root_path=request.mounted_at), request)
        return _unwrapped(response) if response.status in (400, 401, 403, 503) else response


def _unwrapped(response: ContractResponse) -> ContractResponse:
    """The refusal without the `{"detail": ...}` that FastAPI's handler adds."""
    try:
        body = json.dumps(json.loads(response.body)["detail"]).encode()
    except ValueError:  # the application's own refusal, or HEAD
        return response
    return ContractResponse(status=response.status, fields=response.fields, body=body)


class QuartHarness:
    """Quart, with the middleware around its `asgi_app`."""

    matches_public_paths: ClassVar[bool] = True

    def tenant(self, request: Any) -> str | None:
        return tenant_of(request["path"])

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        try:
            return anyio.run(self._send, protection, request)
        except ExceptionGroup as group:  # Quart 0.23 answers in a task group
            raise group.exceptions[0] from None

    async def _send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        app: Any = quart.Quart(__name__)
        app.config["PROPAGATE_EXCEPTIONS"] = True
        mounted = quart.Blueprint("mounted", __name__)

        async def who(tenant: str = "") -> Any:
            if quart.request.method == "HEAD":
                return ""  # in Quart the server drops the body of HEAD; its test client does not
            return quart.jsonify(_caller_in(quart.request))

        for path in ("/caller", "/tenants/<tenant>/caller", "/healthz", "/docs/page"):
            app.add_url_rule(path, view_func=who, methods=ALL_METHODS, endpoint=path.replace("/", " "))
        mounted.add_url_rule("/caller", view_func=who, methods=ALL_METHODS)
        app.register_blueprint(mounted, url_prefix="/mounted")

        @app.route("/stream")
        async def stream() -> Any:
            return _stream(), dict(OWN_FIELDS)

        @app.route("/refusal")
        async def refusal() -> Any:
            status, fields, body = OWN_REFUSAL
            return body, status, dict(fields)

        app.add_url_rule("/failure", view_func=failure)
        app.asgi_app = BearerAuthMiddleware(
            app.asgi_app, protection.server, requires=protection.requirement, public=protection.public
        )
        headers = Headers(request.fields)
        for value in request.authorization:
            headers.add("Authorization", value.decode("latin-1"))
        answer = await app.test_client().open(
            url_of(request),
            method=request.method,
            headers=headers,
            data=request.body,
            root_path=request.mounted_at,
        )
        return ContractResponse(
            status=answer.status_code, fields=tuple(answer.headers), body=await answer.get_data(as_text=False)
        )


def _caller_in(connection: Any) -> Any:
    return shown(connection.scope.get("auth"))


async def starlette_stream(_request: StarletteRequest) -> StarletteResponse:
    return StreamingResponse(_stream(), headers=dict(OWN_FIELDS))


async def starlette_refusal(_request: StarletteRequest) -> StarletteResponse:
    status, fields, body = OWN_REFUSAL
    return StarletteResponse(body, status_code=status, headers=dict(fields))


async def _stream() -> Any:
    for chunk in STREAM:
        yield chunk

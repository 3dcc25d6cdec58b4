"""The contract's application in plain WSGI, and in Flask as a whole app, with decorated views, and with async views."""

import json
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from flask import Blueprint, Flask
from flask import Request as FlaskRequest
from flask import Response as FlaskResponse
from flask import request as current_request
from werkzeug.test import Client, EnvironBuilder
from werkzeug.wrappers import Request as WerkzeugRequest

from m2mguard.flask import M2MGuard, current_caller
from m2mguard.testing.contract import (
    OWN_FIELDS,
    OWN_REFUSAL,
    STREAM,
    ContractRequest,
    ContractResponse,
    Protection,
    shown,
)
from m2mguard.wsgi import BearerAuthMiddleware
from tests.contract.application import ALL_METHODS, failure, tenant_of


def environ_of(request: ContractRequest) -> dict[str, Any]:
    """The environ of a WSGI server: repeated fields are joined, and the path is decoded.

    Pass it to Werkzeug's client inside a Request: the client parses and rebuilds a plain dict.
    """
    builder = EnvironBuilder(
        path=request.path,
        base_url=f"http://localhost{request.mounted_at}",
        query_string=request.query,
        method=request.method,
        headers=list(request.fields),
        data=request.body,
    )
    environ = builder.get_environ()
    if request.authorization:
        environ["HTTP_AUTHORIZATION"] = b",".join(request.authorization).decode("latin-1")
    return environ


class PlainWSGI:
    """An application without a framework, behind the middleware; Werkzeug's test client drives any WSGI application."""

    matches_public_paths: ClassVar[bool] = True

    def tenant(self, request: Any) -> str | None:
        return tenant_of(request["PATH_INFO"])

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        app = BearerAuthMiddleware(
            self._application, protection.server, requires=protection.requirement, public=protection.public
        )
        answer = Client(app).open(WerkzeugRequest(environ_of(request)))
        return ContractResponse(status=answer.status_code, fields=tuple(answer.headers), body=answer.data)

    def _application(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        status = 200
        fields: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)
        chunks: Iterable[bytes] = [json.dumps(shown(environ.get("m2mguard.caller"))).encode()]
        match environ["PATH_INFO"]:
            case "/stream":
                fields, chunks = OWN_FIELDS, iter(STREAM)
            case "/refusal":
                status, fields, body = OWN_REFUSAL
                chunks = [body]
            case "/failure":
                failure()
        start_response(f"{status} Own", list(fields))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else chunks


class FlaskApp:
    """Flask with the whole app protected."""

    matches_public_paths: ClassVar[bool] = True

    def tenant(self, request: FlaskRequest) -> str | None:
        return (request.view_args or {}).get("tenant")

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        app = Flask(__name__)
        app.testing = True
        guard = M2MGuard(app, protection.server)
        view = self._protect(guard, app, protection)
        mounted = Blueprint("mounted", __name__)
        for path in ("/caller", "/tenants/<tenant>/caller"):
            app.add_url_rule(path, path, view(who), methods=ALL_METHODS)
        mounted.add_url_rule("/caller", "mounted", view(who), methods=ALL_METHODS)
        app.register_blueprint(mounted, url_prefix="/mounted")
        for path in ("/healthz", "/docs/page"):
            app.add_url_rule(path, path, anonymous)
        for own in (stream, refusal, failure):
            app.add_url_rule(f"/{own.__name__}", own.__name__, view(own))
        answer = app.test_client().open(WerkzeugRequest(environ_of(request)))
        return ContractResponse(status=answer.status_code, fields=tuple(answer.headers), body=answer.data)

    def _protect(self, guard: M2MGuard, app: Flask, protection: Protection) -> Callable[[Any], Any]:
        """Protect the app; returns the decorator for each view."""
        guard.protect(app, *protection.requirement.scopes, **_others(protection), public=protection.public)
        return lambda view: view


class FlaskViews(FlaskApp):
    """Flask with each view decorated."""

    matches_public_paths: ClassVar[bool] = False

    def _protect(self, guard: M2MGuard, app: Flask, protection: Protection) -> Callable[[Any], Any]:
        return guard.requires(*protection.requirement.scopes, **_others(protection))


class FlaskAsyncViews(FlaskViews):
    """Flask with each view asynchronous and decorated."""

    def _protect(self, guard: M2MGuard, app: Flask, protection: Protection) -> Callable[[Any], Any]:
        decorate: Callable[[Any], Any] = super()._protect(guard, app, protection)

        def protected(view: Any) -> Any:
            async def view_async(**route: str) -> Any:
                return view(**route)

            return decorate(view_async)

        return protected


def _others(protection: Protection) -> dict[str, Any]:
    requirement = protection.requirement
    return {
        "any_scope": requirement.any_scope,
        "app_ids": requirement.app_ids,
        "organization": requirement.organization,
        "max_age": requirement.max_age,
        "acr": requirement.acr,
    }


def who(tenant: str = "") -> Any:
    return shown(current_caller)


def anonymous() -> Any:
    return FlaskResponse(json.dumps(shown(current_request.environ.get("m2mguard.caller"))), mimetype="application/json")


def stream() -> Any:
    return iter(STREAM), dict(OWN_FIELDS)


def refusal() -> Any:
    status, fields, body = OWN_REFUSAL
    return body, status, dict(fields)

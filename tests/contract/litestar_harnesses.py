"""The contract's application in Litestar: wrapped in the middleware, with the plugin, and with guards."""

from collections.abc import Sequence
from typing import Any, ClassVar

import litestar
import litestar.response
import litestar.testing
from litestar.enums import HttpMethod
from litestar.plugins import InitPlugin

from m2mguard import Requirement
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.litestar import M2MGuardPlugin, requires
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
from tests.contract.application import ALL_METHODS, failure, tenant_of
from tests.contract.asgi_harnesses import send_with

# Litestar's router answers 404 for a path without a route before any middleware, so there is a route for each of them.
ANY_OTHER = [
    "/", "/{first:str}", "/{first:str}/{rest:path}", "/docs", "/docs/{rest:path}", "/healthz/{rest:path}", "/mounted/{rest:path}",
]  # fmt: skip
PROTECTED = ["/caller", "/tenants/{tenant:str}/caller", "/mounted/caller"]


def application(guards: Sequence[Any] = (), plugins: Sequence[InitPlugin] = ()) -> litestar.Litestar:
    methods = [HttpMethod(method) for method in ALL_METHODS]

    async def who(request: litestar.Request[Any, Any, Any]) -> litestar.Response[Any]:
        body = None if request.method == "HEAD" else shown(request.scope.get("auth"))
        return litestar.Response(body)

    @litestar.get("/stream", guards=guards)
    async def stream() -> litestar.response.Stream:
        return litestar.response.Stream(iter(STREAM), headers=dict(OWN_FIELDS), media_type="text/x-own")

    @litestar.get("/refusal", guards=guards)
    async def refusal() -> litestar.Response[bytes]:
        status, fields, body = OWN_REFUSAL
        return litestar.Response(body, status_code=status, headers=dict(fields), media_type="text/x-own")

    @litestar.get("/failure", guards=guards)
    async def fail() -> None:
        failure()

    def raise_again(_: Any, error: ApplicationFailure) -> Any:
        raise error

    return litestar.Litestar(
        [
            litestar.route(PROTECTED, http_method=methods, status_code=200, guards=guards)(who),
            litestar.route(["/healthz", "/docs/page"], http_method=methods, status_code=200)(who),
            litestar.route(ANY_OTHER, http_method=methods, status_code=200)(who),
            stream, refusal, fail,
        ],
        exception_handlers={ApplicationFailure: raise_again},
        logging_config=None,  # by default it configures the logging of the whole process
        openapi_config=None,
        plugins=plugins,
    )  # fmt: skip


def sent(app: Any, request: ContractRequest) -> ContractResponse:
    with litestar.testing.TestClient(app, root_path=request.mounted_at) as client:
        return send_with(client, request)


class LitestarHarness:
    """Litestar, wrapped in the middleware."""

    matches_public_paths: ClassVar[bool] = True

    def tenant(self, request: Any) -> str | None:
        return tenant_of(request["path"])

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        app = BearerAuthMiddleware(
            application(), protection.server, requires=protection.requirement, public=protection.public
        )
        return sent(app, request)


class LitestarPlugin:
    """Litestar with the plugin, which asks for everything."""

    matches_public_paths: ClassVar[bool] = True

    def tenant(self, request: Any) -> str | None:
        return request.path_params.get("tenant")

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        plugin = M2MGuardPlugin(protection.server, requires=protection.requirement, public=protection.public)
        return sent(application(plugins=[plugin]), request)


class LitestarGuards:
    """Litestar with the plugin, which asks for a token, and a guard on each handler, which asks for the rest."""

    matches_public_paths: ClassVar[bool] = False

    def tenant(self, request: Any) -> str | None:
        return request.path_params.get("tenant")

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        requirement: Any = protection.requirement
        guard = requires(
            *requirement.scopes, any_scope=requirement.any_scope, app_ids=requirement.app_ids,
            organization=requirement.organization, issuers=requirement.issuers, max_age=requirement.max_age, acr=requirement.acr,
        )  # fmt: skip
        plugin = M2MGuardPlugin(
            protection.server, requires=Requirement(organization="*"), public=["/healthz", "/docs/"]
        )
        return sent(application(guards=[guard], plugins=[plugin]), request)

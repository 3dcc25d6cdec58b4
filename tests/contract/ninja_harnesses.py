"""The contract's application in Django Ninja: sync operations under WSGI, async ones under ASGI, and sync ones under ASGI."""

import types
from collections.abc import Callable
from typing import Any, ClassVar

from django.urls import path
from ninja import NinjaAPI, Router

from m2mguard.ninja import M2MAuth
from m2mguard.testing.contract import Protection
from tests.contract.application import ALL_METHODS, failure
from tests.contract.django_harnesses import DjangoAsyncViews, DjangoViews, refusal, stream, who


class NinjaOperations(DjangoViews):
    """Sync operations. The class is set on the API, and replaced by None for public paths."""

    made: ClassVar[Callable[[Any], Any]] = staticmethod(lambda view: view)

    def _decorator(self, protection: Protection) -> Callable[[Any], Any]:
        requirement: Any = protection.requirement
        auth = M2MAuth(
            protection.server, *requirement.scopes, any_scope=requirement.any_scope, app_ids=requirement.app_ids,
            organization=requirement.organization, issuers=requirement.issuers, max_age=requirement.max_age, acr=requirement.acr,
        )  # fmt: skip
        return lambda _: auth

    def _urls(self, protected: Callable[[Any], Any]) -> Any:
        api, mounted = NinjaAPI(auth=protected(None), openapi_url=None), Router()

        def of_tenant(request: Any, tenant: str) -> Any:
            return who(request)

        def caller(request: Any) -> Any:
            return who(request)

        routers: tuple[tuple[Any, str, Any], ...] = (
            (api, "/caller", caller), (api, "/tenants/{tenant}/caller", of_tenant), (mounted, "/caller", caller),
            (api, "/stream", stream), (api, "/refusal", refusal), (api, "/failure", failure),
        )  # fmt: skip
        for router, route, view in routers:
            router.api_operation(ALL_METHODS, route)(type(self).made(view))
        for route in ("/healthz", "/docs/page"):
            api.api_operation(ALL_METHODS, route, auth=None)(type(self).made(caller))
        api.add_router("/mounted", mounted)
        urls: Any = types.ModuleType("urls")
        urls.urlpatterns = [path("", api.urls)]
        return urls


class NinjaOperationsUnderASGI(NinjaOperations):
    """Sync operations under ASGI, where Django runs them on a thread."""

    _answer = DjangoAsyncViews._answer
    _answer_async = DjangoAsyncViews._answer_async


def made_async(view: Any) -> Any:
    if "tenant" in view.__annotations__:

        async def of_tenant(request: Any, tenant: str) -> Any:
            return view(request, tenant)

        return of_tenant

    async def operation(request: Any) -> Any:
        return view(request)

    return operation


class NinjaAsyncOperations(NinjaOperationsUnderASGI):
    """Async operations under ASGI."""

    made: ClassVar[Callable[[Any], Any]] = staticmethod(made_async)

"""The contract's application in Django: sync and async views, the middleware under both, and Django REST framework."""

import types
from collections.abc import Callable
from typing import Any, ClassVar

import anyio
from asgiref.sync import iscoroutinefunction
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.test.client import FakePayload
from django.urls import include, path
from rest_framework.views import APIView

from m2mguard.django import requires
from m2mguard.drf import HasScopes, M2MAuthentication
from m2mguard.testing.contract import (
    OWN_FIELDS,
    OWN_REFUSAL,
    STREAM,
    ContractRequest,
    ContractResponse,
    Protection,
    shown,
)
from tests.contract.application import failure, tenant_of
from tests.contract.wsgi_harnesses import environ_of


class DjangoViews:
    """Django with each view decorated."""

    matches_public_paths: ClassVar[bool] = False
    middleware: ClassVar[list[str]] = []

    def tenant(self, request: Any) -> str | None:
        return request.resolver_match.kwargs.get("tenant")

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        setting = self._setting(protection) | {"SERVER": protection.server}
        urls = self._urls(self._decorator(protection))
        with override_settings(M2MGUARD=setting, MIDDLEWARE=self.middleware, ROOT_URLCONF=urls):
            answer = self._answer(request)
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        return ContractResponse(status=answer.status_code, fields=tuple(answer.headers.items()), body=body)

    def _answer(self, request: ContractRequest) -> Any:
        return Client().request(**environ_of(request))

    def _setting(self, protection: Protection) -> dict[str, Any]:
        return {}

    def _decorator(self, protection: Protection) -> Callable[[Any], Any]:
        """The decorator for each view."""
        return requires(*protection.requirement.scopes, **_others(protection))

    def _urls(self, protected: Callable[[Any], Any]) -> Any:
        urls: Any = types.ModuleType("urls")
        mounted = ([path("caller", protected(who))], "mounted")
        urls.urlpatterns = [
            path("caller", protected(who)),
            path("tenants/<tenant>/caller", protected(who)),
            path("mounted/", include(mounted)),
            path("healthz", who),
            path("docs/page", who),
            *(path(own.__name__, protected(own)) for own in (stream, refusal, failure)),
        ]
        return urls


class DjangoAsyncViews(DjangoViews):
    """Django under ASGI with each view asynchronous and decorated."""

    def _answer(self, request: ContractRequest) -> Any:
        return anyio.run(self._answer_async, request)

    async def _answer_async(self, request: ContractRequest) -> Any:
        sent = environ_of(request)
        headers = [(name.lower().encode(), value.encode()) for name, value in request.fields]
        headers += [(b"authorization", value) for value in request.authorization]
        return await AsyncClient().request(
            method=request.method,
            path=request.mounted_at + sent["PATH_INFO"].encode("latin-1").decode(errors="replace"),  # as servers do
            raw_path=(request.mounted_at + request.path).encode(),
            root_path=request.mounted_at,
            query_string=request.query.encode(),
            headers=headers,
            _body_file=FakePayload(request.body),
        )

    def _decorator(self, protection: Protection) -> Callable[[Any], Any]:
        decorate = super()._decorator(protection)

        def protected(view: Any) -> Any:
            decorated = decorate(made_async(view))
            assert iscoroutinefunction(decorated)
            return decorated

        return protected


class DjangoMiddleware(DjangoViews):
    """Django behind the middleware."""

    matches_public_paths: ClassVar[bool] = True
    middleware: ClassVar[list[str]] = ["m2mguard.django.M2MGuardMiddleware"]

    def tenant(self, request: Any) -> str | None:
        return tenant_of(request.path_info)

    def _setting(self, protection: Protection) -> dict[str, Any]:
        return {"PUBLIC": protection.public, "REQUIRES": protection.requirement}

    def _decorator(self, protection: Protection) -> Callable[[Any], Any]:
        return lambda view: view


class DjangoAsyncMiddleware(DjangoMiddleware):
    """Django under ASGI behind the middleware, with asynchronous views."""

    _answer = DjangoAsyncViews._answer
    _answer_async = DjangoAsyncViews._answer_async

    def _decorator(self, protection: Protection) -> Callable[[Any], Any]:
        return made_async


class DRFViews(DjangoViews):
    """Django REST framework with the authentication class and the permission on each view."""

    def tenant(self, request: Any) -> str | None:
        return request.parser_context["kwargs"].get("tenant")

    def _decorator(self, protection: Protection) -> Callable[[Any], Any]:
        permission = HasScopes(*protection.requirement.scopes, **_others(protection))

        def protected(view: Any) -> Any:
            class View(APIView):
                authentication_classes = (M2MAuthentication,)
                permission_classes = (permission,)

                def get(self, request: Any, **route: str) -> Any:
                    return view(request, **route)

                post = options = get

            return View.as_view()

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


def made_async(view: Any) -> Any:
    async def view_async(request: Any, **route: str) -> Any:
        return view(request, **route)

    return view_async


def who(request: Any, tenant: str = "") -> Any:
    return JsonResponse(shown(getattr(request, "auth", None)), safe=False)


def stream(request: Any) -> Any:
    return StreamingHttpResponse(iter(STREAM), headers=dict(OWN_FIELDS))


def refusal(request: Any) -> Any:
    status, fields, body = OWN_REFUSAL
    return HttpResponse(body, status=status, headers=dict(fields))

"""What an editor must know in a Django REST framework API. Checked by mypy and pyright in their strict modes; never run."""

from typing import Any, assert_type

from rest_framework.permissions import BasePermission, IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from m2mguard import Caller, ResourceServer
from m2mguard.drf import HasScopes, M2MAuthentication, Machine, RefusedRequest
from m2mguard.errors import AnswerableError


def of_route(request: Request) -> str | None:
    return None


class OfStock(M2MAuthentication):
    server = ResourceServer("https://issuer.example", audience="https://stock.api")


class Orders(APIView):
    authentication_classes = [M2MAuthentication, OfStock]
    permission_classes = [
        HasScopes("read:orders", organization=of_route),
        HasScopes("a") | ~HasScopes("b") & IsAdminUser,
    ]
    required_scopes = ["c"]

    def get(self, request: Request, *_: Any) -> Response:
        return Response()


def refused(error: RefusedRequest, machine: Machine) -> None:
    assert_type(error.refusal, AnswerableError)
    assert_type(error.status_code, int)
    assert_type(machine.caller, Caller)
    assert_type(machine.pk, str)


assert_type(HasScopes("read:orders", any_scope=["a"], app_ids=["app-orders"]), type[BasePermission])
assert_type(HasScopes(max_age=300, acr="mfa"), type[BasePermission])
HasScopes(1)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

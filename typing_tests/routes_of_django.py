"""What an editor must know in a Django site. Checked by mypy and pyright in their strict modes; never run."""

from typing import assert_type

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View

from m2mguard import Caller, ResourceServer
from m2mguard.django import MachineRequest, requires, resource_server


def of_route(request: HttpRequest) -> str | None:
    return request.resolver_match.kwargs["organization"] if request.resolver_match else None


@requires("read:orders", any_scope=["a", "b"], app_ids=["app-orders"], organization=of_route)
def order(request: MachineRequest, number: int) -> JsonResponse:
    assert_type(request.auth, Caller)
    return JsonResponse({"app_id": request.auth.app_id})


@requires("read:orders")
async def stock(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


async def awaited() -> None:
    assert_type(await stock(HttpRequest()), HttpResponse)


@method_decorator(requires("read:orders"), name="dispatch")
class Orders(View):
    def get(self, request: MachineRequest) -> HttpResponse:
        return HttpResponse(request.auth.app_id)


assert_type(order(MachineRequest(), 1), JsonResponse)
assert_type(order(MachineRequest(), number=1), JsonResponse)
assert_type(resource_server(), ResourceServer)
order(MachineRequest(), "one")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
urlpatterns = [path("orders/<int:number>/", order), path("stock/", stock), path("orders/", Orders.as_view())]

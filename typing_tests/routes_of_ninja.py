"""What an editor must know in a Django Ninja API. Checked by mypy and pyright in their strict modes; never run."""

from typing import assert_type

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI, Router

from m2mguard import Answer, Caller, Issuer, ResourceServer
from m2mguard.django import MachineRequest
from m2mguard.errors import AnswerableError
from m2mguard.ninja import M2MAuth, RefusedRequest

issuer = Issuer.logto("https://tenant.logto.app")
server = ResourceServer(issuer, audience="https://shopping.api")


def of_route(request: HttpRequest) -> str | None:
    return request.resolver_match.kwargs["tenant"] if request.resolver_match else None


api = NinjaAPI(auth=M2MAuth(server, "read:orders", "read:stock"))
router = Router(
    auth=[M2MAuth(server, any_scope=["a"], app_ids={"app-orders"}, organization=of_route, issuers=[issuer])]
)


@api.post("/orders", auth=M2MAuth(server, "write:orders", organization="*"))
def orders(request: MachineRequest) -> str:
    return assert_type(request.auth, Caller).app_id


def refused(request: HttpRequest, error: RefusedRequest) -> HttpResponse:
    assert_type(error.refusal, AnswerableError)
    assert_type(error.answer, Answer)
    assert_type(error.status_code, int)
    return HttpResponse()


M2MAuth("read:orders")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

"""The cases of the contract that are about tokens, with both guards of gRPC and all four kinds of call.

What the table says of HTTP is read as gRPC: the status as a code, the body's sentence as details, fields as trailing metadata. Cases
about methods, paths and bodies of HTTP are left out, and fields that gRPC's client refuses to send.
"""

import dataclasses
import json
import re
from contextlib import nullcontext
from typing import Any

import grpc
import pytest

from m2mguard.testing import calling_as
from m2mguard.testing.contract import CASES, Case, ContractRequest
from tests.grpc_servers import (
    AIO_METHODS,
    GUARDS,
    KINDS,
    SYNC_METHODS,
    WRITING_METHODS,
    Outcome,
    call,
    service,
    serving,
)

CODES = {
    400: grpc.StatusCode.UNAUTHENTICATED,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    503: grpc.StatusCode.UNAVAILABLE,
}
DETAILS = {
    "unauthorized": "A bearer token is required",
    "invalid_request": "The request must carry exactly one well-formed bearer token",
    "invalid_token": "The access token is expired, malformed, or invalid for other reasons",
    "insufficient_user_authentication": "The person must sign in again to access this resource",
    "insufficient_scope": "The access token does not grant access to this resource",
    "temporarily_unavailable": "The access token cannot be checked at the moment",
}
SERVERS = {
    "sync": ("sync", SYNC_METHODS),
    "aio": ("aio", AIO_METHODS),
    "aio writing": ("aio", WRITING_METHODS),  # coroutines that write their responses
    "aio plain": ("aio", SYNC_METHODS),  # functions that grpc.aio runs on its pool
}
NOT_SENT = {
    "a TAB may not",
    "bytes outside ASCII in the token are 400",
    "bytes outside ASCII in the scheme are 401",
}
TENANT = re.compile(r"/tenants/([^/]+)/caller")


def concerns_grpc(case: Case) -> bool:
    """Whether a case says nothing of HTTP but the Authorization field and the answer."""
    request = case.request
    path_is_plain = request.path in ("/caller", "/healthz") or (
        case.organization_from_route and TENANT.fullmatch(request.path)
    )
    rest_is_plain = dataclasses.replace(request, path="/caller") == ContractRequest()
    return bool(path_is_plain and rest_is_plain and hasattr(case.expected, "reasons"))


def tenant(details: Any) -> str | None:
    return dict(details.invocation_metadata).get("tenant")


def hold(case: Case, outcome: Outcome, kind: str) -> None:
    """Hold an outcome to the table."""
    expected: Any = case.expected
    if not hasattr(expected, "status"):
        caller = {
            "app_id": expected.app_id,
            "scopes": list(expected.scopes),
            "organization_id": expected.organization_id,
        }
        assert (outcome.code, outcome.trailing) == (grpc.StatusCode.OK, [])
        number = {"unary_stream": 3, "stream_stream": 2}.get(kind, 1)
        assert [json.loads(message) for message in outcome.messages] == [
            None if expected.app_id is None else caller
        ] * number
        return
    assert (outcome.code, outcome.details) == (CODES[expected.status], DETAILS[expected.error])
    if expected.status == 503:
        [(name, value)] = outcome.trailing
        assert name == "grpc-retry-pushback-ms"
        assert re.fullmatch(r"[1-9]\d*", value)
        return
    code = (
        ""
        if expected.error == "unauthorized"
        else f', error="{expected.error}", error_description="{DETAILS[expected.error]}"'
    )
    sign_in = f", {expected.sign_in}" if expected.sign_in else ""
    scope = f', scope="{expected.scope}"' if expected.scope else ""
    assert outcome.trailing == [("www-authenticate", f'Bearer realm="api"{code}{sign_in}{scope}')]
    assert "canary" not in repr(outcome)


CHOSEN = [case for case in CASES if concerns_grpc(case) and case.name not in NOT_SENT]


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
@pytest.mark.parametrize("on", SERVERS)
def test_the_guard_fulfils_the_contract_for_every_kind_of_call(on, case, environment):
    stack, methods = SERVERS[on]
    server = case.server(environment)
    values = case.credentials(environment.absent_issuer if case.issuer_is_down else environment.issuer)
    requirement, metadata = case.requirement, [("authorization", value.decode()) for value in values]
    if case.organization_from_route:
        requirement = dataclasses.replace(requirement, organization=tenant)
        metadata.append(("tenant", TENANT.fullmatch(case.request.path)[1]))
    guard = GUARDS[stack](server, requires=requirement, public=["/shop.Public/"])
    name = "shop.Public" if case.request.path == "/healthz" else "shop.Orders"
    environment.take_refusals()
    with (
        nullcontext() if case.caller is None else calling_as(server, case.caller),
        serving(stack, [guard], service(name, **methods)) as channel,
    ):
        for kind in methods:
            hold(case, call(channel, kind, method=f"/{name}/{kind}", metadata=metadata), kind)
            told = environment.take_refusals()
            assert [(one.method, one.path) for one in told] == [("POST", f"/{name}/{kind}")] * min(
                1, len(case.expected.reasons)
            )
            assert all(one.reason in case.expected.reasons for one in told)


def test_most_cases_of_the_contract_concern_grpc():
    assert len(CHOSEN) > 75
    assert {case.expected.status for case in CHOSEN if hasattr(case.expected, "status")} == set(CODES)
    assert set(KINDS) == set(SYNC_METHODS) == set(AIO_METHODS)

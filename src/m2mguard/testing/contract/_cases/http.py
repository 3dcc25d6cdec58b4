"""Methods, mount points, and the application's own answers."""

from __future__ import annotations

from typing import Final

from m2mguard._server.requirement import Requirement
from m2mguard.testing.contract._case import Case
from m2mguard.testing.contract._credentials import bearer
from m2mguard.testing.contract._expectations import MISSING, UNAVAILABLE, SeenByRoute, Untouched, insufficient
from m2mguard.testing.contract._messages import OWN_FIELDS, OWN_REFUSAL, STREAM, ApplicationFailure, ContractRequest

_ORDERS: Final = Requirement(scopes=["read:orders"])
_HEAD: Final = ContractRequest(method="HEAD")
_POST: Final = ContractRequest(method="POST")
_OPTIONS: Final = ContractRequest(method="OPTIONS")
_PREFLIGHT: Final = ContractRequest(
    method="OPTIONS", fields=(("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET"))
)


HTTP_CASES: Final = (
    Case(name="a refused HEAD has no body", request=_HEAD, expected=MISSING),
    Case(
        name="a HEAD that lacks a scope has the challenge and no body",
        request=_HEAD,
        credentials=bearer(scopes=[]),
        requirement=_ORDERS,
        expected=insufficient("scope", "read:orders"),
    ),
    Case(
        name="a HEAD during an outage has no body",
        request=_HEAD,
        credentials=bearer(),
        issuer_is_down=True,
        expected=UNAVAILABLE,
    ),
    Case(name="HEAD passes with a token", request=_HEAD, credentials=bearer(), expected=SeenByRoute()),
    Case(name="POST needs a token", request=_POST, expected=MISSING),
    Case(name="POST passes with a token", request=_POST, credentials=bearer(), expected=SeenByRoute()),
    Case(name="OPTIONS needs a token", request=_OPTIONS, expected=MISSING),
    Case(name="OPTIONS passes with a token", request=_OPTIONS, credentials=bearer(), expected=SeenByRoute()),
    Case(name="a CORS preflight needs a token", request=_PREFLIGHT, expected=MISSING),
    Case(name="a mounted part needs a token", request=ContractRequest(path="/mounted/caller"), expected=MISSING),
    Case(
        name="a mounted part passes with a token",
        request=ContractRequest(path="/mounted/caller"),
        credentials=bearer(),
        expected=SeenByRoute(),
    ),
    Case(name="below a mount point a token is needed", request=ContractRequest(mounted_at="/api"), expected=MISSING),
    Case(
        name="below a mount point a token passes",
        request=ContractRequest(mounted_at="/api"),
        credentials=bearer(),
        expected=SeenByRoute(),
    ),
    Case(
        name="a streamed answer arrives as it was given",
        request=ContractRequest(path="/stream"),
        credentials=bearer(),
        expected=Untouched(fields=OWN_FIELDS, body=b"".join(STREAM)),
    ),
    Case(name="a stream needs a token", request=ContractRequest(path="/stream"), expected=MISSING),
    Case(
        name="the application's own refusal arrives as it was given",
        request=ContractRequest(path="/refusal"),
        credentials=bearer(),
        expected=Untouched(status=OWN_REFUSAL[0], fields=OWN_REFUSAL[1], body=OWN_REFUSAL[2]),
    ),
    Case(
        name="the application's own exception passes as it was raised",
        request=ContractRequest(path="/failure"),
        credentials=bearer(),
        expected=ApplicationFailure,
    ),
    Case(name="without a token the application does not get to raise it", request=ContractRequest(path="/failure"), expected=MISSING),
)  # fmt: skip

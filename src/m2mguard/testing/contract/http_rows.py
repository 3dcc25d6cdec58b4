"""Methods, mount points, and the application's own answers."""

from __future__ import annotations

from typing import Final

from m2mguard.access import Requirement
from m2mguard.testing.contract.credentials import bearer
from m2mguard.testing.contract.exchange import OWN_FIELDS, OWN_REFUSAL, STREAM, ApplicationFailure, Request
from m2mguard.testing.contract.expectations import MISSING, UNAVAILABLE, Seen, Untouched, insufficient
from m2mguard.testing.contract.rows import Row

_ORDERS: Final = Requirement(scopes=["read:orders"])
_HEAD: Final = Request(method="HEAD")
_POST: Final = Request(method="POST")
_OPTIONS: Final = Request(method="OPTIONS")
_PREFLIGHT: Final = Request(
    method="OPTIONS", fields=(("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET"))
)


HTTP_ROWS: Final = (
    Row(name="a refused HEAD has no body", request=_HEAD, expected=MISSING),
    Row(
        name="a HEAD that lacks a scope has the challenge and no body",
        request=_HEAD,
        credentials=bearer(scopes=[]),
        requirement=_ORDERS,
        expected=insufficient("scope", "read:orders"),
    ),
    Row(
        name="a HEAD during an outage has no body",
        request=_HEAD,
        credentials=bearer(),
        issuer_is_down=True,
        expected=UNAVAILABLE,
    ),
    Row(name="HEAD passes with a token", request=_HEAD, credentials=bearer(), expected=Seen()),
    Row(name="POST needs a token", request=_POST, expected=MISSING),
    Row(name="POST passes with a token", request=_POST, credentials=bearer(), expected=Seen()),
    Row(name="OPTIONS needs a token", request=_OPTIONS, expected=MISSING),
    Row(name="OPTIONS passes with a token", request=_OPTIONS, credentials=bearer(), expected=Seen()),
    Row(name="a CORS preflight needs a token", request=_PREFLIGHT, expected=MISSING),
    Row(name="a mounted part needs a token", request=Request(path="/mounted/caller"), expected=MISSING),
    Row(
        name="a mounted part passes with a token",
        request=Request(path="/mounted/caller"),
        credentials=bearer(),
        expected=Seen(),
    ),
    Row(name="below a mount point a token is needed", request=Request(mounted_at="/api"), expected=MISSING),
    Row(
        name="below a mount point a token passes",
        request=Request(mounted_at="/api"),
        credentials=bearer(),
        expected=Seen(),
    ),
    Row(
        name="a streamed answer arrives as it was given",
        request=Request(path="/stream"),
        credentials=bearer(),
        expected=Untouched(fields=OWN_FIELDS, body=b"".join(STREAM)),
    ),
    Row(name="a stream needs a token", request=Request(path="/stream"), expected=MISSING),
    Row(
        name="the application's own refusal arrives as it was given",
        request=Request(path="/refusal"),
        credentials=bearer(),
        expected=Untouched(status=OWN_REFUSAL[0], fields=OWN_REFUSAL[1], body=OWN_REFUSAL[2]),
    ),
    Row(
        name="the application's own exception passes as it was raised",
        request=Request(path="/failure"),
        credentials=bearer(),
        expected=ApplicationFailure,
    ),
    Row(name="without a token the application does not get to raise it", request=Request(path="/failure"), expected=MISSING),
)  # fmt: skip

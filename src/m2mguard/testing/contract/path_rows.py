"""Which requests are public: by path, and by method where an entry names some."""

from __future__ import annotations

from typing import Final

from m2mguard.access import Requirement
from m2mguard.testing.contract.credentials import bearer, fields
from m2mguard.testing.contract.exchange import Request
from m2mguard.testing.contract.expectations import ANONYMOUS, MISSING, Expectation, Passed
from m2mguard.testing.contract.rows import Row

_HEALTHZ: Final = Request(path="/healthz")
_ORDERS: Final = Requirement(scopes=["read:orders"])

_NOT_PUBLIC: Final = (
    "/", "/healthz/", "/healthz/page", "/healthzz", "/HEALTHZ", "/healthz;a", "/healthz%0a", "/docs", "/docs/", "/docs-internal",
    "/docs//page", "/docs/%2e%2e/caller", "/docs/%5ccaller", "/docs/%2fcaller", "/docs/%252e%252e/caller",
    "/docs/%20", "/docs/page%20", "/docs/page%2e", "/docs/%C3%B6%2f..%2fcaller", "/docs/%EF%BC%8E%EF%BC%8E/caller", "/docs/%FF",
    "/x/docs/page", "/mounted/healthz",
)  # fmt: skip
_BELOW: Final = (
    "/docs/a%20page",
    "/docs/a%2C%20b%20(1).pdf",
    "/docs/%C3%B6ffnungszeiten",
    "/docs/fac%cc%a7ade",
    "/docs/a/b.c",
)


def _of_methods(name: str, request: Request, expected: Expectation) -> Row:
    public = ("GET /healthz", "POST,GET /docs/")
    return Row(
        name=name, request=request, expected=expected, public=public, requirement=_ORDERS, about_public_paths=True
    )


PATH_ROWS: Final = (
    Row(name="a public path needs no token", request=_HEALTHZ, expected=ANONYMOUS),
    Row(name="a public prefix needs no token", request=Request(path="/docs/page"), expected=ANONYMOUS),
    Row(
        name="a public path does not look at a bad token",
        request=_HEALTHZ,
        credentials=fields(b"Bearer canary"),
        expected=ANONYMOUS,
    ),
    Row(
        name="a public path has no Caller for a good token either",
        request=_HEALTHZ,
        credentials=bearer(),
        expected=ANONYMOUS,
    ),
    *(
        Row(name=f"not public: {path}", request=Request(path=path), about_public_paths=True, expected=MISSING)
        for path in _NOT_PUBLIC
    ),
    *(
        Row(name=f"public: {path}", request=Request(path=path), about_public_paths=True, expected=Passed())
        for path in _BELOW
    ),
    Row(
        name="a prefix is public itself where the path without its slash is",
        request=Request(path="/docs/"),
        public=("/docs", "/docs/"),
        requirement=_ORDERS,
        about_public_paths=True,
        expected=Passed(),
    ),
    _of_methods("an entry opens the method that it names", _HEALTHZ, ANONYMOUS),
    _of_methods("HEAD follows GET", Request(method="HEAD", path="/healthz"), ANONYMOUS),
    _of_methods("an entry opens each method that it names", Request(path="/docs/page"), ANONYMOUS),
    _of_methods("an entry opens no other method", Request(method="POST", path="/healthz"), MISSING),
    _of_methods("nor OPTIONS, which none has named", Request(method="OPTIONS", path="/docs/page"), MISSING),
    *(
        _of_methods(
            f"nor what may run as another method: {name}",
            Request(path="/healthz", fields=((name, "POST"),)),
            MISSING,
        )
        for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
    ),
    _of_methods("nor what names another in its query", Request(path="/healthz", query="a=1&_method=POST"), MISSING),
    Row(
        name="a query or a forwarded path makes nothing public",
        request=Request(query="/healthz", fields=(("X-Forwarded-Uri", "/healthz"), ("X-Original-URL", "/healthz"))),
        expected=MISSING,
    ),
    Row(
        name="public paths lie below the mount point",
        request=Request(path="/healthz", mounted_at="/api"),
        expected=ANONYMOUS,
    ),
    Row(
        name="a mount point is not a public path",
        request=Request(mounted_at="/docs"),
        expected=MISSING,
    ),
)

"""Which requests are public: by path, and by method where an entry names some."""

from __future__ import annotations

from typing import Final

from m2mguard._server.requirement import Requirement
from m2mguard.testing.contract._case import Case
from m2mguard.testing.contract._credentials import bearer, fields
from m2mguard.testing.contract._expectations import ANONYMOUS, MISSING, Expectation, Passed
from m2mguard.testing.contract._messages import ContractRequest

_HEALTHZ: Final = ContractRequest(path="/healthz")
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


def _of_methods(name: str, request: ContractRequest, expected: Expectation) -> Case:
    public = ("GET /healthz", "POST,GET /docs/")
    return Case(
        name=name, request=request, expected=expected, public=public, requirement=_ORDERS, about_public_paths=True
    )


PATH_CASES: Final = (
    Case(name="a public path needs no token", request=_HEALTHZ, expected=ANONYMOUS),
    Case(name="a public prefix needs no token", request=ContractRequest(path="/docs/page"), expected=ANONYMOUS),
    Case(
        name="a public path does not look at a bad token",
        request=_HEALTHZ,
        credentials=fields(b"Bearer canary"),
        expected=ANONYMOUS,
    ),
    Case(
        name="a public path has no Caller for a good token either",
        request=_HEALTHZ,
        credentials=bearer(),
        expected=ANONYMOUS,
    ),
    *(
        Case(name=f"not public: {path}", request=ContractRequest(path=path), about_public_paths=True, expected=MISSING)
        for path in _NOT_PUBLIC
    ),
    *(
        Case(name=f"public: {path}", request=ContractRequest(path=path), about_public_paths=True, expected=Passed())
        for path in _BELOW
    ),
    Case(
        name="a prefix is public itself where the path without its slash is",
        request=ContractRequest(path="/docs/"),
        public=("/docs", "/docs/"),
        requirement=_ORDERS,
        about_public_paths=True,
        expected=Passed(),
    ),
    _of_methods("an entry opens the method that it names", _HEALTHZ, ANONYMOUS),
    _of_methods("HEAD follows GET", ContractRequest(method="HEAD", path="/healthz"), ANONYMOUS),
    _of_methods("an entry opens each method that it names", ContractRequest(path="/docs/page"), ANONYMOUS),
    _of_methods("an entry opens no other method", ContractRequest(method="POST", path="/healthz"), MISSING),
    _of_methods("nor OPTIONS, which none has named", ContractRequest(method="OPTIONS", path="/docs/page"), MISSING),
    *(
        _of_methods(
            f"nor what may run as another method: {name}",
            ContractRequest(path="/healthz", fields=((name, "POST"),)),
            MISSING,
        )
        for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override")
    ),
    _of_methods(
        "nor what names another in its query", ContractRequest(path="/healthz", query="a=1&_method=POST"), MISSING
    ),
    Case(
        name="a query or a forwarded path makes nothing public",
        request=ContractRequest(
            query="/healthz", fields=(("X-Forwarded-Uri", "/healthz"), ("X-Original-URL", "/healthz"))
        ),
        expected=MISSING,
    ),
    Case(
        name="public paths are below the mount point",
        request=ContractRequest(path="/healthz", mounted_at="/api"),
        expected=ANONYMOUS,
    ),
    Case(
        name="a mount point is not a public path",
        request=ContractRequest(mounted_at="/docs"),
        expected=MISSING,
    ),
)

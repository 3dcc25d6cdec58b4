"""The table itself."""

from __future__ import annotations

from typing import Final

from m2mguard.access import Requirement
from m2mguard.testing.contract.credentials import (
    bearer,
    fields,
    signed_by_a_stranger,
    signed_with_the_public_key,
    token,
    two_tokens,
    unsigned,
    with_the_claims_of_another,
)
from m2mguard.testing.contract.exchange import OWN_FIELDS, OWN_REFUSAL, STREAM, ApplicationFailure, Request
from m2mguard.testing.contract.expectations import CANARY, Refused, Seen, Untouched
from m2mguard.testing.contract.rows import Row
from m2mguard.testing.contract.world import LEEWAY_S, NOW
from m2mguard.testing.minting import REMOVED

_MISSING: Final = Refused(status=401, error="unauthorized", reasons=("missing",))
_OTHER_SCHEME: Final = Refused(status=401, error="unauthorized", reasons=("other_scheme",))
_SEVERAL: Final = Refused(
    # WSGI joins two fields by a comma, so that the adapter sees one that is outside the grammar.
    status=400,
    error="invalid_request",
    reasons=("several_credentials", "credential_grammar"),
)
_GRAMMAR: Final = Refused(status=400, error="invalid_request", reasons=("credential_grammar",))
_UNAVAILABLE: Final = Refused(status=503, error="temporarily_unavailable")
_ANONYMOUS: Final = Seen(app_id=None)
_CANARY: Final = CANARY.encode()


def _invalid(reason: str) -> Refused:
    return Refused(status=401, error="invalid_token", reasons=(reason,))


def _insufficient(reason: str, scope: str = "") -> Refused:
    return Refused(status=403, error="insufficient_scope", reasons=(reason,), scope=scope)


_ORDERS: Final = Requirement(scopes=["read:orders"])
_ORDERS_AND_STOCK: Final = Requirement(scopes=["read:orders", "read:stock"])
_ORDERS_OR_STOCK: Final = Requirement(any_scope=["read:orders", "read:stock"])
_LISTED: Final = Requirement(app_ids=["app-orders", "app-stock"])
_BLUE: Final = Requirement(organization="org-blue")
_ANY_ORGANIZATION: Final = Requirement(organization="*")
_TENANT: Final = Request(path="/tenants/org-blue/caller")
_HEAD: Final = Request(method="HEAD")
_POST: Final = Request(method="POST")
_OPTIONS: Final = Request(method="OPTIONS")
_PREFLIGHT: Final = Request(
    method="OPTIONS", fields=(("Origin", "https://app.example"), ("Access-Control-Request-Method", "GET"))
)

_CREDENTIALS: Final = (
    Row(name="no credentials are 401 without an error code", expected=_MISSING),
    Row(name="an empty field is 401 without an error code", credentials=fields(b""), expected=_MISSING),
    Row(name="another scheme is 401 without an error code", credentials=fields(b"Basic " + _CANARY), expected=_OTHER_SCHEME),
    Row(name="a scheme that begins as Bearer is another", credentials=bearer(scheme=b"Bearers "), expected=_OTHER_SCHEME),
    Row(name="a lower-case scheme is Bearer", credentials=bearer(scheme=b"bearer "), expected=Seen()),
    Row(name="an upper-case scheme is Bearer", credentials=bearer(scheme=b"BEARER "), expected=Seen()),
    Row(name="several spaces may stand before the token", credentials=bearer(scheme=b"Bearer    "), expected=Seen()),
    Row(name="a TAB may not", credentials=bearer(scheme=b"Bearer\t"), expected=_GRAMMAR),
    Row(name="a scheme without a token is 400", credentials=fields(b"Bearer"), expected=_GRAMMAR),
    Row(name="two tokens in one field are 400", credentials=bearer(end=b" " + _CANARY), expected=_GRAMMAR),
    Row(name="a quoted token is 400", credentials=bearer(scheme=b'Bearer "', end=b'"'), expected=_GRAMMAR),
    Row(name="an auth-param instead of a token is 400", credentials=fields(b'Bearer token="canary"'), expected=_GRAMMAR),
    Row(name="a comma list of two good tokens is 400", credentials=two_tokens(joined_by=b", "), expected=_GRAMMAR),
    Row(name="a comma list with another scheme is 400", credentials=bearer(end=b", Basic " + _CANARY), expected=_GRAMMAR),
    Row(name="two fields are 400", credentials=two_tokens(), expected=_SEVERAL),
    Row(name="the same field twice is 400", credentials=lambda issuer: bearer()(issuer) * 2, expected=_SEVERAL),
    Row(
        name="a second field of another scheme is 400",
        credentials=lambda issuer: (*bearer()(issuer), b"Basic canary"),
        expected=_SEVERAL,
    ),
    Row(name="bytes outside ASCII in the token are 400", credentials=bearer(end=b"\xe9\xff"), expected=_GRAMMAR),
    Row(name="bytes outside ASCII in the scheme are 401", credentials=fields(b"\xe9\xff " + _CANARY), expected=_OTHER_SCHEME),
    Row(name="a token of 100 kB is 401", credentials=fields(b"Bearer " + b"a" * 100_000), expected=_invalid("malformed")),
    Row(name="another scheme of 100 kB is 401", credentials=fields(b"Basic " + b"a" * 100_000), expected=_OTHER_SCHEME),
    Row(name="a token in the query is not looked at", request=Request(query="access_token=canary"), expected=_MISSING),
    Row(
        name="a token in the body is not looked at",
        request=Request(
            method="POST",
            fields=(("Content-Type", "application/x-www-form-urlencoded"),),
            body=b"access_token=canary",
        ),
        expected=_MISSING,
    ),
    Row(
        name="a token in a cookie is not looked at",
        request=Request(fields=(("Cookie", "access_token=canary; Authorization=canary"),)),
        expected=_MISSING,
    ),
    Row(
        name="a token in a field of another name is not looked at",
        request=Request(fields=(("X-Authorization", "Bearer canary"), ("Proxy-Authorization", "Bearer canary"))),
        expected=_MISSING,
    ),
)  # fmt: skip

_TOKENS: Final = (
    Row(name="a good token is accepted, and the route sees who called", credentials=bearer(), expected=Seen()),
    Row(
        name="the route sees every scope",
        credentials=bearer("app-admin", scopes=["write:orders", "read:orders"]),
        expected=Seen(app_id="app-admin", scopes=("read:orders", "write:orders")),
    ),
    Row(name="a token without scopes is accepted", credentials=bearer(scopes=[]), expected=Seen(scopes=())),
    Row(
        name="a token is accepted in the last second of the leeway",
        credentials=bearer(claims={"exp": NOW - LEEWAY_S + 1}),
        expected=Seen(),
    ),
    Row(
        name="malformed: an opaque token",
        credentials=token(lambda issuer: issuer.mint_opaque_token()),
        expected=_invalid("malformed"),
    ),
    Row(name="malformed: not base64url", credentials=fields(b"Bearer canary.canary.canary"), expected=_invalid("malformed")),
    Row(name="malformed: a fourth segment", credentials=bearer(end=b".canary"), expected=_invalid("malformed")),
    Row(name="malformed: a crit header", credentials=bearer(header={"crit": ["canary"]}), expected=_invalid("malformed")),
    Row(name="malformed: no signature", credentials=token(unsigned), expected=_invalid("malformed")),
    Row(name="algorithm: none", credentials=bearer(header={"alg": "none"}), expected=_invalid("algorithm")),
    Row(
        name="algorithm: HS256 with the public key as secret",
        credentials=token(signed_with_the_public_key),
        expected=_invalid("algorithm"),
    ),
    Row(
        name="unknown_issuer: a stranger",
        credentials=bearer(claims={"iss": "https://canary.example/oidc"}),
        expected=_invalid("unknown_issuer"),
    ),
    Row(
        name="unknown_key: a kid that nobody published",
        credentials=bearer(header={"kid": "canary"}),
        expected=_invalid("unknown_key"),
    ),
    Row(name="unknown_key: no kid", credentials=bearer(header={"kid": REMOVED}), expected=_invalid("unknown_key")),
    Row(
        name="signature: another's key under a published kid",
        credentials=token(signed_by_a_stranger),
        expected=_invalid("signature"),
    ),
    Row(
        name="signature: the claims were exchanged",
        credentials=token(with_the_claims_of_another),
        expected=_invalid("signature"),
    ),
    Row(
        name="token_type: an ID token",
        credentials=token(lambda issuer: issuer.mint_id_token()),
        expected=_invalid("token_type"),
    ),
    Row(
        name="audience: another API's",
        credentials=bearer(audience="https://canary.example"),
        expected=_invalid("audience"),
    ),
    Row(
        name="audience: ours with a slash more",
        credentials=bearer(audience="https://shopping.api/"),
        expected=_invalid("audience"),
    ),
    Row(name="expired", credentials=bearer(claims={"exp": NOW - LEEWAY_S}), expected=_invalid("expired")),
    Row(name="not_yet_valid", credentials=bearer(claims={"nbf": NOW + LEEWAY_S + 1}), expected=_invalid("not_yet_valid")),
    Row(name="claim: no sub", credentials=bearer(claims={"sub": REMOVED}), expected=_invalid("claim")),
    Row(
        name="claim: bound to a key that a bearer request does not prove",
        credentials=bearer(claims={"cnf": {"jkt": "canary"}}),
        expected=_invalid("claim"),
    ),
)  # fmt: skip

_ACCESS: Final = (
    Row(name="the scope asked for is granted", credentials=bearer(), requirement=_ORDERS, expected=Seen()),
    Row(
        name="a missing scope is 403 and named",
        credentials=bearer(scopes=["canary"]),
        requirement=_ORDERS,
        expected=_insufficient("scope", "read:orders"),
    ),
    Row(
        name="one of two scopes is not enough",
        credentials=bearer(),
        requirement=_ORDERS_AND_STOCK,
        expected=_insufficient("scope", "read:orders read:stock"),
    ),
    Row(name="one of any_scope is enough", credentials=bearer(), requirement=_ORDERS_OR_STOCK, expected=Seen()),
    Row(
        name="none of any_scope is 403",
        credentials=bearer(scopes=[]),
        requirement=_ORDERS_OR_STOCK,
        expected=_insufficient("scope", "read:orders read:stock"),
    ),
    Row(name="a listed application passes", credentials=bearer(), requirement=_LISTED, expected=Seen()),
    Row(
        name="another application is 403",
        credentials=bearer("app-canary"),
        requirement=_LISTED,
        expected=_insufficient("application"),
    ),
    Row(
        name="an organization's token on a global route is 403",
        credentials=bearer(organization_id="org-canary"),
        expected=_insufficient("organization"),
    ),
    Row(
        name="the organization asked for passes, and the route sees it",
        credentials=bearer(organization_id="org-blue"),
        requirement=_BLUE,
        expected=Seen(organization_id="org-blue"),
    ),
    Row(
        name="another organization is 403",
        credentials=bearer(organization_id="org-canary"),
        requirement=_BLUE,
        expected=_insufficient("organization"),
    ),
    Row(
        name="a global token on an organization's route is 403",
        credentials=bearer(),
        requirement=_BLUE,
        expected=_insufficient("organization"),
    ),
    Row(
        name="any organization passes where any is asked for",
        credentials=bearer(organization_id="org-red"),
        requirement=_ANY_ORGANIZATION,
        expected=Seen(organization_id="org-red"),
    ),
    Row(name="and so does none", credentials=bearer(), requirement=_ANY_ORGANIZATION, expected=Seen()),
    Row(
        name="the organization of the route passes",
        credentials=bearer(organization_id="org-blue"),
        request=_TENANT,
        organization_from_route=True,
        expected=Seen(organization_id="org-blue"),
    ),
    Row(
        name="another organization than the route's is 403",
        credentials=bearer(organization_id="org-canary"),
        request=_TENANT,
        organization_from_route=True,
        expected=_insufficient("organization"),
    ),
    Row(
        name="a star in the route is no wildcard",
        credentials=bearer(organization_id="org-canary"),
        request=Request(path="/tenants/*/caller"),
        organization_from_route=True,
        expected=_insufficient("organization"),
    ),
    Row(
        name="a person's token is 403",
        credentials=token(lambda issuer: issuer.mint_user_token("canary")),
        expected=_insufficient("not_a_machine"),
    ),
    Row(
        name="an expired token that lacks the scope is 401",
        credentials=bearer(scopes=[], lifetime=-3600),
        requirement=_ORDERS,
        expected=_invalid("expired"),
    ),
)

_OUTAGE: Final = (
    Row(name="keys that cannot be had are 503", credentials=bearer(), issuer_is_down=True, expected=_UNAVAILABLE),
    Row(name="no credentials are 401 during an outage, too", issuer_is_down=True, expected=_MISSING),
    Row(
        name="a stranger's token is 401 during an outage, too",
        credentials=bearer(claims={"iss": "https://canary.example/oidc"}),
        issuer_is_down=True,
        expected=_invalid("unknown_issuer"),
    ),
)

_METHODS: Final = (
    Row(name="a refused HEAD has no body", request=_HEAD, expected=_MISSING),
    Row(
        name="a HEAD that lacks a scope has the challenge and no body",
        request=_HEAD,
        credentials=bearer(scopes=[]),
        requirement=_ORDERS,
        expected=_insufficient("scope", "read:orders"),
    ),
    Row(
        name="a HEAD during an outage has no body",
        request=_HEAD,
        credentials=bearer(),
        issuer_is_down=True,
        expected=_UNAVAILABLE,
    ),
    Row(name="HEAD passes with a token", request=_HEAD, credentials=bearer(), expected=Seen()),
    Row(name="POST needs a token", request=_POST, expected=_MISSING),
    Row(name="POST passes with a token", request=_POST, credentials=bearer(), expected=Seen()),
    Row(name="OPTIONS needs a token", request=_OPTIONS, expected=_MISSING),
    Row(name="OPTIONS passes with a token", request=_OPTIONS, credentials=bearer(), expected=Seen()),
    Row(name="a CORS preflight needs a token", request=_PREFLIGHT, expected=_MISSING),
)

_PATHS: Final = (
    Row(name="a public path needs no token", request=Request(path="/healthz"), expected=_ANONYMOUS),
    Row(name="a public prefix needs no token", request=Request(path="/docs/page"), expected=_ANONYMOUS),
    Row(
        name="a public path does not look at a bad token",
        request=Request(path="/healthz"),
        credentials=fields(b"Bearer canary"),
        expected=_ANONYMOUS,
    ),
    Row(
        name="a public path has no Caller for a good token either",
        request=Request(path="/healthz"),
        credentials=bearer(),
        expected=_ANONYMOUS,
    ),
    *(
        Row(name=f"not public: {path}", request=Request(path=path), about_public_paths=True, expected=_MISSING)
        for path in (
            "/", "/healthz/", "/healthz/page", "/healthzz", "/HEALTHZ", "/healthz;a", "/healthz%0a", "/docs", "/docs-internal",
            "/docs//page", "/docs/%2e%2e/caller", "/docs/%5ccaller", "/docs/%2fcaller", "/x/docs/page", "/mounted/healthz",
        )
    ),
    Row(
        name="a query or a forwarded path makes nothing public",
        request=Request(query="/healthz", fields=(("X-Forwarded-Uri", "/healthz"), ("X-Original-URL", "/healthz"))),
        expected=_MISSING,
    ),
    Row(name="a mounted part needs a token", request=Request(path="/mounted/caller"), expected=_MISSING),
    Row(
        name="a mounted part passes with a token",
        request=Request(path="/mounted/caller"),
        credentials=bearer(),
        expected=Seen(),
    ),
    Row(name="below a mount point a token is needed", request=Request(mounted_at="/api"), expected=_MISSING),
    Row(
        name="below a mount point a token passes",
        request=Request(mounted_at="/api"),
        credentials=bearer(),
        expected=Seen(),
    ),
    Row(
        name="public paths lie below the mount point",
        request=Request(path="/healthz", mounted_at="/api"),
        expected=_ANONYMOUS,
    ),
    Row(
        name="a mount point is not a public path",
        request=Request(mounted_at="/docs"),
        expected=_MISSING,
    ),
)  # fmt: skip

_APPLICATION: Final = (
    Row(
        name="a streamed answer arrives as it was given",
        request=Request(path="/stream"),
        credentials=bearer(),
        expected=Untouched(fields=OWN_FIELDS, body=b"".join(STREAM)),
    ),
    Row(name="a stream needs a token", request=Request(path="/stream"), expected=_MISSING),
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
    Row(name="without a token the application does not get to raise it", request=Request(path="/failure"), expected=_MISSING),
)  # fmt: skip

ROWS: Final = (
    *_CREDENTIALS, *_TOKENS, *_ACCESS, *_OUTAGE, *_METHODS, *_PATHS, *_APPLICATION,
)  # fmt: skip
"""Every row, in the order in which it is best read."""

"""What is in the Authorization field, before a token is looked at."""

from __future__ import annotations

from typing import Final

from m2mguard.testing.contract._case import Case
from m2mguard.testing.contract._credentials import bearer, fields, two_tokens
from m2mguard.testing.contract._expectations import (
    CANARY,
    GRAMMAR,
    MISSING,
    OTHER_SCHEME,
    SEVERAL,
    SeenByRoute,
    invalid,
)
from m2mguard.testing.contract._messages import ContractRequest

CREDENTIAL_CASES: Final = (
    Case(name="no credentials are 401 without an error code", expected=MISSING),
    Case(name="an empty field is 401 without an error code", credentials=fields(b""), expected=MISSING),
    Case(name="another scheme is 401 without an error code", credentials=fields(b"Basic " + CANARY.encode()), expected=OTHER_SCHEME),
    Case(name="a scheme that begins as Bearer is another", credentials=bearer(scheme=b"Bearers "), expected=OTHER_SCHEME),
    Case(name="a lower-case scheme is Bearer", credentials=bearer(scheme=b"bearer "), expected=SeenByRoute()),
    Case(name="an upper-case scheme is Bearer", credentials=bearer(scheme=b"BEARER "), expected=SeenByRoute()),
    Case(name="several spaces may come before the token", credentials=bearer(scheme=b"Bearer    "), expected=SeenByRoute()),
    Case(name="a TAB may not", credentials=bearer(scheme=b"Bearer\t"), expected=GRAMMAR),
    Case(name="a scheme without a token is 400", credentials=fields(b"Bearer"), expected=GRAMMAR),
    Case(name="two tokens in one field are 400", credentials=bearer(end=b" " + CANARY.encode()), expected=GRAMMAR),
    Case(name="a quoted token is 400", credentials=bearer(scheme=b'Bearer "', end=b'"'), expected=GRAMMAR),
    Case(name="an auth-param instead of a token is 400", credentials=fields(b'Bearer token="canary"'), expected=GRAMMAR),
    Case(name="a comma list of two good tokens is 400", credentials=two_tokens(joined_by=b", "), expected=GRAMMAR),
    Case(name="a comma list with another scheme is 400", credentials=bearer(end=b", Basic " + CANARY.encode()), expected=GRAMMAR),
    Case(name="two fields are 400", credentials=two_tokens(), expected=SEVERAL),
    Case(name="the same field twice is 400", credentials=lambda issuer: bearer()(issuer) * 2, expected=SEVERAL),
    Case(
        name="a second field of another scheme is 400",
        credentials=lambda issuer: (*bearer()(issuer), b"Basic canary"),
        expected=SEVERAL,
    ),
    Case(name="bytes outside ASCII in the token are 400", credentials=bearer(end=b"\xe9\xff"), expected=GRAMMAR),
    Case(name="bytes outside ASCII in the scheme are 401", credentials=fields(b"\xe9\xff " + CANARY.encode()), expected=OTHER_SCHEME),
    Case(name="a token of 100 kB is 401", credentials=fields(b"Bearer " + b"a" * 100_000), expected=invalid("malformed")),
    Case(name="another scheme of 100 kB is 401", credentials=fields(b"Basic " + b"a" * 100_000), expected=OTHER_SCHEME),
    Case(name="a token in the query is not looked at", request=ContractRequest(query="access_token=canary"), expected=MISSING),
    Case(
        name="a token in the body is not looked at",
        request=ContractRequest(
            method="POST",
            fields=(("Content-Type", "application/x-www-form-urlencoded"),),
            body=b"access_token=canary",
        ),
        expected=MISSING,
    ),
    Case(
        name="a token in a cookie is not looked at",
        request=ContractRequest(fields=(("Cookie", "access_token=canary; Authorization=canary"),)),
        expected=MISSING,
    ),
    Case(
        name="a token in a field of another name is not looked at",
        request=ContractRequest(fields=(("X-Authorization", "Bearer canary"), ("Proxy-Authorization", "Bearer canary"))),
        expected=MISSING,
    ),
)  # fmt: skip

"""What stands in the Authorization field, before anybody looks at a token."""

from __future__ import annotations

from typing import Final

from m2mguard.testing.contract.credentials import bearer, fields, two_tokens
from m2mguard.testing.contract.exchange import Request
from m2mguard.testing.contract.expectations import CANARY, GRAMMAR, MISSING, OTHER_SCHEME, SEVERAL, Seen, invalid
from m2mguard.testing.contract.rows import Row

CREDENTIAL_ROWS: Final = (
    Row(name="no credentials are 401 without an error code", expected=MISSING),
    Row(name="an empty field is 401 without an error code", credentials=fields(b""), expected=MISSING),
    Row(name="another scheme is 401 without an error code", credentials=fields(b"Basic " + CANARY.encode()), expected=OTHER_SCHEME),
    Row(name="a scheme that begins as Bearer is another", credentials=bearer(scheme=b"Bearers "), expected=OTHER_SCHEME),
    Row(name="a lower-case scheme is Bearer", credentials=bearer(scheme=b"bearer "), expected=Seen()),
    Row(name="an upper-case scheme is Bearer", credentials=bearer(scheme=b"BEARER "), expected=Seen()),
    Row(name="several spaces may stand before the token", credentials=bearer(scheme=b"Bearer    "), expected=Seen()),
    Row(name="a TAB may not", credentials=bearer(scheme=b"Bearer\t"), expected=GRAMMAR),
    Row(name="a scheme without a token is 400", credentials=fields(b"Bearer"), expected=GRAMMAR),
    Row(name="two tokens in one field are 400", credentials=bearer(end=b" " + CANARY.encode()), expected=GRAMMAR),
    Row(name="a quoted token is 400", credentials=bearer(scheme=b'Bearer "', end=b'"'), expected=GRAMMAR),
    Row(name="an auth-param instead of a token is 400", credentials=fields(b'Bearer token="canary"'), expected=GRAMMAR),
    Row(name="a comma list of two good tokens is 400", credentials=two_tokens(joined_by=b", "), expected=GRAMMAR),
    Row(name="a comma list with another scheme is 400", credentials=bearer(end=b", Basic " + CANARY.encode()), expected=GRAMMAR),
    Row(name="two fields are 400", credentials=two_tokens(), expected=SEVERAL),
    Row(name="the same field twice is 400", credentials=lambda issuer: bearer()(issuer) * 2, expected=SEVERAL),
    Row(
        name="a second field of another scheme is 400",
        credentials=lambda issuer: (*bearer()(issuer), b"Basic canary"),
        expected=SEVERAL,
    ),
    Row(name="bytes outside ASCII in the token are 400", credentials=bearer(end=b"\xe9\xff"), expected=GRAMMAR),
    Row(name="bytes outside ASCII in the scheme are 401", credentials=fields(b"\xe9\xff " + CANARY.encode()), expected=OTHER_SCHEME),
    Row(name="a token of 100 kB is 401", credentials=fields(b"Bearer " + b"a" * 100_000), expected=invalid("malformed")),
    Row(name="another scheme of 100 kB is 401", credentials=fields(b"Basic " + b"a" * 100_000), expected=OTHER_SCHEME),
    Row(name="a token in the query is not looked at", request=Request(query="access_token=canary"), expected=MISSING),
    Row(
        name="a token in the body is not looked at",
        request=Request(
            method="POST",
            fields=(("Content-Type", "application/x-www-form-urlencoded"),),
            body=b"access_token=canary",
        ),
        expected=MISSING,
    ),
    Row(
        name="a token in a cookie is not looked at",
        request=Request(fields=(("Cookie", "access_token=canary; Authorization=canary"),)),
        expected=MISSING,
    ),
    Row(
        name="a token in a field of another name is not looked at",
        request=Request(fields=(("X-Authorization", "Bearer canary"), ("Proxy-Authorization", "Bearer canary"))),
        expected=MISSING,
    ),
)  # fmt: skip

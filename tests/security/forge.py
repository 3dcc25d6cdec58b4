"""Makes tokens, key sets and servers for the tests of this folder: valid ones, with changes that a test chooses."""

import functools
import json
from collections.abc import Mapping
from typing import Any

from m2mguard import Issuer, Requirement, ResourceServer
from m2mguard.testing import REMOVED, SigningKey, base64url, compact
from tests import refusals
from tests.refusals import ACCEPTED

NOW = 1_800_000_000
URL = "https://issuer.example/oidc"
API = "https://shopping.api"
MALFORMED = (401, "malformed")


@functools.cache
def key(algorithm: str = "ES256", kid: str = "key-1") -> SigningKey:
    return SigningKey.generate(algorithm, kid=kid)


def changed(members: Mapping[str, object], changes: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in {**members, **changes}.items() if value is not REMOVED}


def header(changes: Mapping[str, object] = {}, *, signer: SigningKey | None = None) -> dict[str, object]:
    signer = signer or key()
    return changed({"alg": signer.algorithm, "typ": "at+jwt", "kid": signer.kid}, changes)


def claims(changes: Mapping[str, object] = {}) -> dict[str, object]:
    good = {
        "iss": URL,
        "aud": API,
        "sub": "app-orders",
        "client_id": "app-orders",
        "jti": "token-1",
        "iat": NOW - 10,
        "exp": NOW + 3600,
        "scope": "read:orders",
    }
    return changed(good, changes)


def mint(
    claim_changes: Mapping[str, object] = {},
    *,
    signer: SigningKey | None = None,
    with_header: Mapping[str, object] | bytes = {},
    payload: bytes | None = None,
) -> str:
    """A signed token; `payload` and a `with_header` of bytes are put into the token unchanged."""
    signer = signer or key()
    top = with_header if isinstance(with_header, bytes) else header(with_header, signer=signer)
    return signer.sign_compact(top, claims(claim_changes) if payload is None else payload)


def signed(signing_input: str, signer: SigningKey | None = None) -> str:
    """Sign any text, also if it is no JWT."""
    return f"{signing_input}.{base64url((signer or key()).sign(signing_input.encode('latin-1')))}"


def as_json(members: Mapping[str, object]) -> bytes:
    return json.dumps(members).encode()


def inserted(members: Mapping[str, object], raw: str) -> bytes:
    """The JSON of an object with raw text as an additional member, for text that `json.dumps` never writes."""
    return json.dumps(members)[:-1].encode() + b", " + raw.encode("utf-8", "surrogatepass") + b"}"


def server(
    *jwks: Mapping[str, object], issuer: Mapping[str, Any] = {}, audience: str | list[str] = API, **settings: Any
) -> ResourceServer:
    """A server that trusts these keys, by default the key of `mint`; it never fetches keys."""
    given = Issuer(url=URL, jwks={"keys": list(jwks) or [key().public_jwk]}, **issuer)
    return ResourceServer(given, audience=audience, **{"clock": lambda: NOW, **settings})


def outcome(server: ResourceServer, token: str | bytes, requirement: Requirement | None = None) -> object:
    """The outcome for a token: `ACCEPTED`, or the status and the reason of the refusal."""
    field = b"Bearer " + token if isinstance(token, bytes) else f"Bearer {token}"
    return outcome_of([field], server=server, requirement=requirement)


def outcome_of(
    fields: list[Any], *, server: ResourceServer | None = None, requirement: Requirement | None = None
) -> object:
    """The outcome for these Authorization fields: `ACCEPTED`, or the status and the reason of the refusal."""
    return refusals.outcome_of(lambda: (server or _default_server()).authenticate(fields, requirement))


def stable_id(value: object) -> str | None:
    """The id of a parameter: its repr, unless that differs between processes."""
    text = repr(value)
    return None if " at 0x" in text or "frozenset" in text or isinstance(value, set) else text


@functools.cache
def _default_server() -> ResourceServer:
    return server()


__all__ = ["ACCEPTED", "REMOVED", "compact"]

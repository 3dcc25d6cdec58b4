"""What one input of the fuzzer is put through, and what must hold whatever it is."""

import json
import time
from functools import cache

from m2mguard import Requirement, ResourceServer
from m2mguard._keys.key_set import MAX_KEYS_PER_KID, UnusableKeySet, parse_key_set
from m2mguard.errors import AnswerableError
from m2mguard.testing import SigningKey, base64url
from tests.security.forge import API, NOW, URL, server

LEEWAY_S = 30
PATIENCE_S = 0.5  # of CPU time for one input, under the fuzzer's own instrumentation
ANY = Requirement(organization="*")


class BrokenPromise(AssertionError):
    """The library raised what it must not, accepted what it must not, or took too long."""


@cache
def signer() -> SigningKey:
    return SigningKey.generate("EdDSA", kid="key-1")  # the fastest to sign with


@cache
def guard() -> ResourceServer:
    return server(signer().public_jwk, issuer={"organizations": True}, verdict_cache_size=8)


def run(data: bytes) -> None:
    """Put one input through. The first byte says what the rest is."""
    began_at = time.thread_time()
    kind, rest = data[:1], data[1:]
    if kind == b"\x02":
        _key_set(rest)
    elif kind == b"\x01":
        _fields(rest)
    else:
        top, _, payload = rest.partition(b"\x00")
        signed_claims(top, payload)
    if time.thread_time() - began_at > PATIENCE_S:
        raise BrokenPromise(f"{len(data)} bytes took {time.thread_time() - began_at:.2f} s")


def _fields(data: bytes) -> None:
    values = data.split(b"\n")
    for fields in (values, [value.decode("utf-8", "surrogateescape") for value in values]):
        _authenticate(fields)


def signed_claims(top: bytes, payload: bytes) -> None:
    """Sign any header and payload, and hold what becomes of them against the oracle."""
    signing_input = f"{base64url(top)}.{base64url(payload)}"
    token = f"{signing_input}.{base64url(signer().sign(signing_input.encode()))}"
    if _authenticate([f"Bearer {token}"]):
        _check_accepted(top, payload)


def _authenticate(fields: list[bytes] | list[str]) -> bool:
    try:
        caller = guard().authenticate(fields, ANY)
    except AnswerableError as refusal:
        if refusal.__cause__ is not None:
            raise BrokenPromise("a refusal has a cause") from refusal
        guard().answer(refusal)
        return False
    return bool(caller.app_id)


def _check_accepted(top: bytes, payload: bytes) -> None:
    """An oracle of its own: what was accepted must say so also to a plain JSON parser."""
    head, claims = json.loads(top.decode("utf-8")), json.loads(payload.decode("utf-8"))
    audiences = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
    fits = API in audiences or any(audience.startswith("urn:logto:organization:") for audience in audiences)
    good = (
        head["alg"] in ("EdDSA", "Ed25519")
        and head["typ"].lower().removeprefix("application/") == "at+jwt"
        and "crit" not in head
        and head.get("b64", True) is True
        and head.get("kid", "key-1") == "key-1"
        and claims["iss"] == URL
        and fits
        and claims["sub"] == claims["client_id"]
        and claims["exp"] + LEEWAY_S > NOW
        and claims["iat"] - LEEWAY_S <= NOW
        and claims.get("nbf", 0) - LEEWAY_S <= NOW
        and "cnf" not in claims
    )
    if not good:
        raise BrokenPromise("accepted what the rules refuse")


def _key_set(data: bytes) -> None:
    try:
        keys = parse_key_set(data, max_keys=100)
    except UnusableKeySet:
        return
    for key in keys.keys:
        for alg in key.algorithms:
            key.verify(alg, b"text", bytes(64))
            found = keys.candidates(key.kid, alg)
            if not (found or keys.is_ambiguous(alg)) or len(found) > MAX_KEYS_PER_KID:
                raise BrokenPromise("a key cannot be found, or too many are")

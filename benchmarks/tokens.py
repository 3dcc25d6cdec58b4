"""One token: the floor, m2mguard and its peers, for each algorithm; and more live tokens than the cache has room for."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from benchmarks.measure import ROUNDS, Batch, Measured, calls, calls_over, interleaved
from benchmarks.peers import PEERS, NotOffered, peer_batch
from m2mguard import Issuer, ResourceServer
from m2mguard._token.base64url import base64url_decode
from m2mguard.testing import SHOPPING_API, LocalIssuer

ALGORITHMS = ("RS256", "ES256", "ES384", "EdDSA")
FLOOR, FIRST_SEEN = "floor: the signature alone", "m2mguard, first seen"
LOOK_UP, REMEMBERED = "floor: SHA-256 + dict", "m2mguard, remembered"
CACHE_SIZE = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenTimes:
    """Measured times by case, and why a peer is not among them."""

    times: Mapping[str, Measured]
    missing: Mapping[str, str]


def resource_server(issuer: LocalIssuer, **settings: Any) -> ResourceServer:
    """The server of every benchmark, its keys at hand."""
    trusted = Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri)
    server = ResourceServer(trusted, audience=SHOPPING_API, **settings)
    server.warm_up()
    return server


def token_times(algorithm: str, *, rounds: int = ROUNDS, tokens: int = 500) -> TokenTimes:
    """Measure every way to verify a token of this algorithm."""
    loop = asyncio.new_event_loop()
    missing: dict[str, str] = {}
    try:
        with LocalIssuer(algorithm=algorithm) as issuer:
            extra = {"nbf": int(time.time()), "ver": "2.0"}  # fastapi-azure-auth asks for both
            minted = [issuer.mint(scopes=["read:orders"], claims=extra) for _ in range(tokens)]
            cases = _ours(issuer, minted)
            for name in PEERS:
                try:
                    cases[name] = peer_batch(name, issuer, algorithm, minted, loop)
                except NotOffered as reason:
                    missing[name] = str(reason)
                except ImportError:
                    missing[name] = "not installed for this version of Python"
            return TokenTimes(times=interleaved(cases, rounds=rounds), missing=missing)
    finally:
        loop.close()


def full_cache_times(*, rounds: int = ROUNDS, live_tokens: int = 10_000) -> dict[str, Measured]:
    """Tokens seen first with room for them, beside ten times as many live tokens as the cache has room for. ES256."""
    with LocalIssuer(algorithm="ES256") as issuer:
        tokens = [issuer.mint(f"app-{number}", scopes=["read:orders"]) for number in range(live_tokens)]
        crowded = resource_server(issuer, verdict_cache_size=CACHE_SIZE)
        return interleaved(
            {
                "first seen, room for all": first_seen(resource_server(issuer), tokens[:CACHE_SIZE]),
                f"{live_tokens:,} live tokens": calls_over(crowded.verify, tokens),
            },
            rounds=rounds,
        )


def first_seen(server: ResourceServer, tokens: list[str]) -> Batch:
    """A batch of verifications of tokens that the server has not seen: what it remembers is forgotten before each round."""
    again = calls_over(server.verify, tokens)

    def batch(times: int) -> float:
        taken = 0.0
        for part in range(0, times, len(tokens)):
            server._verifier.forget()
            taken += again(min(len(tokens), times - part))
        return taken

    return batch


def _ours(issuer: LocalIssuer, tokens: list[str]) -> dict[str, Batch]:
    server, token = resource_server(issuer), tokens[0]
    known = {hashlib.sha256(token.encode()).digest(): object()}
    return {
        FLOOR: signature_checks(issuer, tokens),
        FIRST_SEEN: first_seen(resource_server(issuer), tokens),
        LOOK_UP: calls(lambda: known[hashlib.sha256(token.encode()).digest()]),
        REMEMBERED: calls(lambda: server.verify(token)),
    }


def signature_checks(issuer: LocalIssuer, tokens: list[str]) -> Batch:
    """What `cryptography` takes for the signatures of these tokens in turn, everything else prepared."""
    key = issuer.current_key.private_key.public_key()
    return calls_over(lambda arguments: key.verify(*arguments), signature_arguments(issuer, tokens))


def signature_arguments(issuer: LocalIssuer, tokens: Sequence[str]) -> list[tuple[Any, ...]]:
    """For each token what the key's own `verify` takes: an ECDSA signature is no longer as JWS writes it, but in DER."""
    key = issuer.current_key.private_key.public_key()
    prepared = []
    for token in tokens:
        signed, _, signature = token.rpartition(".")
        prepared.append(_prepared(key, signed.encode(), base64url_decode(signature)))
    return prepared


def _prepared(key: Any, message: bytes, raw: bytes) -> tuple[Any, ...]:
    if isinstance(key, rsa.RSAPublicKey):
        return raw, message, padding.PKCS1v15(), hashes.SHA256()
    if isinstance(key, ed25519.Ed25519PublicKey):
        return raw, message
    half = len(raw) // 2
    der = encode_dss_signature(int.from_bytes(raw[:half]), int.from_bytes(raw[half:]))
    return der, message, ec.ECDSA(hashes.SHA256() if half == 32 else hashes.SHA384())

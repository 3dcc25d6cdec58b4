"""One token: the floor, m2mguard and its peers, for each algorithm; and more live tokens than the cache has room for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from jwt.utils import raw_to_der_signature

from benchmarks.measure import Case, Effort, Measured, interleaved
from benchmarks.peers import PEERS, SCOPE, NotOffered, minted
from m2mguard import Issuer, ResourceServer
from m2mguard._token.base64url import base64url_decode
from m2mguard.testing import SHOPPING_API, LocalIssuer

ALGORITHMS = ("RS256", "ES256", "ES384", "EdDSA")
FLOOR, FIRST_SEEN = "floor: the signature alone", "m2mguard, first seen"
LOOK_UP, REMEMBERED = "floor: SHA-256 + dict", "m2mguard, remembered"
CACHE_SIZE = 1_024


class TokenTimes(NamedTuple):
    """Measured times by case, and why a peer is not among them."""

    times: Mapping[str, Measured]
    missing: Mapping[str, str]


def resource_server(issuer: LocalIssuer, **settings: Any) -> ResourceServer:
    """The server of every benchmark, its keys at hand."""
    server = ResourceServer(Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri), audience=SHOPPING_API, **settings)
    server.warm_up()
    return server


def token_times(effort: Effort) -> dict[str, TokenTimes]:
    """Every way to verify a token, by algorithm."""
    return {algorithm: _times(algorithm, effort) for algorithm in ALGORITHMS}


def _times(algorithm: str, effort: Effort) -> TokenTimes:
    missing: dict[str, str] = {}
    with LocalIssuer(algorithm=algorithm) as issuer:
        tokens = minted(issuer, effort.tokens)
        cases = ours(issuer, tokens)
        for name, peer in PEERS.items():
            try:
                cases[name] = Case(peer(issuer), tokens)
            except NotOffered as reason:
                missing[name] = str(reason)
            except ImportError:
                missing[name] = "not installed for this version of Python"
        return TokenTimes(interleaved(cases, rounds=effort.rounds), missing)


def ours(issuer: LocalIssuer, tokens: Sequence[str], *, remembered: int = 1, **settings: Any) -> dict[str, Case]:
    """The floors and m2mguard; of the tokens so many are remembered ones."""
    server, key = resource_server(issuer, **settings), issuer.current_key.private_key.public_key()
    known = {sha256(token.encode()).digest(): object() for token in tokens[:remembered]}
    return {
        FLOOR: Case(lambda arguments: key.verify(*arguments), signature_arguments(issuer, tokens)),
        FIRST_SEEN: first_seen(resource_server(issuer, **settings), tokens),
        LOOK_UP: Case(lambda token: known[sha256(token.encode()).digest()], tokens[:remembered]),
        REMEMBERED: Case(lambda token: server.verify(token), tokens[:remembered]),  # called as the floor is
    }


def first_seen(server: ResourceServer, tokens: Sequence[str]) -> Case:
    """Verifications of tokens that the server has not seen: it forgets all of them before one comes again."""
    return Case(server.verify, tokens, renew=server._verifier.forget)


def full_cache_times(effort: Effort) -> dict[str, Measured]:
    """Tokens seen first with room for them, beside ten times as many live tokens as the cache has room for. ES256."""
    with LocalIssuer(algorithm="ES256") as issuer:
        tokens = [issuer.mint(f"app-{number}", scopes=[SCOPE]) for number in range(effort.live_tokens)]
        crowded = resource_server(issuer, verdict_cache_size=CACHE_SIZE)
        return interleaved(
            {
                "first seen, room for all": first_seen(resource_server(issuer), tokens[:CACHE_SIZE]),
                f"{effort.live_tokens:,} live tokens": Case(crowded.verify, tokens),
            },
            rounds=effort.rounds,
        )


def signature_arguments(issuer: LocalIssuer, tokens: Sequence[str]) -> list[tuple[Any, ...]]:
    """For each token what the key's own `verify` takes: an ECDSA signature is no longer as JWS writes it, but in DER."""
    algorithm, key = issuer.current_key.algorithm, issuer.current_key.private_key.public_key()
    hashing = hashes.SHA384() if algorithm == "ES384" else hashes.SHA256()
    prepared: list[tuple[Any, ...]] = []
    for token in tokens:
        signed, _, encoded = token.rpartition(".")
        message, signature = signed.encode(), base64url_decode(encoded)
        if algorithm == "EdDSA":
            prepared.append((signature, message))
        elif algorithm == "RS256":
            prepared.append((signature, message, padding.PKCS1v15(), hashing))
        else:
            prepared.append((raw_to_der_signature(signature, key.curve), message, ec.ECDSA(hashing)))
    return prepared

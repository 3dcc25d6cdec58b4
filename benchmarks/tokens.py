"""One token: the floor, m2mguard and its peers, for each algorithm; and m2mguard as there is more of everything."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from jwt.utils import raw_to_der_signature

from benchmarks.measure import Case, Effort, Measured, interleaved
from benchmarks.peers import PEERS, SCOPE, NotOffered, minted
from m2mguard import Issuer, Requirement, ResourceServer
from m2mguard._token.base64url import base64url_decode
from m2mguard._token.ml_dsa import PARAMETER_SETS
from m2mguard.blocklist import FileBlocklist
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey

ALGORITHMS = ("RS256", "ES256", "ES384", "EdDSA")
FLOOR, FIRST_SEEN = "floor: the signature alone", "m2mguard, first seen"
LOOK_UP, REMEMBERED = "floor: SHA-256 + dict", "m2mguard, remembered"
CACHE_SIZE, TOKENS = 1_024, 500


def resource_server(issuer: LocalIssuer, **settings: Any) -> ResourceServer:
    """The server of every benchmark, its keys at hand."""
    trusted = Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri, algorithms=[issuer.current_key.algorithm])
    server = ResourceServer(trusted, audience=SHOPPING_API, **settings)
    server.warm_up()
    return server


def token_times(effort: Effort) -> dict[str, Mapping[str, Measured | str]]:
    """Every way to verify a token, by algorithm; of a peer that cannot be measured, the reason."""
    return {algorithm: _times(algorithm, effort) for algorithm in ALGORITHMS}


def ml_dsa_times(effort: Effort) -> dict[str, Mapping[str, Measured]]:
    """A token first seen beside its signature alone, by parameter set. No peer takes such tokens."""
    results = {}
    for algorithm in PARAMETER_SETS:
        with LocalIssuer(algorithm=algorithm) as issuer:
            cases = ours(issuer, minted(issuer, TOKENS))
            results[algorithm] = interleaved({name: cases[name] for name in (FLOOR, FIRST_SEEN)}, rounds=effort.rounds)
    return results


def _times(algorithm: str, effort: Effort) -> dict[str, Measured | str]:
    missing: dict[str, str] = {}
    with LocalIssuer(algorithm=algorithm) as issuer:
        tokens = minted(issuer, TOKENS)
        cases = ours(issuer, tokens)
        for name, peer in PEERS.items():
            try:
                cases[name] = Case(peer(issuer), tokens)
            except NotOffered as reason:
                missing[name] = str(reason)
            except ImportError:
                missing[name] = "not installed"
        return {**interleaved(cases, rounds=effort.rounds), **missing}


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
        if algorithm == "EdDSA" or algorithm in PARAMETER_SETS:
            prepared.append((signature, message))
        elif algorithm == "RS256":
            prepared.append((signature, message, padding.PKCS1v15(), hashing))
        else:
            prepared.append((raw_to_der_signature(signature, key.curve), message, ec.ECDSA(hashing)))
    return prepared


def curves(effort: Effort) -> dict[str, Mapping[int, Measured]]:
    """The time of a remembered token, which must not grow with how many there are of something."""
    results = {}
    with LocalIssuer(algorithm="ES256") as issuer:
        for name, (build, most) in CURVES.items():
            cases = {size: build(issuer, size) for size in effort.sizes if size <= most}
            results[name] = interleaved(cases, rounds=effort.rounds)
    return results


def _issuers(issuer: LocalIssuer, count: int) -> Case:
    others = [Issuer(url=f"https://issuer-{number}.example", jwks=issuer.jwks) for number in range(count - 1)]
    server = ResourceServer([*others, Issuer(url=issuer.url, jwks=issuer.jwks)], audience=SHOPPING_API)
    return Case(server.verify, [issuer.mint()])


def _keys(issuer: LocalIssuer, count: int) -> Case:
    others = [SigningKey.generate("EdDSA").public_jwk for _ in range(count - 1)]
    key_set = {"keys": [*others, *issuer.jwks["keys"]]}
    server = ResourceServer(Issuer(url=issuer.url, jwks=key_set), audience=SHOPPING_API)
    return Case(server.verify, [issuer.mint()])


def _blocks(issuer: LocalIssuer, count: int) -> Case:
    until = time.time() + 3600
    entries = [
        {"issuer": issuer.url, "app_id": f"other-{number}", "reason": "-", "expires_at": until}
        for number in range(count)
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"format": 1, "blocks": entries}, file)
        file.flush()
        with FileBlocklist(file.name) as blocklist:
            server = resource_server(issuer, blocklist=blocklist)  # which warms up, so the list is read
    assert blocklist.health().entries == count
    return Case(server.verify, [issuer.mint()])


def _tokens(issuer: LocalIssuer, count: int) -> Case:
    server, tokens = resource_server(issuer, verdict_cache_size=count), [issuer.mint() for _ in range(count)]
    for token in tokens:
        server.verify(token)
    return Case(server.verify, tokens[:1])


def _scopes(issuer: LocalIssuer, count: int) -> Case:
    # Padded to one length, since hashing a longer token takes longer for every library.
    scopes = [f"s{number}" for number in range(count)]
    token = issuer.mint(scopes=scopes, claims={"padding": "x" * (6_000 - len(" ".join(scopes)))})
    return _authenticated(resource_server(issuer), token, Requirement(scopes=["s0"]))


def _applications(issuer: LocalIssuer, count: int) -> Case:
    app_ids = [*(f"app-{number}" for number in range(count - 1)), "app-orders"]
    return _authenticated(resource_server(issuer), issuer.mint(), Requirement(app_ids=app_ids))


def _routes(issuer: LocalIssuer, count: int) -> Case:
    server, token = resource_server(issuer), issuer.mint(scopes=["read:orders"])
    requirements = [Requirement(scopes=["read:orders"], app_ids=["app-orders", str(number)]) for number in range(count)]
    for requirement in requirements:
        server.authenticate([f"Bearer {token}"], requirement)
    return _authenticated(server, token, requirements[-1])


def _authenticated(server: ResourceServer, token: str, requirement: Requirement) -> Case:
    return Case(partial(server.authenticate, requirement=requirement), [[f"Bearer {token}"]])


CURVES: Mapping[str, tuple[Callable[[LocalIssuer, int], Case], int]] = {
    "issuers trusted": (_issuers, 1_000),
    "keys in the set": (_keys, 1_000),
    "tokens remembered": (_tokens, 10_000),
    "scopes in the token": (_scopes, 1_000),
    "applications a route accepts": (_applications, 10_000),
    "routes with requirements": (_routes, 10_000),
    "entries of a block list": (_blocks, 100_000),
}

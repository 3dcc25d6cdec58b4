"""What must not cost more as there is more of it: issuers, keys, remembered tokens, scopes, applications, routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from benchmarks.measure import Case, Effort, Measured, interleaved
from benchmarks.tokens import resource_server
from m2mguard import Issuer, Requirement, ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey

Build = Callable[[LocalIssuer, int], Case]


def curves(effort: Effort) -> dict[str, Mapping[int, Measured]]:
    """The time of a remembered token, by how many there are of something."""
    with LocalIssuer(algorithm="ES256") as issuer:
        return {name: _curve(issuer, build, most, effort) for name, (build, most) in CURVES.items()}


def _curve(issuer: LocalIssuer, build: Build, most: int, effort: Effort) -> dict[int, Measured]:
    cases = {str(size): build(issuer, size) for size in effort.sizes if size <= most}
    return {int(size): measured for size, measured in interleaved(cases, rounds=effort.rounds).items()}


def _issuers(issuer: LocalIssuer, count: int) -> Case:
    others = [Issuer(url=f"https://issuer-{number}.example", jwks=issuer.jwks) for number in range(count - 1)]
    server = ResourceServer([*others, Issuer(url=issuer.url, jwks=issuer.jwks)], audience=SHOPPING_API)
    return Case(server.verify, [issuer.mint()])


def _keys(issuer: LocalIssuer, count: int) -> Case:
    others = [SigningKey.generate("EdDSA").public_jwk for _ in range(count - 1)]
    key_set = {"keys": [*others, *issuer.jwks["keys"]]}
    server = ResourceServer(Issuer(url=issuer.url, jwks=key_set), audience=SHOPPING_API)
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


CURVES: Mapping[str, tuple[Build, int]] = {
    "issuers trusted": (_issuers, 1_000),
    "keys in the set": (_keys, 1_000),
    "tokens remembered": (_tokens, 10_000),
    "scopes in the token": (_scopes, 1_000),
    "applications a route accepts": (_applications, 10_000),
    "routes with requirements": (_routes, 10_000),
}

"""What must not cost more as there is more of it: issuers, keys, remembered tokens, scopes, applications, routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from benchmarks.measure import ROUNDS, Measured, calls, interleaved
from benchmarks.tokens import resource_server
from m2mguard import Issuer, Requirement, ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey

SIZES = (1, 10, 100, 1_000, 10_000)
Curve = Mapping[int, Measured]


def curves(*, rounds: int = ROUNDS, sizes: Sequence[int] = SIZES) -> dict[str, Curve]:
    """The time of a remembered token, by how many there are of something."""
    largest = max(sizes)
    with LocalIssuer(algorithm="ES256") as issuer:
        return {
            "issuers trusted": _curve([n for n in sizes if n <= 1_000], partial(_issuers, issuer), rounds),
            "keys in the set": _curve([n for n in sizes if n <= 1_000], partial(_keys, issuer), rounds),
            "tokens remembered": _curve(
                sizes, partial(_tokens, [issuer.mint() for _ in range(largest)], issuer), rounds
            ),
            "scopes in the token": _curve([n for n in sizes if n <= 1_000], partial(_scopes, issuer), rounds),
            "applications a route accepts": _curve(sizes, partial(_applications, issuer), rounds),
            "routes with requirements": _curve(sizes, partial(_routes, issuer), rounds),
        }


def _curve(sizes: Sequence[int], build: object, rounds: int) -> Curve:
    cases = {str(size): calls(build(size)) for size in sizes}  # type: ignore[operator]
    return {int(size): measured for size, measured in interleaved(cases, rounds=rounds).items()}


def _issuers(issuer: LocalIssuer, count: int) -> object:
    others = [Issuer(url=f"https://issuer-{number}.example", jwks=issuer.jwks) for number in range(count - 1)]
    server = ResourceServer([*others, Issuer(url=issuer.url, jwks=issuer.jwks)], audience=SHOPPING_API)
    return partial(server.verify, issuer.mint())


def _keys(issuer: LocalIssuer, count: int) -> object:
    others = [SigningKey.generate("EdDSA").public_jwk for _ in range(count - 1)]
    key_set = {"keys": [*others, *issuer.jwks["keys"]]}
    server = ResourceServer(Issuer(url=issuer.url, jwks=key_set), audience=SHOPPING_API)
    return partial(server.verify, issuer.mint())


def _tokens(minted: Sequence[str], issuer: LocalIssuer, count: int) -> object:
    server = resource_server(issuer, verdict_cache_size=count)
    for token in minted[:count]:
        server.verify(token)
    return partial(server.verify, minted[0])


def _scopes(issuer: LocalIssuer, count: int) -> object:
    # Padded to one length, since hashing a longer token takes longer for every library.
    scopes = [f"s{number}" for number in range(count)]
    token = issuer.mint(scopes=scopes, claims={"padding": "x" * (6_000 - len(" ".join(scopes)))})
    server, requirement = resource_server(issuer), Requirement(scopes=["s0"])
    return partial(server.authenticate, [f"Bearer {token}"], requirement)


def _applications(issuer: LocalIssuer, count: int) -> object:
    requirement = Requirement(app_ids=[*(f"app-{number}" for number in range(count - 1)), "app-orders"])
    return partial(resource_server(issuer).authenticate, [f"Bearer {issuer.mint()}"], requirement)


def _routes(issuer: LocalIssuer, count: int) -> object:
    server, header = resource_server(issuer), [f"Bearer {issuer.mint(scopes=['read:orders'])}"]
    requirements = [Requirement(scopes=["read:orders"], app_ids=["app-orders", str(number)]) for number in range(count)]
    for requirement in requirements:
        server.authenticate(header, requirement)
    return partial(server.authenticate, header, requirements[-1])

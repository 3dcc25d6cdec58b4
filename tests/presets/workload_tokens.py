"""Recorded tokens of workloads, from the public documentation that each file names, signed again by a key of ours."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from m2mguard import Caller, Issuer, Requirement, ResourceServer
from m2mguard.testing import REMOVED, SigningKey

API = "https://shopping.api"
RECORDED = {file.stem: json.loads(file.read_text()) for file in (Path(__file__).parent / "recorded").glob("*.json")}
KEYS = {alg: SigningKey.generate(alg, kid=f"key-{alg}") for alg in ("RS256", "ES256", "ES384")}
PUBLIC_KEYS = {"keys": [key.public_jwk for key in KEYS.values()]}


def verify(
    recorded: str, issuer: Issuer, requirement: Requirement | None = None, *, header: Mapping[str, object] | None = None, **changes: object
) -> Caller:  # fmt: skip
    """Verify a recorded token for our API, a minute after it was issued, with some claims changed."""
    claims = {**RECORDED[recorded]["claims"], "aud": API, **changes}
    server = ResourceServer(
        replace(issuer, jwks_uri=None, jwks=PUBLIC_KEYS), audience=API, clock=lambda: RECORDED[recorded]["claims"]["iat"] + 60
    )  # fmt: skip
    return server.verify(signed(recorded, claims, header or {}), requirement)


def signed(recorded: str, claims: Mapping[str, object], header: Mapping[str, object]) -> str:
    """Sign claims with our key for the algorithm of a recorded token."""
    given = {**RECORDED[recorded]["header"], **header}
    key = KEYS[str(given["alg"])]
    return key.sign_compact(_present({**given, "kid": key.kid}), _present(claims))


def _present(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if value is not REMOVED}

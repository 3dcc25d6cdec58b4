"""Causes that a table of options and key files cannot make: clocks that differ, fields, and settings that are functions."""

import email.utils
import time
from typing import Any, get_args

import pytest

from m2mguard import Issuer, Requirement, ResourceServer
from m2mguard._cli.advice import CauseCode
from m2mguard._cli.command_setup import CommandSetup
from m2mguard._cli.explain import explain
from m2mguard._cli.explanation_output import show_explanation
from m2mguard._cli.output import Output
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, faults
from tests.cli import test_true_causes as table

ISSUER = LocalIssuer(algorithm="ES256")  # never started: its keys are configured
EC, RSA = SigningKey.generate("ES384", kid="e"), SigningKey.generate("RS256", kid="r")
ML_DSA = SigningKey.generate("ML-DSA-44", kid="m")
RECENT, STRONG = Requirement(max_age=300), Requirement(acr=["phr", "mfa"])


def setup(issuer: Issuer | list[Issuer] | None = None) -> CommandSetup:
    own = Issuer(url=ISSUER.url, jwks=ISSUER.jwks) if issuer is None else issuer
    return CommandSetup(settings=ResourceServer(own, audience=SHOPPING_API).settings, origins={})


def cause(text: str, *, requirement: Requirement | None = None, settings: CommandSetup | None = None) -> str:
    found = explain(text, settings or setup(), requirement or Requirement(), at=None)
    assert found.advice is not None
    page = Output(colour=True, width=80)
    show_explanation(page, found)
    assert max(len(line) for line in page.text.splitlines() if not line.startswith("    ")) < 200
    return found.advice.code


def other(jwks: list[dict[str, object]], **details: Any) -> CommandSetup:
    return setup(Issuer(url=ISSUER.url, jwks={"keys": jwks}, **details))


def own_rule(claims: Any) -> bool:
    raise KeyError(claims)


CAUSES = {
    "graph_token": lambda: cause(
        RSA.sign_compact({"alg": "RS256", "kid": "r", "typ": "JWT", "nonce": "n"}, {"iss": ISSUER.url, "aud": "x"}),
        settings=other([SigningKey.generate("RS256", kid="r").public_jwk]),
    ),
    "algorithm_of_key": lambda: cause(ISSUER.mint(header={"alg": "ES384"})),
    "algorithm_not_listed": lambda: cause(ML_DSA.sign_compact({"alg": "ML-DSA-44", "kid": "m"}, {"iss": ISSUER.url})),
    "cut_off": lambda: cause(
        ML_DSA.sign_compact({"alg": "ML-DSA-44", "kid": "m"}, {"iss": ISSUER.url})[:-600],
        settings=other([ML_DSA.public_jwk], algorithms=["ML-DSA-44"]),
    ),
    "algorithm_not_supported": lambda: cause(ISSUER.mint(header={"alg": "ES256K"})),
    "no_kid": lambda: cause(
        EC.sign_compact({"alg": "ES384", "typ": "at+jwt"}, {"iss": ISSUER.url}),
        settings=other([{**EC.public_jwk, "kid": "a"}, SigningKey.generate("ES384", kid="b").public_jwk]),
    ),
    "absurd_kid": lambda: cause(ISSUER.mint(header={"kid": "k" * 600})),
    "bad_header": lambda: cause(ISSUER.mint(header={"crit": ["x"], "x": 1})),
    "changed": lambda: cause(EC.sign_compact({"alg": "ES384", "kid": "e"}, b'{"iss": "a", "iss": "b"}')),
    "too_long": lambda: cause(ISSUER.mint(claims={"groups": ["g" * 20] * 900})),
    "two_organizations": lambda: cause(
        ISSUER.mint(audience=[SHOPPING_API, "urn:logto:organization:a"], organization_id="b"),
        settings=setup(Issuer(url=ISSUER.url, jwks=ISSUER.jwks, organization_claim="organization_id")),
    ),
    "own_function": lambda: cause(ISSUER.mint(), settings=setup(Issuer(url=ISSUER.url, jwks=ISSUER.jwks, is_machine=own_rule))),
    "route_issuer": lambda: cause(ISSUER.mint(), requirement=Requirement(issuers=["https://other.example"]), settings=_two()),
    "not_a_person": lambda: cause(ISSUER.mint(), requirement=RECENT, settings=_persons()),
    "no_auth_time": lambda: cause(ISSUER.mint_user_token(), requirement=RECENT, settings=_persons()),
    "auth_time_ahead": lambda: cause(_person(auth_time=time.time() + 600), requirement=RECENT, settings=_persons()),
    "old_sign_in": lambda: cause(_person(auth_time=time.time() - 600), requirement=RECENT, settings=_persons()),
    "no_acr": lambda: cause(_person(acr=["mfa"]), requirement=STRONG, settings=_persons()),
    "other_acr": lambda: cause(_person(acr="pwd"), requirement=STRONG, settings=_persons()),
}  # fmt: skip


def _person(**claims: object) -> str:
    return ISSUER.mint_user_token(claims=claims)


def _persons() -> CommandSetup:
    own = Issuer(url=ISSUER.url, jwks=ISSUER.jwks)
    return CommandSetup(settings=ResourceServer(own, audience=SHOPPING_API, machine_only=False).settings, origins={})


def _two() -> CommandSetup:
    return setup([Issuer(url=ISSUER.url, jwks=ISSUER.jwks), Issuer(url="https://other.example", jwks=ISSUER.jwks)])


@pytest.mark.parametrize("code", CAUSES)
def test_a_rarer_cause_is_named(code):
    assert CAUSES[code]() == code


@pytest.mark.parametrize(
    ("ahead_s", "issued_s", "lifetime_s", "code"),
    [
        (600, -1000, 700, "clock_ahead"),  # by the issuer's clock it is valid for five minutes more
        (600, -10_000, 700, "expired"),  # by either clock it has expired
        (0, -1000, 700, "expired"),
        (-600, 300, 3600, "clock_behind"),
        (0, 300, 3600, "early"),
    ],
)
def test_whose_clock_is_wrong(ahead_s, issued_s, lifetime_s, code):
    with LocalIssuer(algorithm="ES256") as issuer:
        issuer.misbehave(
            "jwks", faults.Fault(headers={"Date": email.utils.formatdate(time.time() - ahead_s, usegmt=True)})
        )
        token = issuer.mint(issued_at=time.time() + issued_s, lifetime=lifetime_s)
        assert cause(token, settings=setup(Issuer(url=issuer.url))) == code


def test_a_token_of_a_withdrawn_key_is_told_from_one_of_an_unknown_key():
    with LocalIssuer(algorithm="ES256") as issuer:
        old, new = issuer.mint(lifetime=-100), issuer.mint()
        issuer.rotate()
        issuer.rotate()
        settings = setup(Issuer(url=issuer.url))
        assert (cause(old, settings=settings), cause(new, settings=settings)) == ("withdrawn_key", "unknown_key")


def test_every_cause_has_a_test():
    told = {row.cause for row in table.ROWS.values()} | set(CAUSES)
    elsewhere = {"clock_ahead", "clock_behind", "withdrawn_key", "unknown_key"}  # above
    elsewhere |= {"inactive", "introspected"}  # test_introspection.py
    elsewhere |= {"other_certificate"}  # test_certificates.py
    elsewhere |= {"blocked"}  # test_block.py
    unreachable = {
        "not_one_credential",
        "other_scheme",
        "not_a_jwt",
        "too_much",
    }  # what is pasted is read before, and has its own words
    assert set(get_args(CauseCode)) - told - elsewhere == unreachable

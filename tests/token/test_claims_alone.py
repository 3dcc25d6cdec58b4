"""Two claim checks that a `ResourceServer` never reaches, because earlier checks refuse the same tokens."""

import dataclasses

import pytest

from m2mguard._token.claims import check_claims
from m2mguard._token.token_profile import RFC9068_CLAIMS, TokenProfile, sub_is_client_id
from m2mguard.errors import InvalidToken

NOW = 1_000_000
PROFILE = TokenProfile(
    issuer="https://issuer.example",
    issuer_names=frozenset(["https://issuer.example"]),
    organization_claim=None,
    audiences=("https://shopping.api",),
    any_organization=False,
    token_types=frozenset({"at+jwt"}),
    required_claims=RFC9068_CLAIMS,
    claim_values=(),
    audience_in_scope=False,
    app_id_claim="sub",
    is_machine=sub_is_client_id,
    machine_only=False,
    scope_lists=(),
    grants=None,
    leeway=30,
)
CLAIMS = {
    "iss": "https://issuer.example",
    "aud": "https://shopping.api",
    "exp": NOW + 60,
    "iat": NOW,
    "sub": "app",
    "client_id": "app",
    "jti": "j",
}


def test_good_claims_make_a_caller():
    assert check_claims(dict(CLAIMS), "at+jwt", PROFILE, NOW).caller.app_id == "app"


@pytest.mark.parametrize("iss", ["https://issuer.example/", "https://ISSUER.example", ["https://issuer.example"], None])
def test_an_iss_of_another_issuer_than_that_of_the_key_is_refused(iss):
    with pytest.raises(InvalidToken) as refused:
        check_claims(CLAIMS | {"iss": iss}, "at+jwt", PROFILE, NOW)
    assert refused.value.reason == "unknown_issuer"


def test_a_token_without_exp_is_refused_even_if_exp_is_not_required():
    claims = {name: value for name, value in CLAIMS.items() if name != "exp"}
    with pytest.raises(InvalidToken) as refused:
        check_claims(claims, "at+jwt", dataclasses.replace(PROFILE, required_claims=frozenset()), NOW)
    assert (refused.value.reason, refused.value.detail) == ("claim", "a required claim is missing: exp")

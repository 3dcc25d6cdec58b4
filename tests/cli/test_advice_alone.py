"""Advice by itself: causes that `explain` finds earlier, in the pasted text, and that the API's own log can still meet."""

import pytest

from m2mguard import Issuer, Requirement, ResourceServer
from m2mguard._cli.advice import advise_on_refusal
from m2mguard._cli.advice.advice_types import Advice
from m2mguard._cli.context import REMOVED_BY_GOOGLE, ExplainContext, read_token
from m2mguard._cli.explain import Explanation
from m2mguard._cli.explanation_output import show_explanation
from m2mguard._cli.output import Output
from m2mguard._cli.pasted import read_pasted_text
from m2mguard._cli.recognition import recognise_token
from m2mguard._cli.recognition.token_kinds import classify_token
from m2mguard._cli.step_report import find_refusing_step, list_steps
from m2mguard.errors import InsufficientScope, InvalidRequest, InvalidToken
from m2mguard.presets import keycloak
from m2mguard.testing import SHOPPING_API, SigningKey

SETTINGS = ResourceServer(Issuer(url="https://issuer.example"), audience=SHOPPING_API).settings


def code(error, field_value):
    context = ExplainContext(token=read_token(field_value), settings=SETTINGS, requirement=Requirement(), now=0.0)
    return advise_on_refusal(error, context).code


@pytest.mark.parametrize(
    ("field_value", "expected"),
    [
        ("Bearer opaque", "opaque"),
        ("Bearer a.b.c.d.e", "encrypted"),
        ("Bearer a.b.c", "changed"),
        ("Bearer a.b", "not_a_jwt"),
        (f"Bearer a.b.{REMOVED_BY_GOOGLE}", "signature_removed"),
    ],
)
def test_a_credential_that_is_no_token_is_named_by_its_parts(field_value, expected):
    assert code(InvalidToken("malformed"), field_value) == expected


def test_a_field_that_is_not_one_credential_is_named():
    assert code(InvalidRequest("credential_grammar"), "Bearer a b") == "not_one_credential"


@pytest.mark.parametrize(
    ("claims", "typ", "expected"),
    [
        ({"iss": "https://issuer.example"}, "at+jwt", "unknown"),
        ({"sub": "a", "client_id": "a"}, "at+jwt", "app_access"),
        ({"sub": "a", "client_id": "b"}, "at+jwt", "person_access"),
        ({"sub": "a", "at_hash": "h"}, "jwt", "id_token"),
        ({"sub": "a"}, "jwt", "unknown"),
        ({"sub": "a"}, "rt+jwt", "refresh"),
    ],
)
def test_the_kind_of_a_token_of_an_unknown_issuer_follows_rfc_9068(claims, typ, expected):
    assert classify_token(None, claims, typ) == expected


KEY = SigningKey.generate("ES256", kid="k")


def advice_on(error, claims, *, settings=SETTINGS, issuer=None, header=None):
    token = KEY.sign_compact({"alg": "ES256", "kid": "k", "typ": "at+jwt"} | (header or {}), claims)
    context = ExplainContext(
        token=read_token(f"Bearer {token}"),
        recognised=recognise_token({"typ": "at+jwt"} | (header or {}), claims),
        settings=settings,
        issuer=issuer,
        requirement=Requirement(),
        now=0.0,
    )
    return advise_on_refusal(error, context)


def test_a_token_of_two_issuers_is_named_as_forged():
    error = InvalidToken("unknown_issuer", problem="contradiction")
    assert advice_on(error, {"iss": "https://issuer.example"}).code == "other_issuer"


def test_an_issuer_that_is_no_url_is_named_all_the_same():
    assert advice_on(InvalidToken("unknown_issuer"), {"iss": "http://[issuer"}).code


def test_an_audience_that_is_missing_without_scopes_is_named():
    assert advice_on(InvalidToken("audience", claim="aud"), {"iss": "https://issuer.example"}).code == "no_audience"


def test_another_apis_token_of_keycloak_needs_a_mapper_there():
    issuer = keycloak("https://sso.example.com", "shop")
    settings = ResourceServer(issuer, audience=SHOPPING_API).settings
    claims = {"iss": issuer.url, "aud": "https://other.api", "typ": "Bearer", "azp": "app", "sub": "s"}
    found = advice_on(InvalidToken("audience", claim="aud"), claims, settings=settings, issuer=issuer)
    assert found.code == "other_api"
    assert "Audience mapper" in found.cures[0].text


def test_an_id_token_with_a_wrong_audience_is_an_id_token():
    claims = {"iss": "https://tenant.logto.app/oidc", "aud": "app", "sub": "s", "at_hash": "h"}
    settings = ResourceServer(Issuer.logto("https://tenant.logto.app"), audience=SHOPPING_API).settings
    found = advice_on(InvalidToken("audience", claim="aud"), claims, settings=settings, header={"typ": "JWT"})
    assert found.code == "id_token"


def test_a_signature_that_was_cut_off_is_named():
    token = KEY.sign_compact({"alg": "ES256", "kid": "k", "typ": "at+jwt"}, {"iss": "https://issuer.example"})
    assert code(InvalidToken("signature"), f"Bearer {token[:-2]}") == "cut_off"


@pytest.mark.parametrize("advice", [None, Advice(code="opaque", wrong="token", cause="It is none.", cures=())])
def test_a_text_that_is_no_token_is_shown_with_and_without_advice(advice):
    output = Output(colour=False)
    show_explanation(output, Explanation(pasted=read_pasted_text("hello"), advice=advice))
    assert "this is not a token that can be verified" in output.text


def test_an_explanation_without_an_end_is_an_error():
    context = ExplainContext(token=read_token(""), settings=SETTINGS, requirement=Requirement(), now=0.0)
    with pytest.raises(TypeError):
        show_explanation(Output(colour=False), Explanation(pasted=read_pasted_text("hello"), context=context))


@pytest.mark.parametrize(
    ("kind", "claims", "expected"),
    [
        ("cognito", {"sub": "a", "token_use": "other"}, "unknown"),
        ("keycloak", {"sub": "a", "typ": "other"}, "unknown"),
        ("keycloak", {"sub": "a", "typ": "ID"}, "id_token"),
    ],
)
def test_the_kind_of_a_token_follows_the_products_own_claims(kind, claims, expected):
    assert classify_token(kind, claims, "jwt") == expected


def test_an_applications_token_that_needs_a_preset_is_named_where_no_machine_is_seen():
    claims = {
        "iss": "https://sso.example.com/realms/shop",
        "azp": "app",
        "typ": "Bearer",
        "sub": "s",
        "aud": SHOPPING_API,
    }
    claims["preferred_username"] = "service-account-app"
    settings = ResourceServer(Issuer(url=claims["iss"]), audience=SHOPPING_API).settings
    found = advice_on(InsufficientScope("not_a_machine"), claims, settings=settings, header={"typ": "JWT"})
    assert found.code == "needs_preset"


def test_a_logto_token_of_another_path_at_the_same_host_is_no_spelling_of_the_issuer():
    settings = ResourceServer(Issuer.logto("https://auth.example.com"), audience=SHOPPING_API).settings
    found = advice_on(
        InvalidToken("unknown_issuer"), {"iss": "https://auth.example.com/other", "sub": "s"}, settings=settings
    )
    assert found.code != "issuer_path"


def test_the_steps_of_a_credential_that_is_no_token_say_its_shape():
    context = ExplainContext(token=read_token("Bearer a.b"), settings=SETTINGS, requirement=Requirement(), now=0.0)
    texts = [step.text for step in list_steps(context, InvalidToken("malformed"))]
    assert any("3 characters in 2 segment(s)" in text for text in texts)


def test_a_claim_of_the_wrong_type_of_an_unknown_issuer_has_its_step():
    context = ExplainContext(token=read_token("Bearer a.b.c"), settings=SETTINGS, requirement=Requirement(), now=0.0)
    assert find_refusing_step(InvalidToken("claim", problem="wrong_type", claim="exp"), context) == "expiry"


KUBERNETES = {
    "iss": "https://kubernetes.default.svc",
    "aud": [SHOPPING_API],
    "sub": "system:serviceaccount:shop:orders",
    "kubernetes.io": {"namespace": "shop"},
}


@pytest.mark.parametrize(("is_machine", "expected"), [(None, "workload_token"), (lambda claims: True, "wrong_typ")])
def test_a_workloads_token_needs_settings_for_it_unless_they_are_there(is_machine, expected):
    issuer = Issuer(url=KUBERNETES["iss"], **({"is_machine": is_machine} if is_machine else {}))
    settings = ResourceServer(issuer, audience=SHOPPING_API).settings
    error = InvalidToken("token_type", claim="typ")
    found = advice_on(error, KUBERNETES, settings=settings, issuer=issuer, header={"typ": "JWT"})
    assert (found.code == "workload_token") is (expected == "workload_token")


def test_a_workload_that_is_no_machine_for_the_settings_is_named():
    found = advice_on(InsufficientScope("not_a_machine"), KUBERNETES, header={"typ": "JWT"})
    assert found.code


def test_an_id_token_of_an_unknown_product_is_told_by_its_claims():
    claims = {"iss": "https://issuer.example", "aud": SHOPPING_API, "sub": "s", "nonce": "n"}
    token = KEY.sign_compact({"alg": "ES256", "kid": "k", "typ": "JWT"}, claims)
    context = ExplainContext(token=read_token(f"Bearer {token}"), settings=SETTINGS, requirement=Requirement(), now=0.0)
    assert advise_on_refusal(InvalidToken("token_type", claim="typ"), context).code == "id_token"

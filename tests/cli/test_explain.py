"""`m2mguard explain`: the library's verdict, the step that gave it, and what to change."""

import ast
import functools
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import m2mguard
from m2mguard import Issuer, Requirement, ResourceServer
from m2mguard._cli.advice import ADVICE
from m2mguard._cli.command_setup import CommandSetup
from m2mguard._cli.context import read_token
from m2mguard._cli.explain import explain as explained
from m2mguard._cli.explanation_output import format_explanation_json, show_explanation
from m2mguard._cli.output import Output
from m2mguard._cli.step_report import _STEP_BY_REASON
from m2mguard.testing import REMOVED, SHOPPING_API, LocalIssuer, SigningKey, faults

STRANGER = SigningKey.generate("ES384")


@pytest.fixture(scope="module")
def issuer():
    with LocalIssuer() as running:
        yield running


REFUSED = {
    # what is wrong: (the token, options, the step that refuses, the reason, words of the hint)
    "cut off": (lambda i: i.mint()[:-3], [], "form", "malformed", "its end is missing"),
    "not JSON": (lambda i: STRANGER.sign_compact({"alg": "ES384", "kid": "k"}, b"[]"), [], "form", "malformed", "Copy it whole"),
    "an extension": (lambda i: i.mint(header={"crit": ["x"], "x": 1}), [], "header", "malformed", "header is not valid"),
    "alg no string": (lambda i: i.mint(header={"alg": 1}), [], "header", "malformed", "header is not valid"),
    "no kid and no key": (
        lambda i: i.mint(header={"kid": REMOVED, "alg": "RS256"}), [], "key", "unknown_key", "names no key (kid)",
    ),
    "a kid too long": (lambda i: i.mint(header={"kid": "k" * 513}), [], "header", "unknown_key", "forged or damaged"),
    "no issuer": (lambda i: i.mint(claims={"iss": REMOVED}), [], "issuer", "unknown_issuer", "names no issuer"),
    "other tenant": (lambda i: i.mint(claims={"iss": "https://o.example/oidc"}), [], "issuer", "unknown_issuer", "two names"),
    "issuer with a slash": (lambda i: i.mint(claims={"iss": i.url + "/"}), [], "issuer", "unknown_issuer", "slash"),
    "symmetric": (lambda i: i.mint(header={"alg": "HS256"}), [], "algorithm", "algorithm", "shared secret"),
    "other algorithm": (lambda i: i.mint(header={"alg": "RS256"}), [], "key", "algorithm", "for another algorithm"),
    "unknown key": (lambda i: i.mint(key=STRANGER), [], "key", "unknown_key", "does not publish"),
    "forged": (lambda i: i.mint(key=STRANGER.using(kid=i.current_key.kid)), [], "signature", "signature", "forged"),
    "ID token": (LocalIssuer.mint_id_token, [], "type", "token_type", "ID token"),
    "type JWT": (lambda i: i.mint(header={"typ": "JWT"}), [], "type", "token_type", "M2MGUARD_TOKEN_TYPES"),
    "no jti": (lambda i: i.mint(claims={"jti": REMOVED}), [], "claims", "claim", "The token has no jti"),
    "bound": (lambda i: i.mint(claims={"cnf": {}}), [], "binding", "claim", "DPoP"),
    "other API": (lambda i: i.mint(audience="https://o.api"), [], "audience", "audience", f"resource={SHOPPING_API}"),
    "API with a slash": (lambda i: i.mint(audience=SHOPPING_API + "/"), [], "audience", "audience", "slash"),
    "aud a number": (lambda i: i.mint(claims={"aud": 7}), [], "audience", "audience", "another API"),
    "organization token": (
        LocalIssuer.mint_organization_token, [], "audience", "audience", "M2MGUARD_ORGANIZATIONS=true",
    ),
    "expired": (lambda i: i.mint(lifetime=-200), [], "expiry", "expired", "Get a new token"),
    "exp a string": (lambda i: i.mint(claims={"exp": "soon"}), [], "expiry", "claim", "script"),
    "early": (lambda i: i.mint(issued_at=time.time() + 90), [], "start", "not_yet_valid", "Compare this machine's clock"),
    "far too early": (lambda i: i.mint(claims={"nbf": 9e9}), [], "start", "not_yet_valid", "may have set it"),
    "iat a string": (lambda i: i.mint(claims={"iat": "now"}), [], "start", "claim", "script"),
    "nbf a string": (lambda i: i.mint(claims={"nbf": "now"}), [], "start", "claim", "script"),
    "sub empty": (lambda i: i.mint(claims={"sub": ""}), [], "app id", "claim", "script"),
    "client_id a number": (lambda i: i.mint(claims={"client_id": 7}), [], "app id", "claim", "script"),
    "scope a list": (lambda i: i.mint(claims={"scope": ["a"]}), [], "scopes", "claim", 'scope_lists=["scope"]'),
    "scope a number": (lambda i: i.mint(claims={"scope": 7}), [], "scopes", "claim", "script"),
    "organization_id empty": (lambda i: i.mint(organization_id=""), [], "organization", "claim", "script"),
    "two organizations": (
        lambda i: i.mint(audience=[SHOPPING_API, "urn:logto:organization:a"], organization_id="b"),
        [], "organization", "claim", "script",
    ),
    "jti a number": (lambda i: i.mint(claims={"jti": 7}), [], "token id", "claim", "script"),
    "a person's": (LocalIssuer.mint_user_token, [], "machine", "not_a_machine", "client_credentials"),
    "in an organization": (lambda i: i.mint(organization_id="blue"), [], "route org", "organization", "--organization"),
    "in another one": (
        lambda i: i.mint(organization_id="blue"), ["--organization", "red"], "route org", "organization", '"red"',
    ),
    "other app": (lambda i: i.mint(), ["--app-id", "app-x"], "route app", "application", '"app-x"'),
    "no scope": (lambda i: i.mint(scopes=[]), ["--scope", "a"], "route scopes", "scope", "no scopes at all"),
    "other scope": (lambda i: i.mint(scopes=["read:orders"]), ["--scope", "a"], "route scopes", "scope", "leaves out what is not granted"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_a_refusal_is_shown_at_its_step_with_its_reason_and_what_to_change(explain, issuer, what):
    make, options, step, reason, advice = REFUSED[what]
    token = make(issuer)
    status, page = explain(token, *options)
    assert status == 1
    assert "." not in token or token.rpartition(".")[2][:16] not in page
    assert re.findall(r"^(?:NO|\?\?)  (.{14}) ", page, re.MULTILINE) == [step.ljust(14)]
    assert f"\nRefused, {reason}: " in page
    assert advice in page.partition("\nCause: ")[2]
    before, after = page.split("\nNO ") if not page.startswith("NO ") else ("", page)
    assert all(line.startswith("ok ") for line in before.splitlines())
    assert "\nok " not in after


SIGN_INS = {
    # what is wrong: (the claims, the reason, words of the step, words of the advice)
    "too old": ({"auth_time": 1_790_000_000 - 3600}, "max_age", "60 minutes ago", "with max_age=300"),
    "no time": ({}, "max_age", "auth_time is missing", "Write auth_time into access tokens"),
    "text for a time": ({"auth_time": "now"}, "max_age", 'auth_time is "now"', "cannot be used"),
    "ahead": (
        {"auth_time": 1_790_000_000 + 3600},
        "max_age",
        "60 minutes in the future",
        "Compare this machine's clock",
    ),
    "other means": ({"auth_time": 1_790_000_000, "acr": "pwd"}, "acr", 'acr "pwd"', 'acr_values="phr mfa"'),
    "no means": ({"auth_time": 1_790_000_000}, "acr", "no acr", "Write acr into access tokens"),
}


@pytest.mark.parametrize("what", SIGN_INS)
def test_a_sign_in_that_is_not_good_enough_is_explained(explain, issuer, monkeypatch, what):
    monkeypatch.setenv("M2MGUARD_MACHINE_ONLY", "false")
    claims, reason, found, advice = SIGN_INS[what]
    asked = ("--max-age", "300", "--acr", "phr", "--acr", "mfa", "--at", "1790000000")
    mint = functools.partial(issuer.mint_user_token, issued_at=1_790_000_000)
    status, page = explain(mint(claims=claims), *asked)
    [step] = re.findall(r"^NO  route sign-in +(.+)$", page, re.MULTILINE)
    assert (status, f"Refused, {reason}: " in page) == (1, True)
    assert found in step
    assert step.endswith('the route requires: a person\'s sign-in, at most 300 s ago, acr "phr" or "mfa"')
    assert advice in page.partition("\nCause: ")[2]
    assert 'acr_values="phr mfa", max_age="300"' in page
    status, page = explain(mint(claims={"auth_time": 1_790_000_000, "acr": "mfa"}), *asked)
    assert (status, re.findall(r"^(..)  route sign-in ", page, re.MULTILINE)) == (0, ["ok"])


def test_a_sign_in_is_asked_of_persons_only(explain, issuer, monkeypatch):
    status, page = explain(issuer.mint_user_token(), "--max-age", "300")
    assert (status, "M2MGUARD_MACHINE_ONLY=false" in page) == (2, True)
    monkeypatch.setenv("M2MGUARD_MACHINE_ONLY", "false")
    status, page = explain(issuer.mint(), "--max-age", "300")
    assert (status, "Refused, not_a_person: " in page) == (1, True)
    assert "route sign-in" not in explain(issuer.mint())[1]


@pytest.mark.parametrize("what", REFUSED)
def test_the_answer_shown_is_the_one_that_the_caller_gets(explain, issuer, what):
    make, options, *_ = REFUSED[what]
    token = make(issuer)
    _, page = explain(token, *options)
    asked = dict(zip(options[::2], options[1::2], strict=True))
    requirement = m2mguard.Requirement(
        scopes=[asked["--scope"]] if "--scope" in asked else (),
        app_ids=[asked["--app-id"]] if "--app-id" in asked else (),
        organization=asked.get("--organization"),
    )
    server = m2mguard.ResourceServer(m2mguard.Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    with pytest.raises(m2mguard.AuthError) as refused:
        server.authenticate([f"Bearer {token}"], requirement)
    answer = server.answer(refused.value)
    assert f"\n    {answer.status}\n    WWW-Authenticate: {answer.headers['WWW-Authenticate']}\n" in page
    assert f"\n    {answer.body.decode()}\n" in page


def test_a_good_token_passes_every_step(explain, issuer):
    status, page = explain(issuer.mint(scopes=["read:orders"]), "--scope", "read:orders", "--app-id", "app-orders")
    steps, _, verdict = page.partition("\n\n")
    assert status == 0
    assert {line[:2] for line in steps.splitlines()} == {"ok"}
    assert verdict == 'Accepted: the caller is "app-orders", its scopes: "read:orders".\n'
    key = issuer.current_key
    assert f"thumbprint {key.kid}, for ES384; found at {issuer.jwks_uri}" in steps


@pytest.mark.parametrize(
    "form", ["{}", "{}\n", "Bearer {}", "bearer  {}", "Authorization: Bearer {}\r\n", "authorization:Bearer {}"]
)
def test_the_token_may_come_alone_or_as_the_field(explain, issuer, form):
    assert explain(form.format(issuer.mint()))[0] == 0


def test_a_dash_means_standard_input_as_elsewhere(explain, issuer):
    assert explain(issuer.mint(), "-")[0] == 0


def test_a_person_is_welcome_where_the_settings_say_so(explain, issuer, monkeypatch):
    monkeypatch.setenv("M2MGUARD_MACHINE_ONLY", "false")
    status, page = explain(issuer.mint_user_token())
    assert status == 0
    assert "sub is not client_id; expected: a machine's token, or a person's" in page


def test_the_key_of_a_token_without_kid_is_explained(run):
    with LocalIssuer() as own:
        arguments = ["explain", "--issuer", own.url, "--audience", SHOPPING_API]
        token = own.mint(header={"kid": REMOVED})
        status, page = run(*arguments, given=token)
        assert status == 0
        assert 'alg "ES384", no kid, typ "at+jwt"' in page
        assert f'no kid; thumbprint {own.current_key.kid}, the only one for "ES384"; found at' in page
        own.rotate(grace=True)
        status, page = run(*arguments, given=token)
        assert status == 1
        assert 'no kid, and 2 keys for "ES384"; expected: one; found at' in page
        assert "Let the issuer write kid into its tokens" in page


def test_a_key_without_kid_is_shown_for_a_token_whose_kid_no_key_has(run, tmp_path):
    with LocalIssuer() as own:
        file = tmp_path / "jwks.json"
        file.write_text(json.dumps({"keys": [{**own.current_key.public_jwk, "kid": None}]}))
        arguments = ["explain", "--issuer", own.url, "--audience", SHOPPING_API, "--jwks", str(file)]
        status, page = run(*arguments, given=own.mint())
        assert status == 0
        assert f"thumbprint {own.current_key.kid}, for ES384; configured" in page
        assert "no key has this kid" in run(*arguments, given=own.mint(key=SigningKey.generate("RS256")))[1]


def test_an_organization_that_the_route_names_is_accepted(explain, issuer):
    assert explain(issuer.mint(organization_id="blue"), "--organization", "blue")[0] == 0
    assert explain(issuer.mint(organization_id="blue"), "--organization", "*")[0] == 0


def test_organization_audiences_are_accepted_where_the_settings_say_so(run, issuer, monkeypatch):
    monkeypatch.setenv("M2MGUARD_LOGTO_ENDPOINT", issuer.endpoint)
    monkeypatch.setenv("M2MGUARD_ORGANIZATIONS", "true")
    monkeypatch.setenv("M2MGUARD_AUDIENCE", SHOPPING_API)
    status, page = run("explain", "--organization", "org-blue", given=issuer.mint_organization_token())
    assert status == 0
    assert f'expected: "{SHOPPING_API}" or any organization' in page


def test_logtos_endpoint_given_as_issuer_is_recognized(run, issuer):
    status, page = run("explain", "--issuer", issuer.endpoint, "--audience", SHOPPING_API, given=issuer.mint())
    assert status == 1
    assert "use --logto" in page


def test_the_token_may_be_of_any_of_several_issuers(run, issuer):
    other = ("--issuer", "https://issuer.example")
    status, page = run("explain", *other, "--issuer", issuer.url, "--audience", SHOPPING_API, given=issuer.mint())
    assert status == 0
    assert f'expected: one of "https://issuer.example", "{issuer.url}"' in page


def test_a_token_can_be_looked_at_as_of_another_time(explain, issuer):
    token = issuer.mint(issued_at=1_700_000_000, lifetime=3600)
    for inside in ("1700000010", "2023-11-14T22:13:30Z", "2023-11-14T22:13:30", "2023-11-14T23:13:30+01:00"):
        status, page = explain(token, "--at", inside)
        assert status == 0
        assert "exp is 2023-11-14 23:13:20 UTC: expires in 59 minutes; leeway 30 s" in page
        assert "iat is 2023-11-14 22:13:20 UTC: issued 10 seconds ago" in page
    status, page = explain(token, "--at", "2023-11-15")
    assert status == 1
    assert "expired 46 minutes ago" in page


def test_a_key_set_from_a_file_needs_no_issuer_that_answers(run, tmp_path):
    issuer = LocalIssuer()  # never started
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps(issuer.jwks))
    settings = ("--logto", issuer.endpoint, "--audience", SHOPPING_API, "--jwks", str(file))
    status, page = run("explain", *settings, given=issuer.mint())
    assert status == 0
    assert "for ES384; configured" in page
    assert run("explain", *settings, given=issuer.mint(key=STRANGER))[0] == 1


def test_an_unknown_issuer_is_never_asked(explain, issuer):
    issuer.reset_counts()
    explain(issuer.mint(claims={"iss": "https://elsewhere.example"}))
    assert issuer.count() == 0


def test_an_issuer_in_trouble_is_no_refusal(explain, issuer):
    issuer.misbehave("jwks", faults.status(500))
    try:
        status, page = explain(issuer.mint())
    finally:
        issuer.behave()
    assert status == 3
    assert "\n??  key             no keys are available\n" in page
    assert "\nCould not check: " in page
    assert f"asked       {issuer.jwks_uri}: status 500\n" in page
    assert "problem     the key set was answered with status 500" in page
    assert "\n    503\n    Retry-After: " in page
    assert "Cause:" not in page


def test_an_accepted_token_s_signature_is_not_shown(explain, issuer):
    token = issuer.mint()
    assert token.rpartition(".")[2][:16] not in explain(token)[1]


def test_what_is_read_of_a_token_does_not_hold_its_signature(issuer):
    token = issuer.mint()
    assert token.rpartition(".")[2] not in repr(read_token(f"Bearer {token}"))


def other_issuer(tmp_path, monkeypatch, issuer: LocalIssuer, **details: object) -> list[str]:
    """Write a module that makes an Issuer with these details and the local issuer's keys, and name it."""
    module = f"trust_{tmp_path.name.replace('-', '_')}"
    details = {"url": issuer.url, "jwks": issuer.jwks, **details}
    (tmp_path / f"{module}.py").write_text(
        f"from m2mguard import Issuer\nissuer = Issuer(**{details!r})\nothers = [issuer]\n"
    )
    monkeypatch.chdir(tmp_path)
    return ["explain", "--app", f"{module}:issuer", "--audience", SHOPPING_API]


COGNITO: dict[str, Any] = {
    "token_types": [None],
    "required_claims": ["iss", "exp", "sub", "client_id"],
    "claim_values": {"token_use": ["access"]},
    "audience_in_scope": True,
}


LIKE_COGNITO = {"aud": REMOVED, "token_use": "access", "scope": f"{SHOPPING_API}/read:orders"}


def cognito_token(issuer: LocalIssuer, **claims: object) -> str:
    return issuer.mint(header={"typ": REMOVED}, claims=LIKE_COGNITO | claims)


def test_an_issuer_that_needs_code_is_named_in_code(run, issuer, tmp_path, monkeypatch):
    arguments = other_issuer(tmp_path, monkeypatch, issuer, **COGNITO)
    status, page = run(*arguments, given=cognito_token(issuer))
    assert status == 0
    assert "ok  type            no typ; expected: no typ\n" in page
    assert 'ok  kind            token_use "access", expected: "access"\n' in page
    assert f'before the last / in scope "{SHOPPING_API}/read:orders"; expected: "{SHOPPING_API}"' in page


@pytest.mark.parametrize("use", ["id", ["access"], REMOVED])
def test_another_kind_of_token_is_refused_for_its_kind(run, issuer, tmp_path, monkeypatch, use):
    arguments = other_issuer(tmp_path, monkeypatch, issuer, **COGNITO)
    status, page = run(*arguments, given=cognito_token(issuer, token_use=use))
    assert status == 1
    assert "\nNO  kind " in page
    assert "another kind of" in page.replace("\n", " ")


def test_other_names_for_app_id_and_scopes_are_followed(run, issuer, tmp_path, monkeypatch):
    arguments = other_issuer(tmp_path, monkeypatch, issuer, app_id_claim="azp", scope_lists=["permissions"])
    good = issuer.mint(claims={"azp": "app-7", "permissions": ["a"], "scope": REMOVED})
    status, page = run(*arguments, "--scope", "a", given=good)
    assert status == 0
    assert 'client_id "app-orders", azp "app-7"' in page
    assert '  no scope, permissions ["a"]\n' in page
    lacking = run(*arguments, "--scope", "b", given=good)[1]
    assert 'Cause: The token has "a", not "b".' in lacking
    for claims, step in (
        ({"azp": 7}, "app id"),
        ({"azp": REMOVED}, "app id"),
        ({"azp": "a", "permissions": 7}, "scopes"),
    ):
        assert f"\nNO  {step} " in run(*arguments, given=issuer.mint(claims=claims))[1]


def test_a_rule_for_machines_that_stands_in_code_is_not_explained_by_logtos(run, issuer, tmp_path, monkeypatch):
    (tmp_path / "own_rule.py").write_text(
        "import json\nfrom m2mguard import Issuer\n"
        f"issuer = [Issuer(url={issuer.url!r}, jwks={issuer.jwks!r}, is_machine=lambda claims: claims['robot'])]\n"
    )
    monkeypatch.chdir(tmp_path)
    arguments = ["explain", "--app", "own_rule:issuer", "--audience", SHOPPING_API]
    status, page = run(*arguments, given=issuer.mint_user_token(claims={"robot": 1}))
    assert status == 0
    assert "ok  machine         expected: a machine's token\n" in page
    status, page = run(*arguments, given=issuer.mint())
    assert status == 1
    assert "\nNO  machine " in page
    assert "the function is_machine failed with these claims: it raised KeyError" in page


@pytest.mark.parametrize("place", ["nowhere:issuer", "json:nothing", "json:loads", "json", "json:", ":x", ""])
def test_a_place_without_an_issuer_is_wrong_usage(run, place):
    status, page = run("keys", "--app", place)
    assert status == 2
    assert page.splitlines()[-1].startswith("m2mguard keys: error: ")


def test_the_settings_are_taken_from_an_application(run, issuer, tmp_path, monkeypatch):
    (tmp_path / "shop_in_code.py").write_text(
        "from fastapi import FastAPI, Security\nfrom m2mguard import Issuer, ResourceServer\nfrom m2mguard.fastapi import M2MAuth\n"
        f"auth = M2MAuth(ResourceServer(Issuer.logto({issuer.endpoint!r}), audience='https://own.api'))\n"
        "app = FastAPI(dependencies=[Security(auth)])\napp.get('/')(lambda: 1)\n"
    )
    monkeypatch.chdir(tmp_path)
    token = issuer.mint(audience="https://own.api")
    assert run("explain", "--app", "shop_in_code:app", given=token)[0] == 0
    assert (
        run("explain", "--app", "shop_in_code:app", "--audience", "https://other.api", given=token)[0] == 1
    )  # options come first
    assert run("keys", "--app", "shop_in_code:app")[0] == 0


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**39), 10**39)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
CLAIM_NAMES = (
    "iss",
    "aud",
    "exp",
    "nbf",
    "iat",
    "sub",
    "client_id",
    "jti",
    "scope",
    "organization_id",
    "token_use",
    "cnf",
    "azp",
)
STANDING = LocalIssuer()  # never started: its keys are configured
ODD_SETUP = CommandSetup(
    settings=ResourceServer(
        Issuer(url=STANDING.url, jwks=STANDING.jwks, app_id_claim="azp", scope_lists=["roles"], **COGNITO),
        audience=SHOPPING_API,
    ).settings,
    origins={},
)


@given(
    claims=st.dictionaries(st.sampled_from(CLAIM_NAMES) | st.text(), JSON_VALUES | st.just(REMOVED), max_size=5),
    header=st.dictionaries(
        st.sampled_from(("alg", "kid", "typ")) | st.text(), JSON_VALUES | st.just(REMOVED), max_size=2
    ),
)
@settings(max_examples=150, deadline=None)
def test_no_token_however_odd_breaks_the_page(claims, header):
    token = STANDING.mint(header={"typ": REMOVED} | header, claims={"azp": "a"} | LIKE_COGNITO | claims)
    verdict = explained(token, ODD_SETUP, Requirement(), at=None)
    json.loads(format_explanation_json(verdict))
    page = Output(colour=False)
    show_explanation(page, verdict)
    assert page.text.isascii()
    assert page.text.replace("\n", "").isprintable()
    assert ("Accepted" in page.text) == (verdict.caller is not None)


def test_nothing_in_a_token_can_command_the_terminal(explain, issuer):
    evil = "\x1b]0;owned\x07\x9b31m\x7f\u202e\n" * 3
    claims = dict.fromkeys(("sub", "client_id", "jti", "scope", "organization_id", "exp"), evil)
    token = issuer.mint(claims=claims | {"aud": [SHOPPING_API, evil]}, header={"typ": "at+jwt", "extra": evil})
    for page in (
        explain(token)[1],
        explain(issuer.mint(claims={"iss": evil, evil: 1}))[1],
        explain(issuer.mint(header={"kid": evil, "typ": evil}))[1],
        explain(issuer.mint(claims={"sub": evil, "client_id": evil, "scope": evil}))[1],
    ):
        assert page.isascii()
        assert page.replace("\n", "").isprintable()


def test_a_long_value_is_shortened(explain, issuer):
    page = explain(issuer.mint(claims={"jti": "j" * 5_000}))[1]
    assert max(len(line) for line in page.splitlines()) < 400
    assert "... (5,002 characters)" in page


def test_a_giant_time_is_shown_as_it_is(explain, issuer):
    status, page = explain(issuer.mint(claims={"exp": 10**30}))
    assert status == 0
    assert f"exp is {10**30}: expires in " in page


def test_what_is_no_date_is_not_called_one(explain, issuer):
    assert "exp is true; leeway" in explain(issuer.mint(claims={"exp": True}))[1]


def test_every_reason_the_library_knows_has_its_step_and_its_hint():
    errors = {
        "MissingToken",
        "InvalidRequest",
        "InvalidToken",
        "InsufficientScope",
        "InsufficientUserAuthentication",
        "KeysUnavailable",
    }
    package = Path(m2mguard.__file__).parent
    calls = [
        node
        for folder in ("_token", "_server", "_keys", "_introspection", "blocklist")
        for file in (package / folder).glob("*.py")
        if file.stem != "dpop_check"  # a proof is part of a request, and `explain` is given a token
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) in errors
    ]
    reasons = {one.value for call in calls for one in ast.walk(call.args[0]) if isinstance(one, ast.Constant)}
    assert len(reasons) > 15
    assert reasons == set(_STEP_BY_REASON)
    assert reasons - {"keys_unavailable", "key_not_fetched", "introspection_unavailable"} == set(ADVICE)


@pytest.mark.parametrize("audience", ["https://[", "https://shopping.api/"])
def test_an_audience_that_is_no_uri_is_refused_as_any_other(explain, issuer, audience):
    status, page = explain(issuer.mint(audience=audience))
    assert status == 1
    assert "Refused, audience: " in page

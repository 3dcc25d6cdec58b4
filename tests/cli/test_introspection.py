"""`explain` and `doctor` with an issuer that is asked about opaque tokens."""

import json
import textwrap

import pytest

from m2mguard.testing import LocalIssuer, faults

SECRET = "secret-of-app-admin"


@pytest.fixture
def issuer():
    with LocalIssuer(algorithm="ES256") as running:
        yield running


@pytest.fixture
def command(run, issuer, tmp_path, monkeypatch):
    """`status, page = command("explain", given=token)`, with the settings of an application that introspects."""

    def run_it(name, *options, given="", **introspection):
        options = (*options,) if name == "doctor" else ("--scope", "read:orders", *options)
        module = tmp_path / "orders_api.py"
        module.write_text(
            textwrap.dedent(f"""
            from m2mguard import Introspection, Issuer, ResourceServer
            from m2mguard.client import ClientSecret

            server = ResourceServer(
                Issuer(
                    url="{issuer.url}",
                    introspection=Introspection(
                        **{{"client_id": "app-admin", "timeout": 30}} | {introspection!r},
                        authentication=ClientSecret("{SECRET}" if "{introspection.get("client_id", "")}" == "" else "wr0ng"),
                    ),
                ),
                audience="https://shopping.api",
            )
            """)
        )
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(__import__("sys").modules, "orders_api", raising=False)
        return run(name, "--app", "orders_api:server", *options, given=given)

    return run_it


def test_an_opaque_token_is_asked_about(command, issuer):
    token = issuer.mint_opaque(scopes=["read:orders"])
    status, page = command("explain", given=f"Authorization: Bearer {token}")
    assert status == 0
    assert "opaque, so its issuer is asked" in page
    assert f"{issuer.introspection_endpoint} says that it is active" in page
    assert "Accepted: the caller is" in page
    assert token not in page
    assert SECRET not in page


@pytest.mark.parametrize(
    ("token", "reason", "words"),
    [
        (lambda i: "an-invented-opaque-token", "inactive", "says that it is not active"),
        (lambda i: i.mint_opaque(audience="https://other.api"), "audience", "https://other.api"),
        (lambda i: i.mint_opaque(user_id="alice"), "not_a_machine", "person"),
        (lambda i: i.mint_opaque(scopes=["write:orders"]), "scope", "read:orders"),
        (lambda i: i.mint_opaque(claims={"cnf": {}}), "claim", "bound to a key"),
    ],
    ids=["inactive", "audience", "person", "scope", "bound"],
)
def test_a_refusal_says_what_the_issuer_said(command, issuer, token, reason, words):
    given = token(issuer)
    status, page = command("explain", given=given)
    assert status == 1
    assert f"Refused, {reason}: " in page
    assert words in page
    assert "What to do:" in page
    assert given not in page
    found = json.loads(command("explain", "--json", given=given)[1])
    assert (found["accepted"], found["error"]["reason"]) == (False, reason)
    assert found["cause"]["code"] == ("inactive" if reason == "inactive" else "introspected")
    assert [step["state"] for step in found["steps"]][-1] == "refused"


def test_what_could_not_be_asked_is_no_refusal(command, issuer):
    token = issuer.mint_opaque()
    issuer.misbehave("introspection", faults.status(403))
    status, page = command("explain", given=token)
    assert status == 3
    assert "Could not check" in page
    assert "does not accept this API's credentials" in page
    assert token not in page


def test_a_token_that_is_too_long_is_not_asked_about(command, issuer):
    status, page = command("explain", given="A" * 17_000)
    assert (status, issuer.count("introspection")) == (1, 0)
    assert "Refused, malformed: " in page


def test_without_introspection_an_opaque_token_is_only_named(explain, issuer):
    status, page = explain(issuer.mint_opaque())
    assert status == 1
    assert "This is an opaque token" in page
    assert issuer.count("introspection") == 0


def test_a_jwt_is_explained_as_before(command, issuer):
    status, page = command("explain", given=issuer.mint(header={"typ": "at+jwt"}, scopes=["read:orders"]))
    assert (status, issuer.count("introspection")) == (0, 0)
    assert "signature" in page


def test_doctor_asks_about_a_made_up_token(command, issuer):
    _, page = command("doctor")
    assert f"Introspection at {issuer.url}" in page
    assert "the credentials are accepted; a made-up token is not active" in page
    assert issuer.count("introspection") == 1
    assert SECRET not in page


@pytest.mark.parametrize(
    ("fault", "introspection", "code"),
    [
        (None, {"client_id": "app-orders"}, "does not accept this API's credentials (status 401)"),
        (faults.status(500), {}, "answered with status 500"),
        (
            faults.members(active=True, client_id="a", aud="https://shopping.api", exp=4e9),
            {},
            "made-up token is active",
        ),
        (faults.members(active=True, client_id="a", aud="https://other.api", exp=4e9), {}, "made-up token is active"),
        (faults.html(), {}, "answer is not application/json"),
    ],
    ids=["credentials", "status", "active", "active elsewhere", "html"],
)
def test_doctor_finds_what_is_wrong_with_introspection(command, issuer, fault, introspection, code):
    if fault is not None:
        issuer.misbehave("introspection", fault)
    status, page = command("doctor", **introspection)
    assert status == 1
    assert code in " ".join(page.split())

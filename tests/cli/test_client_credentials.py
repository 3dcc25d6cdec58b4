"""The App ID and the App Secret on the command line, and the token request that is made with them."""

import io
import json
import sys
from urllib.parse import parse_qs

import jwt
import pytest

from m2mguard._cli.command import main
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey
from tests.client_keys import private_pem

APP = ("--app-id", "app-orders")
SECRET = "secret-of-app-orders"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def ask(run, issuer):
    return lambda *arguments: run("token", "--logto", issuer.endpoint, "--resource", SHOPPING_API, *APP, *arguments)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"\xff\xfe", "the file is not text"), (b" \n", "the file is empty"), (None, "the file cannot be read")],
)
def test_a_secret_file_without_a_secret_is_refused(ask, tmp_path, content, sentence):
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    status, told = ask("--secret-file", str(file))
    assert status == 2
    assert sentence in told


def test_at_a_terminal_the_secret_is_asked_for_and_not_shown(issuer, monkeypatch, capsys):
    prompts = []
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr("getpass.getpass", lambda prompt: prompts.append(prompt) or f" {SECRET}\n")
    assert main(["token", "--logto", issuer.endpoint, "--resource", SHOPPING_API, *APP]) == 0
    assert prompts == ["App Secret of app-orders (it will not be shown): "]
    captured = capsys.readouterr()
    assert SECRET not in captured.out + captured.err


@pytest.mark.parametrize("pair", ["audience", "=x"])
def test_a_parameter_without_a_name_or_a_value_is_refused(ask, monkeypatch, pair):
    monkeypatch.setenv("SECRET", SECRET)
    status, told = ask("--secret-variable", "SECRET", "--parameter", pair)
    assert status == 2
    assert "give NAME=VALUE" in told


def test_another_token_endpoint_is_asked_with_the_given_parameters(run, issuer, monkeypatch):
    monkeypatch.setenv("SECRET", SECRET)
    given = ("--issuer", issuer.url, "--token-endpoint", issuer.token_endpoint, "--parameter", "tenant=blue")
    status, _ = run("token", *given, *APP, "--resource", SHOPPING_API, "--secret-variable", "SECRET")
    assert status == 0
    [request] = [one for one in issuer.requests if one.endpoint == "token"]
    assert b"tenant=blue" in request.body


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_standard_output_has_the_token_or_nothing(issuer, monkeypatch, capsys, form):
    """`TOKEN=$(m2mguard token ...)` must never send an error as a token."""
    monkeypatch.setenv("SECRET", SECRET)
    monkeypatch.setenv("WRONG", "another")
    command = ["token", "--logto", issuer.endpoint, "--resource", SHOPPING_API, *APP, *form, "--secret-variable"]
    assert main([*command, "SECRET"]) == 0
    given = capsys.readouterr()
    assert issuer.url in json.dumps(decoded(given.out, as_json=bool(form)))
    assert given.err == ""
    assert main([*command, "WRONG"]) == 1
    refused = capsys.readouterr()
    assert (refused.out, refused.err[:19]) == ("", "NO  no token       ")
    issuer.stop()
    assert main([*command, "SECRET"]) == 3
    unanswered = capsys.readouterr()
    assert (unanswered.out, unanswered.err[:19]) == ("", "NO  no token       ")


def decoded(output: str, *, as_json: bool) -> object:
    token = json.loads(output)["access_token"] if as_json else output.removesuffix("\n")
    return jwt.decode(token, options={"verify_signature": False})


def test_a_key_or_an_assertion_is_sent_instead_of_a_secret(run, tmp_path):
    """A local issuer knows secrets only, so it refuses; it records what it was sent."""
    key = SigningKey.generate("ES256")
    files = {name: tmp_path / name for name in ("key", "assertion")}
    files["key"].write_bytes(private_pem(key))
    files["assertion"].write_text(key.sign_compact({"alg": "ES256"}, {"sub": "app-orders"}) + "\n")
    with LocalIssuer() as issuer:
        where = ("token", "--issuer", issuer.url, "--resource", SHOPPING_API, *APP)
        for given in (
            ("--key-file", str(files["key"]), "--key-id", "k"),
            ("--assertion-file", str(files["assertion"])),
        ):
            status, told = run(*where, *given)
            assert (status, "client_authentication" in told or "invalid_client" in told) == (1, True), told
        by_key, by_file = (parse_qs(one.body.decode()) for one in issuer.requests if one.endpoint == "token")
    assert by_file["client_assertion"] == [files["assertion"].read_text().strip()]
    assert by_key["client_assertion"] != by_file["client_assertion"]
    assert "client_secret" not in by_key | by_file


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("--key-file", "/no/such/key"), 'the file "/no/such/key" cannot be read'),
        (("--key-id", "k", "--secret-file", "/dev/null"), "--key-id has no effect without --key-file"),
        (("--key-file", "a", "--assertion-file", "b"), "--key-file and --assertion-file: give one of them"),
    ],
    ids=["no file", "no key", "two ways"],
)
def test_a_way_to_authenticate_that_cannot_work_is_refused(ask, given, sentence):
    status, told = ask(*given)
    assert (status, sentence in told) == (2, True), told

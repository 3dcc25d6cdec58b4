"""What is given instead of a file with a key, a certificate or an assertion: nobody waits for it, and no message quotes it."""

import base64
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from m2mguard import ConfigurationError
from m2mguard._authentication.proof import Client
from m2mguard.client import AssertionFile, MutualTls, PrivateKeyJwt, TokenEndpointUnavailable, TokenSource
from m2mguard.net import HttpTransport
from m2mguard.net._credential_files import MAX_BYTES
from m2mguard.testing import SigningKey
from tests.client_keys import Certificate, private_pem

KEY = SigningKey.generate("ES256")
PEM = private_pem(KEY)
CERTIFICATE = Certificate.make()
JWT = KEY.sign_compact({"alg": "ES256"}, {"sub": "app"})


def sent_by(authentication) -> str:
    """The assertion that a token request would carry."""
    client = Client(client_id="app", authentication=authentication)
    return client.proof(issuer="https://issuer.example", now_s=0).parameters["client_assertion"]


def header_of(authentication) -> dict[str, str]:
    return json.loads(base64.urlsafe_b64decode(sent_by(authentication).partition(".")[0] + "=="))


def assertion_file(path) -> None:
    source = TokenSource("https://issuer.example", client_id="app", authentication=AssertionFile(path))
    with pytest.raises(TokenEndpointUnavailable) as raised:
        source.token()
    raise ConfigurationError(str(raised.value))


USES: dict[str, Callable[[Any], object]] = {
    "key": PrivateKeyJwt,
    "certificate of a key": lambda path: PrivateKeyJwt(PEM, certificate=path),
    "certificate": MutualTls,
    "key of a certificate": lambda path: HttpTransport(client_certificate=(path, path)),
    "assertion": assertion_file,
}


@pytest.fixture(params=USES)
def use(request):
    return USES[request.param]


def test_a_pipe_is_not_waited_for(use, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(ConfigurationError, match=r'pipe" is no regular file, and is not waited for'):
        use(pipe)


def test_what_is_no_file_is_refused_with_a_reason(use, tmp_path):
    long = tmp_path / "long"
    with long.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    for given, why in (
        (tmp_path, "Is a directory"),
        ("/dev/zero", "no regular file"),
        (long, 'long" is longer than'),
        ("key\0.pem", r'the file "key\\u0000.pem" cannot be read'),
        ("key\ud800.pem", r'the file "key\\ud800.pem" cannot be read'),
        (f"/{'a' * 300}/key.pem", "311 characters.* cannot be read: File name too long"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            use(given)


@pytest.mark.parametrize(
    "content",
    [
        base64.b64encode(PEM).decode(),
        "".join(PEM.decode().splitlines()[1:-1]),
        '{"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}',
        "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        f"junk {JWT}",
        (CERTIFICATE.certificate + CERTIFICATE.key).decode(),
    ],
    ids=["PEM in base64", "DER in base64", "JWK", "raw key", "assertion", "PEM"],
)
def test_content_that_is_given_as_a_path_is_not_quoted(use, content):
    with pytest.raises(ConfigurationError) as raised:
        use(content)
    words = str(raised.value)
    assert not any(content[at : at + 12] in words for at in range(0, len(content) - 12, 4)), words


def test_a_token_is_no_path_of_an_assertion_file():
    with pytest.raises(ConfigurationError, match="was given a token") as raised:
        AssertionFile(JWT)
    assert JWT not in str(raised.value)
    assert AssertionFile("/run/secrets/token.of.app").path == "/run/secrets/token.of.app"


def test_files_and_links_to_files_are_read(tmp_path):
    key, both, token = tmp_path / "key.pem", tmp_path / "both.pem", tmp_path / "token"
    key.write_bytes(b"# a comment\r\n" * 6_000 + PEM.replace(b"\n", b"\r\n"))
    both.write_bytes(CERTIFICATE.certificate.replace(b"\n", b"\r\n") + CERTIFICATE.key)
    token.write_bytes(JWT.encode() + b"\r\n")
    for file in (key, both, token):
        file.with_suffix(".link").symlink_to(file)
    assert header_of(PrivateKeyJwt(key.with_suffix(".link"))) == {"alg": "ES256", "typ": "JWT"}
    assert "x5t#S256" in header_of(PrivateKeyJwt(both, certificate=both.with_suffix(".link")))
    assert MutualTls(both.with_suffix(".link")).transport()
    assert sent_by(AssertionFile(token.with_suffix(".link"))) == JWT

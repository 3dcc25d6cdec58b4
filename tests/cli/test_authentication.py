"""`m2mguard doctor` and `token` with a key, an assertion or a certificate: what is wrong with it, in words, and a twin that is right."""

import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from m2mguard import Issuer
from m2mguard._cli.doctor.authentication_checks import check_assertion, check_supported
from m2mguard._cli.recording_transport import Exchange
from m2mguard.client import AssertionFile, ClientSecret, MutualTls, PrivateKeyJwt
from m2mguard.testing import SHOPPING_API, SigningKey
from tests.client_keys import Certificate, private_pem
from tests.security.forge import REMOVED, changed

NOW = 1_800_000_000
URL = "https://issuer.example"
PLATFORM = SigningKey.generate("ES256")
PLAIN = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def doctor(run, issuer):
    """Run `doctor --json` for an application of the issuer: the status, and the findings about its credentials by their code."""

    def doctor(*options: str) -> tuple[object, dict[str, Any], str]:
        arguments = ("--logto", issuer.endpoint, "--audience", SHOPPING_API, "--app-id", "app-orders", *options)
        status, page = run("doctor", "--json", *arguments)
        found = [one for one in json.loads(page)["findings"] if one["section"] == "Credentials"]
        return status, {one["code"] or one["name"]: one for one in found}, page

    return doctor


KEYS = {
    "no file": (None, "cannot be read"),
    "no key": (b"-----BEGIN NOTHING-----", "no private key in PEM"),
    "a public key": (PLATFORM.public_pem, "no private key in PEM"),
    "an encrypted key": (private_pem(PLATFORM, b"password"), "its password is missing"),
    "an RSA key of 1024 bits": (
        rsa.generate_private_key(65537, 1024).private_bytes(*PLAIN),
        "1024 bits, expected 2048",
    ),
    "another curve": (ec.generate_private_key(ec.SECP256K1()).private_bytes(*PLAIN), "EC on P-256"),
}


@pytest.mark.parametrize("what", KEYS)
def test_a_key_that_cannot_be_used_is_a_finding_among_others(doctor, tmp_path, what):
    content, words = KEYS[what]
    file = tmp_path / "app.pem"
    if content is not None:
        file.write_bytes(content)
    status, found, page = doctor("--key-file", str(file))
    assert (status, found["client_key"]["severity"]) == (1, "fault")
    assert words in found["client_key"]["text"]
    assert "2048 bits" in found["client_key"]["cure"]
    assert '"section": "Settings"' in page  # the other checks ran
    file.write_bytes(private_pem(PLATFORM))
    assert "client_key" not in doctor("--key-file", str(file))[1]


def test_a_certificate_of_another_key_is_a_finding(doctor, tmp_path):
    ours, other = Certificate.make(), Certificate.make()
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    certificate.write_bytes(ours.certificate)
    key.write_bytes(other.key)
    options = ("--tls-certificate-file", str(certificate), "--tls-key-file", str(key))
    status, found, _ = doctor(*options)
    assert (status, found["client_certificate"]["severity"]) == (1, "fault")
    key.write_bytes(ours.key)
    status, found, _ = doctor(*options)
    assert "client_certificate" not in found
    assert "tls_client_auth" in found["authentication_method"]["text"]  # which a Logto tenant does not list


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--tls-key-file", "a"), "--tls-key-file has no effect without --tls-certificate-file"),
        (("--tls-certificate-file", "a", "--key-file", "b"), "--key-file and --tls-certificate-file: give one of them"),
        (("--tls-certificate-file", "/no/such/file"), "cannot be read"),
    ],
)
@pytest.mark.parametrize("command", ["token", "doctor"])
def test_wrong_usage_is_told(run, issuer, command, options, sentence):
    status, page = run(
        command, "--logto", issuer.endpoint, "--audience", SHOPPING_API, "--app-id", "app-orders", *options
    )
    assert sentence in page
    assert status == (1 if command == "doctor" and "cannot be read" in sentence else 2)


def assertion(**claims: object) -> str:
    said = {"iss": "https://cluster.example", "sub": "system:shop", "aud": URL, "nbf": NOW - 60, "exp": NOW + 600}
    return PLATFORM.sign_compact({"alg": "ES256"}, changed(said, claims))


def of_assertion(tmp_path, text: str, **more: Any) -> dict[str, Any]:
    file = tmp_path / "assertion"
    file.write_text(text)
    names = more.pop("names", Issuer(url=URL).names)
    found = list(check_assertion(AssertionFile(file), names, more.get("endpoint"), now=NOW))
    assert text.rpartition(".")[2] not in repr(found)
    assert text not in repr(found)
    return {one.code or "fine": one for one in found}


@pytest.mark.parametrize(
    ("claims", "code", "words"),
    [
        ({"exp": NOW}, "assertion_expired", "expired 0 seconds ago"),
        ({"exp": NOW - 7200}, "assertion_expired", "expired 2 hours ago"),
        ({"nbf": NOW + 90}, "assertion_early", "not valid for another 90 seconds"),
        ({"aud": "https://other.example"}, "assertion_audience", '"https://other.example"'),
        ({"aud": ["a", "https://issuer.example.evil"]}, "assertion_audience", '"a", "https://issuer.example.evil"'),
        ({"aud": REMOVED}, "assertion_audience", "nobody (no aud)"),
        ({"aud": 7}, "assertion_audience", "nobody (no aud)"),
    ],
)
def test_an_assertion_that_the_issuer_will_not_take_is_named(tmp_path, claims, code, words):
    found = of_assertion(tmp_path, assertion(**claims))
    assert found.keys() == {code, "fine"}
    assert words in found[code].text


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"aud": [f"{URL}/token"]},
        {"aud": ["other", URL]},
        {"aud": "api://AzureADTokenExchange"},
        {"exp": REMOVED},
        {"exp": 1e300},
        {"nbf": "soon"},
    ],
)
def test_a_good_assertion_is_shown_by_whom_it_names(tmp_path, claims):
    found = of_assertion(tmp_path, assertion(**claims))
    assert found.keys() == {"fine"}
    assert 'sub "system:shop" of iss "https://cluster.example"' in found["fine"].text


def test_an_alias_and_a_configured_endpoint_are_audiences_too(tmp_path):
    other = assertion(aud="https://login.example/token")
    assert "assertion_audience" in of_assertion(tmp_path, other)
    assert "assertion_audience" not in of_assertion(tmp_path, other, endpoint="https://login.example/token")
    assert "assertion_audience" not in of_assertion(tmp_path, other, names=(URL, "https://login.example"))


@pytest.mark.parametrize("text", ["", "no token", "a.b.c", "e30.W10.e30", "eyJ.eyJ.eyJ"])
def test_a_file_without_an_assertion_is_a_fault(tmp_path, text):
    file = tmp_path / "assertion"
    file.write_text(text)
    [found] = check_assertion(AssertionFile(file), (URL,), None, now=NOW)
    assert (found.code, found.severity.name) == ("assertion_file", "FAULT")
    file.unlink()
    [found] = check_assertion(AssertionFile(file), (URL,), None, now=NOW)
    assert "cannot be read" in found.text


def test_doctor_reads_the_assertion_before_it_asks_for_a_token(doctor, issuer, tmp_path):
    file = tmp_path / "assertion"
    status, found, _ = doctor("--assertion-file", str(file))
    assert (status, set(found)) == (1, {"assertion_file"})
    file.write_text(old := assertion(exp=int(time.time()) - 7200, nbf=0))
    status, found, page = doctor("--assertion-file", str(file))
    assert {"assertion_expired", "assertion_audience", "assertion"} <= set(found)
    assert old not in page
    assert old.rpartition(".")[2] not in page
    file.write_text(assertion(exp=int(time.time()) + 600, nbf=0, aud=issuer.url))
    assert not {"assertion_expired", "assertion_audience"} & set(doctor("--assertion-file", str(file))[1])


def listing(**members: object) -> list[Exchange]:
    body = json.dumps({"issuer": URL, **members}).encode()
    return [Exchange(url=f"{URL}/.well-known/openid-configuration", outcome="", status=200, body=body)]


@pytest.fixture(scope="module")
def ways(tmp_path_factory):
    certificate, folder = Certificate.make(), tmp_path_factory.mktemp("ways")
    (folder / "tls.pem").write_bytes(certificate.certificate + certificate.key)
    return {
        "client_secret_basic": ClientSecret("secret"),
        "client_secret_post": ClientSecret("secret", "client_secret_post"),
        "private_key_jwt": PrivateKeyJwt(private_pem(PLATFORM)),
        "private_key_jwt, a file": AssertionFile(folder / "assertion"),
        "tls_client_auth": MutualTls(folder / "tls.pem"),
        "self_signed_tls_client_auth": MutualTls(folder / "tls.pem"),
    }


WAYS = [
    "client_secret_basic", "client_secret_post", "private_key_jwt", "private_key_jwt, a file", "tls_client_auth",
    "self_signed_tls_client_auth",
]  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_a_way_that_the_issuer_does_not_list_is_named(ways, name):
    method = name.partition(",")[0]
    member = "token_endpoint_auth_methods_supported"
    assert list(check_supported(ways[name], URL, listing(**{member: ["none", method]}))) == []
    [found] = check_supported(ways[name], URL, listing(**{member: ["none", "client_secret_jwt\n"]}))
    assert (found.code, found.severity.name) == ("authentication_method", "WARNING")
    assert method in found.text
    assert "\n" not in found.text
    for unknown in (listing(), listing(**{member: "all"}), listing(issuer="https://other.example", **{member: []}), []):
        assert list(check_supported(ways[name], URL, unknown)) == []  # the metadata says nothing of it


@pytest.mark.parametrize(
    ("algorithm", "listed", "is_fine"),
    [(None, ["ES256"], True), (None, ["RS256", "ES384"], False), (None, None, True), (None, "ES256", True)],
)
def test_an_algorithm_that_the_issuer_does_not_list_is_named(algorithm, listed, is_fine):
    member = {} if listed is None else {"token_endpoint_auth_signing_alg_values_supported": listed}
    way = PrivateKeyJwt(private_pem(PLATFORM), algorithm=algorithm)
    found = list(check_supported(way, URL, listing(**member)))
    assert [one.code for one in found] == ([] if is_fine else ["assertion_algorithm"])
    assert all("ES256" in one.text and '"RS256", "ES384"' in one.text for one in found)


def test_a_key_file_that_is_gone_meanwhile_is_no_crash(tmp_path):
    file = tmp_path / "app.pem"
    file.write_bytes(private_pem(PLATFORM))
    way = PrivateKeyJwt(file)
    file.unlink()
    assert list(check_supported(way, URL, listing(token_endpoint_auth_signing_alg_values_supported=["RS256"]))) == []

"""`m2mguard health` and `m2mguard keys`: how the keys stand, which they are, and what to do about an issuer in trouble."""

import datetime as dt
import json
import socket
import threading

import pytest

from m2mguard import ResourceServer
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, ThrowawayCA, faults

TROUBLE = {
    # the fault, its endpoint: (words of the problem, words of the advice)
    "no metadata": (faults.status(404), "discovery", "no metadata at any well-known URL", "M2MGUARD_LOGTO_ENDPOINT"),
    "a redirect": (faults.redirect("https://e.example"), "discovery", "status 301", "at which the issuer really is"),
    "an error": (faults.status(500), "discovery", "metadata was answered with status 500", "look at the issuer"),
    "a web page": (faults.html(), "discovery", "metadata is not a JSON object", "exactly as it names itself"),
    "another name": (faults.members(issuer="https://o.example"), "discovery", "another issuer's", "that the metadata tell"),
    "another origin": (
        faults.members(jwks_uri="https://o.example/jwks"), "discovery", "another origin", "if that address is right",
    ),
    "no jwks_uri": (faults.members(jwks_uri=None), "discovery", "the metadata has no jwks_uri", "yourself"),
    "a bad jwks_uri": (faults.members(jwks_uri=7), "discovery", "the metadata's jwks_uri must be", "yourself"),
    "no key set": (faults.status(503), "jwks", "the key set was answered with status 503", "the status and at the URL"),
    "no keys": (faults.empty_key_set(), "jwks", "the key set has no usable key", "publish a signing key"),
    "a key set too long": (faults.huge(300_000), "jwks", "longer than 262144 bytes", "M2MGUARD_MAX_BYTES"),
    "half an answer": (faults.truncated(), "jwks", "the exchange ended early", "with another tool"),
    "no answer": (faults.hang(), "jwks", "took too long", "M2MGUARD_TIMEOUT"),
}  # fmt: skip


def settings(*issuers: LocalIssuer) -> list[str]:
    return [*(word for issuer in issuers for word in ("--issuer", issuer.url)), "--audience", SHOPPING_API]


def test_a_ready_issuer_is_called_ready(run, issuer):
    assert run("health", *settings(issuer)) == (
        0,
        f"ok  ready           {issuer.url}: 1 usable key found at {issuer.jwks_uri}\n",
    )


@pytest.mark.parametrize("what", TROUBLE)
def test_trouble_is_named_with_what_was_asked_and_what_to_do(run, issuer, monkeypatch, what):
    monkeypatch.setenv("M2MGUARD_TIMEOUT", "0.5")
    fault, where, problem, advice = TROUBLE[what]
    issuer.misbehave(where, fault)
    health_status, health = run("health", *settings(issuer))
    keys_status, keys = run("keys", *settings(issuer))
    assert (health_status, keys_status) == (3, 3)
    assert health.startswith(f"NO  not ready       {issuer.url}\n    problem     ")
    assert keys.splitlines()[1:] == health.splitlines()[1:]
    told = dict(line.split(maxsplit=1) for line in health.splitlines()[1:] if not line.startswith("    what"))
    assert problem in told["problem"]
    assert advice in health.partition("what to do  ")[2]
    assert told["asked"].startswith(f"{issuer.endpoint}/")


def test_the_name_that_an_issuer_gives_itself_is_told(run, issuer):
    for mark in ("", "\ufeff"):
        body = mark + json.dumps({"issuer": "https://own\x1b.example", "jwks_uri": issuer.jwks_uri})
        issuer.misbehave("discovery", faults.body(body.encode()))
        assert '    issuer      "https://own\\u001b.example"\n' in run("health", *settings(issuer))[1]


def test_a_closed_port_is_told_from_an_unknown_host(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    status, page = run("keys", "--issuer", f"http://127.0.0.1:{port}")
    assert status == 3
    assert "no connection can be made" in page
    assert "check that the issuer runs" in page


def test_a_certificate_nobody_knows_is_told_with_the_setting_that_helps(run, tmp_path, monkeypatch):
    authority = ThrowawayCA(tmp_path)
    with LocalIssuer(ssl_context=authority.server_context()) as issuer:
        status, page = run("keys", "--issuer", issuer.url)
        assert status == 3
        assert "TLS failed: the server's certificate is not from an authority that is trusted here" in page
        assert "M2MGUARD_CA_FILE" in page
        monkeypatch.setenv("M2MGUARD_CA_FILE", str(authority.ca_file))
        assert run("keys", "--issuer", issuer.url)[0] == 0


def test_a_certificate_of_another_name_is_told_from_an_unknown_one(run, tmp_path, monkeypatch):
    authority = ThrowawayCA(tmp_path)
    monkeypatch.setenv("M2MGUARD_CA_FILE", str(authority.ca_file))
    for names, valid_for, problem, advice in (
        (["o.example"], dt.timedelta(days=1), "is for another host name", "the host name that the certificate is for"),
        ([], -dt.timedelta(days=1), "has expired or is not valid yet", "renew the certificate"),
    ):
        with LocalIssuer(ssl_context=authority.server_context(*names, valid_for=valid_for)) as issuer:
            status, page = run("keys", "--issuer", issuer.url)
        assert status == 3
        assert problem in page
        assert advice in page.partition("what to do")[2]
        assert "M2MGUARD_CA_FILE" not in page.partition("what to do")[2]


def test_one_issuer_in_trouble_hides_no_other(run, issuer):
    issuer.misbehave("jwks", faults.status(500))
    with LocalIssuer() as well:
        status, page = run("health", *settings(issuer, well))
    assert status == 3
    assert f"\nok  ready           {well.url}: " in page
    assert page.startswith(f"NO  not ready       {issuer.url}\n")


def test_health_as_json_is_what_a_service_shows(run, issuer):
    status, page = run("health", "--json", *settings(issuer))
    health = json.loads(page)
    assert status == 0
    assert health["ready"] is True
    [one] = health["issuers"]
    assert (one["issuer"], one["ready"], one["last_error"]) == (issuer.url, True, None)
    kid = issuer.current_key.kid
    assert one["keys"] == [{"key_id": kid, "thumbprint": kid, "algorithms": ["ES384"]}]
    issuer.misbehave("jwks", faults.status(500))
    status, page = run("health", "--json", *settings(issuer))
    assert status == 3
    assert json.loads(page)["issuers"][0]["last_error"] == "the key set was answered with status 500"


def test_keys_of_ml_dsa_are_shown_like_others(run):
    with LocalIssuer(algorithm="ML-DSA-44") as issuer:
        status, page = run("keys", *settings(issuer))
        kid = issuer.current_key.kid
        assert status == 0
        assert f'ok  ML-DSA-44       kid "{kid}", thumbprint {kid}' in page


def test_keys_as_json_has_the_usable_keys_and_why_others_are_passed_over(run, issuer):
    issuer.publish({"kty": "oct", "k": "AA"})
    status, page = run("keys", "--json", *settings(issuer))
    [one] = json.loads(page)["issuers"]
    assert status == 0
    assert [key["key_id"] for key in one["keys"]] == [issuer.current_key.kid]
    assert one["passed_over"] == ['key 1: its kty is "oct", expected RSA, EC, OKP or AKP']
    issuer.misbehave("jwks", faults.status(500))
    status, page = run("keys", "--json", *settings(issuer))
    assert (status, json.loads(page)["issuers"][0]["problem"]) == (3, "key_set_status")


def test_health_asks_for_everything_that_a_service_needs(run, issuer):
    status, page = run("health", "--issuer", issuer.url)
    assert status == 2
    assert "M2MGUARD_AUDIENCE is missing" in page


def test_every_usable_key_is_shown_and_every_other_with_its_reason(run, issuer):
    rsa = issuer.rotate("RS256", grace=True)
    issuer.publish({"kty": "OKP", "crv": "X25519", "kid": "exchange", "x": "AA"}, position=0)
    issuer.publish({**SigningKey.generate("ES256").public_jwk, "use": "enc"})
    status, page = run("keys", "--issuer", issuer.url)
    kid = issuer.current_key.kid
    assert status == 0
    assert page.splitlines() == [
        f"{issuer.url}: keys found at {issuer.jwks_uri}",
        f'ok  ES384           kid "{kid}", thumbprint {kid}',
        f'ok  PS256, PS384, PS512, RS256, RS384, RS512  kid "{rsa.kid}", thumbprint {rsa.kid}',
        '--  passed over     key 0: its crv is "X25519", expected Ed25519',
        '--  passed over     key 3: its use is "enc", expected "sig"',
    ]


def test_a_set_without_a_usable_key_tells_the_reason_of_each(run, issuer):
    body = {"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "s"}, 7, *({} for _ in range(9))]}
    issuer.misbehave("jwks", faults.body(json.dumps(body).encode()))
    status, page = run("keys", "--issuer", issuer.url)
    assert status == 3
    assert (
        'no usable key; key 0: its kty is "oct", expected RSA, EC, OKP or AKP; key 1: it is a number, expected an object; key 2: '
        in page
    )
    assert "key 4: " in page
    assert "key 5: " not in page


def test_keys_from_a_file_are_shown_alike(run, issuer, tmp_path):
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [{"kty": "oct"}, issuer.current_key.public_jwk]}))
    status, page = run("keys", "--issuer", issuer.url, "--jwks", str(file))
    assert status == 0
    assert page.startswith(f"{issuer.url}: keys configured\nok  ES384 ")
    assert page.endswith('--  passed over     key 0: its kty is "oct", expected RSA, EC, OKP or AKP\n')
    assert run("health", *settings(issuer), "--jwks", str(file))[1].endswith(": 1 usable key configured\n")
    assert issuer.count() == 0


def test_an_option_takes_the_place_of_the_variable_of_the_same_setting_and_of_no_other(run, issuer, monkeypatch):
    monkeypatch.setenv("M2MGUARD_LOGTO_ENDPOINT", "https://tenant.logto.app")
    monkeypatch.setenv("M2MGUARD_JWKS_URI", issuer.jwks_uri)
    monkeypatch.setenv("M2MGUARD_MAX_BYTES", "1024")
    issuer.misbehave("jwks", faults.huge(2_000))
    status, page = run("keys", "--issuer", issuer.url)
    assert status == 3
    assert "longer than 1024 bytes" in page
    assert "/.well-known/" not in page  # the key set's place is kept, too


def test_keys_that_a_service_keeps_on_disk_are_neither_used_nor_written(run, issuer, monkeypatch, tmp_path):
    tmp_path.chmod(0o700)
    ResourceServer(issuer.url, SHOPPING_API, key_directory=tmp_path).warm_up()
    for thread in threading.enumerate():
        if thread.name.startswith("m2mguard-keys"):
            thread.join()  # it writes the file after it has told of the keys
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setenv("M2MGUARD_KEY_DIRECTORY", str(tmp_path))
    issuer.rotate()
    assert f"kid {json.dumps(issuer.current_key.kid)}" in run("keys", "--issuer", issuer.url)[1]
    issuer.stop()
    assert run("health", *settings(issuer))[0] == 3
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_keys_given_in_the_environment_are_used(run, monkeypatch, issuer):
    monkeypatch.setenv("M2MGUARD_ISSUER", "https://issuer.example")
    monkeypatch.setenv("M2MGUARD_JWKS", json.dumps(issuer.jwks))
    assert run("keys")[0] == 0


@pytest.mark.parametrize("command", ["health", "keys"])
def test_nothing_secret_is_shown(run, issuer, monkeypatch, command):
    canary = "canary-7f3a"
    issuer.publish({"kty": "oct", "k": canary, "kid": canary})
    issuer.publish({**SigningKey.generate("ES256").public_jwk, "d": canary, "kid": canary})
    monkeypatch.setenv("SOME_API_KEY", canary)
    monkeypatch.setenv("M2MGUARD_REALM", canary)
    for fault in (
        None,
        faults.status(500),
        faults.body(canary.encode()),
        faults.body(f'{{"keys":"{canary}"}}'.encode()),
    ):
        for where in ("discovery", "jwks"):
            if fault is not None:
                issuer.misbehave(where, fault)
            status, page = run(command, *settings(issuer), given=canary)
            assert status == (0 if fault is None else 3)
            assert canary not in page
            issuer.behave()

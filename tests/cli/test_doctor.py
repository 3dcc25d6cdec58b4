"""`m2mguard doctor`: faults of settings, network, TLS, keys, clocks, routes and credentials, each named by its code; and good setups."""

import contextlib
import datetime as dt
import email.utils
import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from m2mguard import Issuer
from m2mguard._cli.doctor.finding import Severity
from m2mguard._cli.doctor.issuer_checks import check_issuer
from m2mguard._cli.doctor.machine_checks import check_proxy
from m2mguard.health import IssuerHealth
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, ThrowawayCA, faults
from tests.cli.test_command import MODULE, environment
from tests.docs.test_quick_starts import fenced

START = Path(__file__).parents[2] / "docs" / "start"
AUDIENCE = ("--audience", SHOPPING_API)
NOWHERE = "https://issuer.invalid"
SECRET = "secret-of-app-orders"  # as LocalIssuer publishes it


def doctor(run: Callable[..., tuple[object, str]], *arguments: str) -> tuple[object, dict[str, Any]]:
    status, page = run("doctor", "--json", *arguments)
    return status, json.loads(page)


def codes(told: dict[str, Any], *severities: str) -> set[str]:
    return {
        one["code"]
        for one in told["findings"]
        if one["severity"] in (severities or ("fault", "warning")) and one["code"]
    }


SETTINGS = {
    # what is wrong: (variables, options, the code, a word of the diagnosis or the cure)
    "nothing is set": ({}, (), "settings", "M2MGUARD_ISSUER is missing"),
    "no audience": ({"ISSUER": NOWHERE}, (), "settings", "M2MGUARD_AUDIENCE is missing"),
    "an unknown setting": ({"LEWAY": "1"}, ("--issuer", NOWHERE, *AUDIENCE), "unknown_setting", "M2MGUARD_LEEWAY"),
    "two ways to name an issuer": (
        {"ISSUER": NOWHERE, "LOGTO_ENDPOINT": NOWHERE},
        AUDIENCE,
        "settings",
        "both name an issuer",
    ),
    "plain http": ({}, ("--issuer", "http://issuer.example", *AUDIENCE), "settings", "https"),
    "no number": ({"LEEWAY": "much"}, ("--issuer", NOWHERE, *AUDIENCE), "settings", "a number"),
    "a symmetric algorithm": ({"ALGORITHMS": "HS256"}, ("--issuer", NOWHERE, *AUDIENCE), "settings", "HS256"),
    "Logto's issuer as endpoint": ({}, ("--logto", f"{NOWHERE}/oidc", *AUDIENCE), "settings", "without '/oidc'"),
    "an unknown preset": ({}, ("--preset", "keyclok:https://s.example,a", *AUDIENCE), "settings", "keycloak"),
    "a preset without its arguments": (
        {},
        ("--preset", "keycloak:https://s.example", *AUDIENCE),
        "settings",
        "ENDPOINT,REALM",
    ),
    "details for two issuers": (
        {"JWKS_URI": "https://a.example/k"},
        ("--issuer", "https://a.example", "--issuer", "https://b.example", *AUDIENCE),
        "settings",
        "one issuer URL only",
    ),
    "an audience without scheme": (
        {},
        ("--logto", NOWHERE, "--audience", "shopping.api"),
        "audience_without_scheme",
        "https://",
    ),
    "an App ID as audience": (
        {},
        ("--logto", NOWHERE, "--audience", "cimy6xa2xuw3nm6kn7vnt"),
        "audience_is_an_app_id",
        "App ID",
    ),
    "the issuer as audience": ({}, ("--logto", NOWHERE, "--audience", NOWHERE), "audience_is_the_issuer", "identifier"),
    "capital letters in the audience": (
        {},
        ("--issuer", NOWHERE, "--audience", "https://Shopping.api"),
        "audience_spelling",
        "capital",
    ),
    "no stale keys": ({"STALE_FOR": "0"}, ("--issuer", NOWHERE, *AUDIENCE), "no_stale_keys", "503"),
    "no unknown keys": ({"BURST": "0"}, ("--issuer", NOWHERE, *AUDIENCE), "no_unknown_keys", "next refresh"),
    "persons are let in": ({"MACHINE_ONLY": "false"}, ("--issuer", NOWHERE, *AUDIENCE), "persons_allowed", "sign in"),
    "plain http is allowed": (
        {"ALLOW_HTTP": "true"},
        ("--issuer", "http://issuer.invalid", *AUDIENCE),
        "plain_http",
        "anyone who controls the network",
    ),
}


@pytest.mark.parametrize("what", SETTINGS)
def test_a_fault_of_the_settings_is_named(run, monkeypatch, what):
    variables, options, code, words = SETTINGS[what]
    monkeypatch.setenv("M2MGUARD_TIMEOUT", "0.5")
    for name, value in variables.items():
        monkeypatch.setenv(f"M2MGUARD_{name}", value)
    _, told = doctor(run, *options)
    assert code in codes(told)
    [finding] = [one for one in told["findings"] if one["code"] == code]
    assert words in f"{finding['text']} {finding['cure']} {told['diagnosis']}"


ISSUER = {
    # what is wrong: (the fault, its endpoint, the code, a word of the diagnosis)
    "no metadata": (faults.status(404), "discovery", "no_metadata", "no metadata"),
    "an error": (faults.status(500), "discovery", "metadata_status", "status 500"),
    "a redirect": (faults.redirect("https://e.example/x"), "discovery", "metadata_status", "https://e.example/x"),
    "a web page": (faults.html(), "discovery", "metadata_not_json", "Content-Type"),
    "another name": (faults.members(issuer="https://o.example"), "discovery", "other_issuer", "https://o.example"),
    "no jwks_uri": (faults.members(jwks_uri=None), "discovery", "no_endpoint", "jwks_uri"),
    "a bad jwks_uri": (faults.members(jwks_uri=7), "discovery", "bad_endpoint", "jwks_uri"),
    "another origin": (
        faults.members(jwks_uri="https://o.example/k"),
        "discovery",
        "other_origin",
        "https://o.example/k",
    ),
    "no key set": (faults.status(503), "jwks", "key_set_status", "503"),
    "a page as key set": (faults.html(), "jwks", "key_set_not_json", "JSON"),
    "no list of keys": (faults.body(b"{}"), "jwks", "key_set_no_list", "keys"),
    "an empty key set": (faults.empty_key_set(), "jwks", "key_set_no_usable_key", "no usable key"),
    "keys for encryption only": (
        faults.body(b'{"keys": [{"kty": "OKP", "crv": "X25519", "x": "AA"}]}'),
        "jwks",
        "key_set_no_usable_key",
        "X25519",
    ),
    "too long": (faults.huge(400_000), "jwks", "too_long", "longer than"),
    "half an answer": (faults.truncated(), "jwks", "broken", "ended early"),
    "no answer": (faults.hang(), "jwks", "timeout", "took too long"),
    "a slow answer": (faults.delay(1.2), "jwks", "slow_issuer", "slowly"),
}


@pytest.mark.parametrize("what", ISSUER)
def test_a_fault_of_the_issuer_is_named(run, issuer, monkeypatch, what):
    fault, where, code, words = ISSUER[what]
    monkeypatch.setenv("M2MGUARD_TIMEOUT", "3" if code == "slow_issuer" else "0.5")
    issuer.misbehave(where, fault)
    status, told = doctor(run, "--issuer", issuer.url, *AUDIENCE)
    assert codes(told, "fault", "warning") - {"log_invisible"} == {code}
    assert any(words in sentence for sentence in told["diagnosis"]), told["diagnosis"]
    assert status == (0 if code == "slow_issuer" else 1)


def test_nothing_is_wrong_with_a_good_setup(run, issuer):
    status, told = doctor(run, "--logto", issuer.endpoint, *AUDIENCE)
    assert (status, told["diagnosis"], codes(told)) == (0, [], set())
    assert told["settings"] == {"M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint, "M2MGUARD_AUDIENCE": SHOPPING_API}
    assert run("doctor", "--logto", issuer.endpoint, *AUDIENCE)[1].count("Nothing is wrong") == 1


@pytest.mark.parametrize("given", ["{}/", "{}"], ids=["a slash", "Logto's endpoint"])
def test_the_settings_to_paste_are_corrected_and_then_well(run, issuer, monkeypatch, given):
    wrong = given.format(issuer.url if given == "{}/" else issuer.endpoint)
    status, told = doctor(run, "--issuer", wrong, *AUDIENCE)
    assert status == 1
    for name, value in told["settings"].items():
        monkeypatch.setenv(name, value)
    assert doctor(run)[0] == 0


def test_a_key_is_judged_by_the_algorithms_that_are_accepted_from_its_issuer(run, issuer, monkeypatch):
    monkeypatch.setenv("M2MGUARD_ALGORITHMS", "RS256")
    status, told = doctor(run, "--issuer", issuer.url, *AUDIENCE)
    assert (status, codes(told)) == (1, {"no_key_for_algorithms"})
    assert told["settings"]["M2MGUARD_ALGORITHMS"] == "ES384"
    monkeypatch.setenv("M2MGUARD_ALGORITHMS", "ES384")
    assert doctor(run, "--issuer", issuer.url, *AUDIENCE)[0] == 0


def test_the_network_is_told_from_the_issuer(run, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        closed = f"http://127.0.0.1:{taken.getsockname()[1]}"
    assert codes(doctor(run, "--issuer", closed, *AUDIENCE)[1]) == {"no_connection"}
    assert codes(doctor(run, "--issuer", NOWHERE, *AUDIENCE)[1]) == {"name_not_resolved"}
    monkeypatch.setenv("HTTPS_PROXY", closed.replace("//", "//user:pw-secret@"))
    status, told = doctor(run, "--issuer", NOWHERE, *AUDIENCE)
    assert (status, codes(told)) == (1, {"proxy"})
    assert "pw-secret" not in json.dumps(told)


def test_four_troubles_of_tls_are_told_apart(run, tmp_path, monkeypatch):
    authority = ThrowawayCA(tmp_path)
    with LocalIssuer(ssl_context=authority.server_context()) as issuer:
        assert codes(doctor(run, "--issuer", issuer.url, *AUDIENCE)[1]) == {"tls_unknown_ca"}
        monkeypatch.setenv("M2MGUARD_CA_FILE", str(authority.ca_file))
        assert doctor(run, "--issuer", issuer.url, *AUDIENCE)[0] == 0
    for names, valid_for, code in (
        (["o.example"], dt.timedelta(days=1), "tls_name"),
        ([], -dt.timedelta(days=1), "tls_expired"),
    ):
        with LocalIssuer(ssl_context=authority.server_context(*names, valid_for=valid_for)) as issuer:
            assert codes(doctor(run, "--issuer", issuer.url, *AUDIENCE)[1]) == {code}
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=answer_in_plain_http, args=(plain,), daemon=True).start()
        assert codes(doctor(run, "--issuer", f"https://127.0.0.1:{plain.getsockname()[1]}", *AUDIENCE)[1]) == {"tls"}


def answer_in_plain_http(listening: socket.socket) -> None:
    with listening.accept()[0] as connection:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@contextlib.contextmanager
def dated_issuer(*, ahead_s: float = 0.0, age: str | None = None) -> Iterator[str]:
    """An issuer whose answers have a Date, and an Age where a cache is meant to be on the way."""
    key = SigningKey.generate("ES256")

    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return email.utils.formatdate((timestamp or time.time()) + ahead_s, usegmt=True)

        def do_GET(self) -> None:
            url = f"http://127.0.0.1:{self.server.server_port}"  # type: ignore[attr-defined]
            told = {"keys": [key.public_jwk]} if self.path == "/jwks" else {"issuer": url, "jwks_uri": f"{url}/jwks"}
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            if age is not None:
                self.send_header("Age", age)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("ahead_s", "severity"), [(-360, "fault"), (360, "fault"), (15, "warning"), (0, None)])
def test_the_clock_is_compared_with_the_issuers(run, ahead_s, severity):
    with dated_issuer(ahead_s=ahead_s) as url:
        _, told = doctor(run, "--issuer", url, *AUDIENCE)
    found = [one["severity"] for one in told["findings"] if one["code"] == "clock"]
    assert found == ([] if severity is None else [severity])
    if severity is not None:
        assert any(("behind" if ahead_s > 0 else "ahead of") in one and "clock" in one for one in told["diagnosis"])


@pytest.mark.parametrize(("age", "is_wrong"), [("3600", True), ("20", False), (None, False)])
def test_a_cache_on_the_way_is_named_and_is_no_trouble_of_clocks(run, age, is_wrong):
    with dated_issuer(ahead_s=-float(age or 0), age=age) as url:
        _, told = doctor(run, "--issuer", url, *AUDIENCE)
    assert codes(told) == ({"cached_key_set"} if is_wrong else set())


@pytest.mark.parametrize("how", ["disabled", "level", "handlers"])
def test_a_log_that_hides_refusals_is_named(run, issuer, monkeypatch, how):
    logger = logging.getLogger("m2mguard")
    monkeypatch.setattr(logger, "disabled", how == "disabled")
    monkeypatch.setattr(logger, "level", logging.CRITICAL if how == "level" else logging.NOTSET)
    if how == "handlers":
        monkeypatch.setattr(logger, "handlers", [logging.NullHandler()])
        monkeypatch.setattr(logger, "propagate", False)
    status, told = doctor(run, "--logto", issuer.endpoint, *AUDIENCE)
    assert (status, codes(told)) == (0, {"log_invisible"})


APP = """
from fastapi import FastAPI, Security
from m2mguard import ResourceServer
from m2mguard.fastapi import M2MAuth
server = ResourceServer({url!r}, audience="https://shopping.api")
auth = M2MAuth(server)
app = FastAPI(openapi_url=None)
@app.get("/orders", dependencies=[Security(auth, scopes=["read:orders"])])
def orders(): return []
@app.get("/left-open")
def left_open(): return []
@app.get("/healthz")
def healthz(): return []
@app.get("/anybody", dependencies=[Security(auth)])
def anybody(): return []
"""


def test_routes_that_ask_for_nothing_are_named_and_those_that_are_meant_are_not(run, issuer, tmp_path, monkeypatch):
    (tmp_path / "shop_with_a_hole.py").write_text(APP.format(url=issuer.url))
    monkeypatch.chdir(tmp_path)
    status, told = doctor(run, "--app", "shop_with_a_hole:app", "--open", "/healthz")
    assert status == 1
    assert codes(told) == {"route_not_protected", "route_asks_for_nothing"}
    [first, second] = told["diagnosis"]
    assert first.startswith("GET /left-open is open: anybody can call it without a token")
    assert second.startswith("GET /anybody asks for nothing")
    page = run("doctor", "--app", "shop_with_a_hole:app")[1]
    assert "they are no error: --open /left-open --open /healthz\n" in page
    status, told = doctor(run, "--app", "shop_with_a_hole:app", "--open", "/left-open", "--open", "/healthz")
    assert (status, codes(told)) == (0, {"route_asks_for_nothing"})
    assert '\nok  GET             /orders: asks for scope "read:orders"\n' in page


IN_CODE = """
from m2mguard import KeyCaching, ResourceServer
server = ResourceServer({url!r}, audience="https://shopping.api", leeway=7, caching=KeyCaching(ttl=120))
"""


def test_the_values_in_effect_are_those_of_the_application_if_one_is_named(run, issuer, tmp_path, monkeypatch):
    (tmp_path / "shop_with_numbers.py").write_text(IN_CODE.format(url=issuer.url))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("M2MGUARD_TTL", "240")
    status, page = run("doctor", "--app", "shop_with_numbers:server")
    assert status == 0
    assert "\nok  values          leeway 7 s, ttl 120 s, stale_for 3600 s, max_wait 1 s, " in page
    assert "(in effect in the server of shop_with_numbers:server)" in page
    assert "can be checked with the settings of shop_with_numbers:server." in page
    assert "M2MGUARD_TTL" not in page
    status, page = run("doctor", "--logto", issuer.endpoint, *AUDIENCE)
    assert "\nok  values          leeway 30 s, ttl 240 s, " in page
    assert "can be checked with the settings from the environment and options." in page
    assert "It may have other settings in its code: --app MODULE:NAME" in page
    assert "M2MGUARD_TTL=240\n" in page


def in_directory(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*MODULE, *arguments]
    return subprocess.run(
        command, cwd=directory, env=environment(), capture_output=True, text=True, timeout=30, check=False
    )


def test_the_one_file_of_a_django_site_is_enough(issuer, tmp_path):
    """As the quick start has it, which nothing but its own module name finds."""
    (code,) = fenced((START / "django.md").read_text(), "python")
    code = code.replace("http://127.0.0.1:3001", issuer.endpoint)
    (tmp_path / "orders.py").write_text(code)
    done = in_directory(tmp_path, "doctor", "--app", "orders")
    assert (done.returncode, done.stderr) == (0, "")
    assert '\nok  any             /orders: asks for scope "read:orders"\n' in done.stdout
    (tmp_path / "orders.py").write_text(code.replace('@requires("read:orders")\n', ""))
    done = in_directory(tmp_path, "doctor", "--app", "orders")
    assert done.returncode == 1
    assert "they are no error: --open /orders\n" in done.stdout


def test_the_open_route_of_an_example_is_found(run, issuer, monkeypatch):
    monkeypatch.setenv("M2MGUARD_LOGTO_ENDPOINT", issuer.endpoint)
    monkeypatch.setenv("M2MGUARD_AUDIENCE", SHOPPING_API)
    for name in ("fastapi_app", "starlette_app", "flask_app"):
        sys.modules.pop(f"examples.{name}", None)
        _, told = doctor(run, "--app", f"examples.{name}:app")
        sys.modules.pop(f"examples.{name}")  # it has this test's settings
        assert [one for one in told["diagnosis"] if one.startswith("GET /healthz is open: anybody can call it")], told[
            "diagnosis"
        ]


def test_an_application_that_cannot_be_imported_is_named(run, tmp_path, monkeypatch):
    (tmp_path / "shop_that_breaks.py").write_text("import nothing_that_exists\n")
    monkeypatch.chdir(tmp_path)
    status, told = doctor(run, "--app", "shop_that_breaks:app")
    assert status == 1
    assert codes(told) == {"settings", "app"}
    assert "nothing_that_exists" in told["diagnosis"][0]


CREDENTIALS = {
    "a good one": ("app-orders", "right", ["read:orders"], set()),
    "a wrong secret": ("app-orders", "wrong", [], {"wrong_secret"}),
    "an unknown application": ("app-nobody", "right", [], {"unknown_client"}),
    "a scope that is not granted": ("app-orders", "right", ["fly"], {"scope"}),
}


@pytest.mark.parametrize("what", CREDENTIALS)
def test_a_real_token_is_fetched_and_verified(run, issuer, monkeypatch, what):
    app_id, secret, scopes, expected = CREDENTIALS[what]
    monkeypatch.setenv("SHOP_SECRET", SECRET if secret == "right" else "no-secret-at-all")
    asked = [word for scope in scopes for word in ("--scope", scope)]
    status, told = doctor(
        run, "--logto", issuer.endpoint, *AUDIENCE, "--app-id", app_id, "--secret-variable", "SHOP_SECRET", *asked
    )
    assert codes(told) == expected
    assert status == (1 if expected - {"scope"} else 0)
    assert SECRET not in json.dumps(told)


def test_a_token_that_this_api_refuses_is_named(run, issuer, monkeypatch):
    monkeypatch.setenv("SHOP_SECRET", SECRET)
    arguments = ("--logto", issuer.endpoint, "--audience", f"{SHOPPING_API}/", "--resource", SHOPPING_API)
    status, told = doctor(run, *arguments, "--app-id", "app-orders", "--secret-variable", "SHOP_SECRET")
    assert (status, codes(told)) == (1, {"audience"})


def test_a_token_is_printed_alone(run, issuer, monkeypatch, tmp_path):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    arguments = ("--logto", issuer.endpoint, *AUDIENCE)
    status, token = run(
        "token", *arguments, "--app-id", "app-orders", "--secret-file", str(file), "--scope", "read:orders"
    )
    assert status == 0
    assert run("explain", *arguments, "--scope", "read:orders", given=token)[0] == 0
    status, page = run("token", *arguments, "--app-id", "app-orders", "--secret-file", str(file), "--json")
    assert set(json.loads(page)) == {"access_token", "scopes", "expires"}
    file.write_text("another")
    assert run("token", *arguments, "--app-id", "app-orders", "--secret-file", str(file))[0] == 1
    issuer.stop()
    assert run("token", *arguments, "--app-id", "app-orders", "--secret-file", str(file))[0] == 3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--app-secret", "hunter2-hunter2"], "replace it at the issuer"),
        (["--secret-variable", "NOT_SET"], "NOT_SET is not set"),
        (["--secret-file", "/nowhere"], "cannot be read"),
        ([], "--secret-variable NAME"),
    ],
)
def test_a_secret_comes_from_a_safe_place_only(run, issuer, options, words):
    status, page = run("token", "--logto", issuer.endpoint, *AUDIENCE, "--app-id", "app-orders", *options)
    assert status == 2
    assert words in page
    assert "hunter2" not in page


def test_there_are_at_least_thirty_faults():
    assert len(SETTINGS) + len(ISSUER) >= 30


def test_proxies_are_named_without_a_password():
    variables = {
        "HTTPS_PROXY": "http://user:hunter2@proxy.example:3128",
        "NO_PROXY": "issuer.example",
        "HTTP_PROXY": "http://a@[bad",
    }
    texts = [one.text for one in check_proxy(variables)]
    assert "hunter2" not in str(texts)
    assert any("***@proxy.example:3128" in text for text in texts)
    assert any('NO_PROXY is "issuer.example"' in text for text in texts)
    assert any("not a URL" in text for text in texts)


def test_an_issuer_whose_keys_are_configured_is_not_asked(run, issuer, tmp_path):
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(issuer.jwks))
    status, told = doctor(run, "--issuer", issuer.url, *AUDIENCE, "--jwks", str(file))
    assert status == 0
    assert any(one["text"] == "given in the settings; nothing is fetched" for one in told["findings"])
    assert issuer.count("all") == 0


def test_metadata_without_a_name_is_named(run, issuer):
    issuer.misbehave("discovery", faults.members(issuer=None))
    _, told = doctor(run, "--issuer", issuer.url, *AUDIENCE)
    assert any("It names no issuer." in one["text"] for one in told["findings"])


def test_the_audience_of_an_organization_is_no_wrong_audience(run, issuer):
    _, told = doctor(run, "--logto", issuer.endpoint, "--audience", "urn:logto:organization:org-a")
    assert not {code for code in codes(told) if code.startswith("audience")}


def test_a_program_without_routes_is_named(run, issuer, tmp_path, monkeypatch):
    module = f"alone_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{module}.py").write_text(
        f"from m2mguard import ResourceServer\nserver = ResourceServer({issuer.url!r}, audience={SHOPPING_API!r})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    _, told = doctor(run, "--app", f"{module}:server")
    assert any("no routes were found" in one["text"] for one in told["findings"])


def test_at_a_terminal_progress_is_shown(run, issuer, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    _, page = run("doctor", "--issuer", issuer.url, *AUDIENCE)
    assert f"... asking {issuer.url} for its keys" in page


def test_an_issuer_that_was_never_asked_is_no_riddle():
    health = IssuerHealth(issuer=NOWHERE, ready=False, last_problem="not_started", last_error="no thread")
    [finding] = check_issuer(Issuer(url=NOWHERE), health, [], max_wait_s=1, leeway_s=30)
    assert finding.severity is Severity.FAULT


def test_a_key_that_is_passed_over_is_named(run, issuer):
    issuer.publish({"kty": "oct", "kid": "symmetric", "k": "AA"})
    _, told = doctor(run, "--issuer", issuer.url, *AUDIENCE)
    assert any(one["name"] == "passed over" for one in told["findings"])

"""`m2mguard forward-auth`: the command as it is run, its settings, and what it refuses."""

import sys
import time

import pytest
import urllib3

from m2mguard import ConfigurationError, Requirement, ResourceServer
from m2mguard._cli.forward_auth.rules_file import read_rules
from m2mguard.forward_auth import JWKS_PATH, READINESS_PATH, identity_issuer
from m2mguard.testing import SHOPPING_API
from tests.cli.test_command import environment
from tests.commands import free_port, running_command
from tests.contract.forward_auth_harness import IDENTITY_KEY

RULES = """
public = ["/healthz", "GET /reports/"]

[requires]
scopes = ["read:orders"]

[paths."/admin/"]
any_scope = ["admin", "root"]
app_ids = ["app-orders"]

[paths."/orders/"]

[paths."DELETE /orders/"]
scopes = ["write:orders"]
organization = "*"
"""


@pytest.fixture
def files(tmp_path):
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "identity.pem").write_bytes(IDENTITY_KEY)
    return tmp_path


@pytest.fixture
def service(files, issuer):
    """The command with all its settings in the environment; yields its URL and its output."""
    port = free_port()
    variables = {
        "M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint,
        "M2MGUARD_AUDIENCE": SHOPPING_API,
        "M2MGUARD_FORWARD_AUTH_RULES": str(files / "rules.toml"),
        "M2MGUARD_FORWARD_AUTH_IDENTITY_KEY": str(files / "identity.pem"),
        "M2MGUARD_FORWARD_AUTH_PORT": str(port),
    }
    command = [sys.executable, "-W", "error", "-m", "m2mguard", "forward-auth"]
    with running_command(
        command, f"http://127.0.0.1:{port}{READINESS_PATH}", env=environment(**variables), output=files / "output"
    ):
        yield f"http://127.0.0.1:{port}", files / "output"
    assert "Traceback" not in (files / "output").read_text()


def ask(url: str, path: str, token: str = "", method: str = "GET") -> urllib3.BaseHTTPResponse:
    fields = {"X-Forwarded-Method": method, "X-Forwarded-Uri": path}
    fields |= {"Authorization": f"Bearer {token}"} if token else {}
    return urllib3.request("GET", f"{url}/authorize", headers=fields, retries=False, timeout=20)


def test_the_command_needs_nothing_but_its_environment(service, issuer):
    url, output = service
    token = issuer.mint("app-orders", scopes=["read:orders"])
    assert urllib3.request("GET", url + READINESS_PATH, retries=False).status == 200  # it has fetched keys at its start
    assert ask(url, "/healthz").status == 200
    assert ask(url, "/orders").status == 401
    assert ask(url, "/orders", issuer.mint(scopes=[])).status == 403
    answer = ask(url, "/orders", token)
    assert (answer.status, answer.headers["X-M2M-App-Id"]) == (200, "app-orders")
    assert ask(url, "/admin/x", token).status == 403
    assert ask(url, "/admin/x", issuer.mint("app-orders", scopes=["read:orders", "root"])).status == 200
    upstream = ResourceServer(identity_issuer(jwks_uri=f"{url}{JWKS_PATH}"), SHOPPING_API)
    assert upstream.verify(answer.headers["X-M2M-Identity"]).app_id == "app-orders"
    assert "server" not in answer.headers
    deadline = time.monotonic() + 5
    while "403 for GET /orders" not in (text := output.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert text.startswith("m2mguard forward-auth listens on 127.0.0.1, port ")
    assert "WARNING m2mguard: 403 for GET /orders: the token lacks a scope" in text
    assert token[:40] not in text


def test_the_longest_token_and_more_fit(service, issuer):
    url, _ = service
    token = issuer.mint("app-orders", scopes=["read:orders"], claims={"x": "y" * 11_000})
    fields = {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/orders", "Authorization": f"Bearer {token}"}
    answer = urllib3.request("GET", f"{url}/", headers=fields | {"X-More": "m" * 60_000}, retries=False, timeout=20)
    assert len(token) > 14_000
    assert answer.status == 200


def test_rules_are_read_from_toml(files):
    rules = read_rules(str(files / "rules.toml"))
    assert rules.public == ("/healthz", "GET /reports/")
    assert rules.requires == Requirement(scopes=["read:orders"])
    assert rules.paths == {
        "/admin/": Requirement(any_scope=["admin", "root"], app_ids=["app-orders"]),
        "/orders/": Requirement(),
        "DELETE /orders/": Requirement(scopes=["write:orders"], organization="*"),
    }


def test_rules_may_ask_how_a_person_signed_in(tmp_path):
    (tmp_path / "rules.toml").write_text(
        '[requires]\nacr = "mfa"\n[paths."/refunds/"]\nmax_age = 300\nacr = ["phr", "mfa"]'
    )
    rules = read_rules(str(tmp_path / "rules.toml"))
    assert rules.requires == Requirement(acr="mfa")
    assert rules.paths == {"/refunds/": Requirement(max_age=300, acr=["phr", "mfa"])}


WRONG = {
    "no TOML": ("public =", "this is not TOML"),
    "unknown table": ("[require]", "require is unknown. Did you mean requires?"),
    "unknown member": ('[requires]\nscope = ["a"]', "scope is unknown. Did you mean scopes?"),
    "unknown member of a path": ('[paths."/a/"]\nscope = ["a"]', r'\[paths."/a/"\]: scope is unknown'),
    "public is text": ('public = "/healthz"', "public must be a list"),
    "paths is a list": ('paths = ["/admin/"]', "paths must be tables"),
    "a path is text": ('[paths]\n"/admin/" = "admin"', "must be a table"),
    "max_age is text": ('[requires]\nmax_age = "300"', r"\[requires\]: max_age"),
    "max_age below 0": ("[requires]\nmax_age = -1", r"\[requires\]: max_age"),
    "acr with a space": ('[requires]\nacr = "phr mfa"', r"\[requires\]: acr"),
    "scopes is text": ('[requires]\nscopes = "a"', r"\[requires\]: scopes"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_a_wrong_rule_is_refused(tmp_path, text, message):
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        read_rules(str(tmp_path / "rules.toml"))


@pytest.mark.parametrize(
    ("arguments", "variables", "message"),
    [
        ([], {}, "M2MGUARD_ISSUER is missing"),
        (["--issuer", "https://i.example"], {}, "M2MGUARD_AUDIENCE is missing"),
        (["--rules", "/nowhere"], {}, "cannot be read: No such file"),
        (["--identity-key", "/nowhere"], {}, "cannot be read: No such file"),
        (["--identity-key", __file__], {}, "identity_key must be"),
        (["--port", "0"], {}, "the port must be"),
        (["--port", "x"], {}, "the port must be"),
        (["--host", "192.0.2.1"], {}, "--host 192.0.2.1: this is not an address of this machine"),
        (["--host", "nowhere.invalid"], {}, "there is no such address or host name"),
        ([], {"M2MGUARD_FORWARD_AUTH_RULE": "x"}, "unknown setting M2MGUARD_FORWARD_AUTH_RULE. Did you mean RULES"),
        ([], {"M2MGUARD_FORWARD": "x"}, "unknown setting M2MGUARD_FORWARD"),
    ],
)  # fmt: skip
def test_wrong_usage_is_refused_before_it_listens(run, monkeypatch, arguments, variables, message):
    complete = ["--issuer", "https://i.example", "--audience", "a"]
    given = arguments if "is missing" in message else [*complete, *arguments]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("uvicorn.run", lambda *_, **__: pytest.fail("it was started"))
    status, page = run("forward-auth", *given)
    assert status == 2
    assert message in page


def test_without_uvicorn_the_extra_is_named(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    status, page = run("forward-auth", "--issuer", "https://i.example", "--audience", "a")
    assert status == 2
    assert 'pip install "m2mguard[forward-auth]"' in page

"""The TOML file, the flags, the kept keys and the command: what is accepted, and in which words the rest is refused."""

import argparse
import contextlib
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import httpx2
import pytest

from m2mguard import ConfigurationError, ResourceServer
from m2mguard._cli.arguments import create_parsers
from m2mguard._cli.command import main
from m2mguard._cli.dev.dev_command import _ALGORITHMS, add_dev_options, run_dev_command
from m2mguard._cli.dev.key_store import KeyStore
from m2mguard._cli.dev.tenant import DevTenant
from m2mguard._cli.dev.tenant_file import read_tenant
from m2mguard._validation import is_loopback
from m2mguard.testing._signing import ALGORITHMS

GOOD = """
[apis."https://shopping.api"]
scopes = ["read:orders", "write:orders"]
[apis."urn:stock"]
[apps.app-orders]
secret = "s3cret"
name = "Orders"
[apps.app-orders.grants]
"https://shopping.api" = ["read:orders"]
[apps.app-orders.organizations.org-blue]
permissions = ["read:members"]
grants = { "https://shopping.api" = ["read:orders"] }
[apps.app-stock]
"""


@pytest.fixture
def config(tmp_path):
    def write(text: str) -> str:
        (tmp_path / "dev.toml").write_text(text)
        return str(tmp_path / "dev.toml")

    return write


def test_a_file_says_which_applications_and_apis_there_are(config):
    settings = read_tenant(config(GOOD))
    assert set(settings.apis) == {"https://shopping.api", "urn:stock"}
    orders = settings.apps["app-orders"]
    assert (orders.secret, orders.name, dict(orders.scopes)) == (
        "s3cret",
        "Orders",
        {"https://shopping.api": ("read:orders",)},
    )
    assert orders.organizations["org-blue"].permissions == ("read:members",)
    assert (settings.apps["app-stock"].secret, dict(settings.apps["app-stock"].scopes)) == ("secret-of-app-stock", {})


def test_options_add_to_the_file_and_nothing_at_all_is_enough(config):
    settings = read_tenant(config(GOOD), ["https://more.api=a,b"], ["app-more=a", "app-all"])
    assert settings.apis["https://more.api"].scopes == ("a", "b")
    assert settings.apps["app-more"].scopes["https://more.api"] == ("a",)
    assert settings.apps["app-all"].scopes["https://more.api"] == ("a", "b")
    assert list(read_tenant(None).apps) == ["app-orders"]


def test_what_is_named_by_options_replaces_the_examples():
    settings = read_tenant(
        None, ["https://stock.api=read:stock", "urn:more=more"], ["app-stock=read:stock", "app-none="]
    )
    assert list(settings.apis) == ["https://stock.api", "urn:more"]
    assert dict(settings.apps["app-stock"].scopes) == {"https://stock.api": ("read:stock",), "urn:more": ()}
    assert dict(settings.apps["app-none"].scopes) == {"https://stock.api": (), "urn:more": ()}
    orders = read_tenant(None, ["https://stock.api=read:stock"]).apps["app-orders"]
    assert dict(orders.scopes) == {"https://stock.api": ("read:stock",)}


def test_the_options_that_the_documentation_shows_are_accepted():
    page = (Path(__file__).parents[2] / "docs" / "guides" / "dev.md").read_text()
    _, command = re.findall(r"^\$ m2mguard (dev.*)$", page, re.MULTILINE)
    options = create_parsers()[0].parse_args(command.split())
    settings = read_tenant(options.config, options.api, options.app)
    assert dict(settings.apps["app-orders"].scopes) == {"https://stock.api": ("read:stock",)}


WRONG_OPTIONS = {
    "a scope of no API": (["--api", "https://stock.api=read:stock", "--app", "app-orders=read:orders"],
                          "no API has the scope 'read:orders'. There are: read:stock."),
    "a scope of an API without scopes": (["--api", "urn:a", "--app", "app-orders=read"], "--api API=SCOPE,SCOPE"),
    "no App ID": (["--app", "=read:orders"], "give an App ID"),
    "no URI": (["--api", "stock.api"], "an API identifier is an absolute URI"),
    "no URI at all": (["--api", "https://["], "an API identifier is an absolute URI"),
    "no scope": (["--api", "urn:a=a b"], "'a b' is no scope"),
    "a port too high": (["--port", "99999"], "--port must be a whole number from 1 to 65535"),
    "a port too low": (["--issuer-port", "-1"], "--issuer-port must be a whole number from 1 to 65535"),
    "one port twice": (["--port", "3333", "--issuer-port", "3333"], "must be two ports"),
    "an unknown host": (["--host", "nowhere.invalid"], "there is no such address or host name"),
    "another machine's address": (["--host", "192.0.2.1"], "this is not an address of this machine"),
    "no host": (["--host", ""], "--host: give an address"),
    "no host name": (["--name", "a/b"], "--name a/b: this is not a host name"),
    "no text": (["--config", sys.executable], "this is not TOML"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG_OPTIONS)
def test_a_wrong_value_ends_with_2_and_a_sentence(what, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, sentence = WRONG_OPTIONS[what]
    with pytest.raises(SystemExit) as ended:
        main(["dev", "--forget-keys", *arguments])
    captured = capsys.readouterr()
    assert (ended.value.code, captured.out) == (2, "")
    assert captured.err.splitlines()[-1].startswith("m2mguard dev: error: ")
    assert sentence in captured.err.splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[apis", "this is not TOML"),
        ("[apps]\nx = 1", "apps must be tables"),
        ("apis = 1", "apis must be tables"),
        ("[app.x]", "Did you mean apps"),
        ('[apis."shopping.api"]', "absolute URI"),
        ('[apis."urn:a"]\nscope = ["a"]', "Did you mean scopes?"),
        ('[apis."urn:a"]\nscopes = "a"', "list of strings"),
        ("[apps.x]\nsecrt = 'a'", "Did you mean secret?"),
        ("[apps.x]\nsecret = ''", "non-empty strings"),
        ('[apps.x.grants]\n"urn:b" = []', "there is no API 'urn:b'"),
        ('[apis."urn:a"]\nscopes = ["read"]\n[apps.x.grants]\n"urn:a" = ["reed"]', "Did you mean read?"),
        ('[apis."urn:a"]\nscopes = ["a b"]', "'a b' is no scope"),
        ("[apps.x]\ngrants = 1", "grants map APIs to scopes"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(config, text, words):
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        read_tenant(config(text))


def test_the_file_that_the_documentation_shows_is_accepted(config):
    page = (Path(__file__).parents[2] / "docs" / "guides" / "dev.md").read_text()
    settings = read_tenant(config(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[0]))
    assert settings.apps["app-orders"].scopes == {"https://shopping.api": ("read:orders",)}
    for option in (
        "--config",
        "--api",
        "--app",
        "--keys",
        "--forget-keys",
        "--algorithm",
        "--port",
        "--issuer-port",
        "--host",
    ):
        assert option in page


def test_each_algorithm_that_is_offered_can_sign():
    assert set(_ALGORITHMS) <= set(ALGORITHMS)


@pytest.mark.parametrize("algorithm", _ALGORITHMS)
def test_the_example_api_accepts_the_tokens_of_each_algorithm_and_the_settings_name_it(algorithm, tmp_path):
    tenant = DevTenant(read_tenant(None), KeyStore(tmp_path / "keys"), algorithm=algorithm)
    tenant.start()
    try:
        token = tenant.mint("app-orders", "https://shopping.api", [], None)
        assert tenant.example_api.verify(token).app_id == "app-orders"
        mine = ResourceServer.from_env(dict(line.split("=", 1) for line in tenant.variables()))
        assert mine.verify(token).app_id == "app-orders"
    finally:
        tenant.close()
    assert KeyStore(tmp_path / "keys").load(algorithm).kid == tenant.issuer.current_key.kid


def test_a_file_that_is_not_there():
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_tenant("/nowhere.toml")


def test_keys_are_kept_between_restarts_and_for_their_owner_only(tmp_path):
    directory = str(tmp_path / "kept")
    first = KeyStore(directory).load("ES256")
    assert KeyStore(directory).load("ES256").kid == first.kid
    assert KeyStore(None).load("ES256").kid != first.kid
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "kept" / "ES256.pem").stat().st_mode) == 0o600
    assert (tmp_path / "kept" / ".gitignore").read_text() == "*\n"
    other = KeyStore(None).load("ES256")
    KeyStore(directory).save(other)
    assert KeyStore(directory).load("ES256").kid == other.kid


def test_a_kept_key_that_is_none_is_named(tmp_path):
    KeyStore(str(tmp_path / "kept"))
    (tmp_path / "kept" / "ES256.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match="contains no ES256 key"):
        KeyStore(str(tmp_path / "kept")).load("ES256")
    with pytest.raises(ConfigurationError, match="cannot be created"):
        KeyStore(str(tmp_path / "kept" / "ES256.pem" / "below"))


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("dev.example", False)],
)
def test_which_addresses_only_this_machine_can_reach(host, alone):
    assert is_loopback(host) is alone


def test_without_the_extra_the_command_names_it_and_help_works(tmp_path):
    hidden = "import sys; sys.modules['starlette'] = sys.modules['uvicorn'] = None\n"
    hidden += "from m2mguard._cli.command import main; main(sys.argv[1:])"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "dev"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    assert 'pip install "m2mguard[dev]"' in done.stderr
    help_of = subprocess.run(
        [sys.executable, "-c", hidden, "--help"], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert help_of.returncode == 0
    assert "serve a local issuer with a web page" in help_of.stdout


def test_the_command_serves_until_it_is_interrupted_and_warns_where_others_can_reach_it(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        page, issuer = one.getsockname()[1], other.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "m2mguard",
        "dev",
        "--host",
        "0.0.0.0",
        "--name",
        "dev.example",
        "--algorithm",
        "ES256",
    ]
    with (tmp_path / "output").open("w") as output:
        process = subprocess.Popen(
            [*command, "--port", str(page), "--issuer-port", str(issuer)], cwd=tmp_path, stdout=output, stderr=output
        )
        try:
            deadline = time.monotonic() + 20
            status = 0
            while status != 200 and time.monotonic() < deadline and process.poll() is None:
                with contextlib.suppress(httpx2.TransportError):
                    status = httpx2.get(
                        f"http://127.0.0.1:{page}/", headers={"Host": f"dev.example:{page}"}
                    ).status_code
                time.sleep(0.05)
            assert status == 200
            metadata = httpx2.get(f"http://127.0.0.1:{issuer}/oidc/.well-known/openid-configuration").json()
            assert metadata["issuer"] == f"http://dev.example:{issuer}/oidc"
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=15)
    said = (tmp_path / "output").read_text()
    assert f"page      http://dev.example:{page}/" in said
    assert "WARNING   0.0.0.0 can be reached by other machines" in said
    assert "Traceback" not in said
    assert (tmp_path / ".m2mguard-dev" / "ES256.pem").exists()


def test_a_port_of_the_issuer_that_is_taken_is_named():
    parser = argparse.ArgumentParser()
    add_dev_options(parser)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"--issuer-port {port}: "):
            run_dev_command(parser.parse_args(["--issuer-port", str(port), "--forget-keys"]))

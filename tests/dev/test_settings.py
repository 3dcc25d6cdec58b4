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

from m2mguard import ConfigurationError
from m2mguard._cli.dev.dev_command import _ALGORITHMS, add_dev_options, run_dev_command
from m2mguard._cli.dev.key_store import KeyStore
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


def test_flags_add_to_the_file_and_nothing_at_all_is_enough(config):
    settings = read_tenant(config(GOOD), ["https://more.api=a,b"], ["app-more=a", "app-all"])
    assert settings.apis["https://more.api"].scopes == ("a", "b")
    assert settings.apps["app-more"].scopes["https://more.api"] == ("a",)
    assert settings.apps["app-all"].scopes["https://more.api"] == ("a", "b")
    assert list(read_tenant(None).apps) == ["app-orders"]


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

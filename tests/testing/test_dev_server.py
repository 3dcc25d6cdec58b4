"""`python -m m2mguard.testing`: what it prints works when pasted into a shell."""

import argparse
import contextlib
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import urllib3


@contextlib.contextmanager
def dev_server(ending: signal.Signals, *options: str) -> Iterator[str]:
    """Start it as `sh -c '... &'` does, with SIGINT ignored; yield what it prints; end it by this signal."""
    arguments = ["-m", "m2mguard.testing", "--port", "0", "--algorithm", "ES256", *options]
    command = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-W", "error", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        try:
            assert server.stdout is not None
            lines: list[str] = []
            while not lines or "Ctrl-C" not in lines[-1]:
                lines.append(server.stdout.readline())
                assert lines[-1], "".join(lines)
            yield "".join(lines)
            server.send_signal(ending)
            assert (server.wait(10), server.stdout.read()) == (0, "")
        finally:
            server.kill()


@pytest.fixture(scope="module")
def welcome() -> Iterator[str]:
    with dev_server(signal.SIGINT) as printed:
        yield printed


def curl(arguments: str) -> Any:
    """Send what curl would send for a line that a shell has split, so that no machine needs curl to run this test."""
    parser = argparse.ArgumentParser()
    parser.add_argument("-s", action="store_true")
    parser.add_argument("-u")
    parser.add_argument("-d", action="append")
    parser.add_argument("url")
    given = parser.parse_args(shlex.split(arguments.replace("\\\n", "")))
    form = {"body": "&".join(given.d), "method": "POST"} if given.d else {"body": None, "method": "GET"}
    headers = {"Content-Type": "application/x-www-form-urlencoded"} if given.d else {}
    headers |= urllib3.make_headers(basic_auth=given.u) if given.u else {}
    return urllib3.request(**form, url=given.url, headers=headers, retries=False, timeout=10).json()


def test_it_ends_by_sigterm_as_by_ctrl_c():
    with dev_server(signal.SIGTERM) as printed:
        assert "App Secret  secret-of-app-orders" in printed


def test_it_says_where_it_is_and_who_may_ask(welcome):
    endpoint = re.search(r"endpoint +(http://127\.0\.0\.1:\d+) ", welcome)
    assert endpoint
    assert f'Issuer.logto("{endpoint[1]}"), audience="https://shopping.api"' in welcome
    jwks = urllib3.request("GET", endpoint[1] + "/oidc/jwks", retries=False, timeout=10).json()
    assert [jwk["alg"] for jwk in jwks["keys"]] == ["ES256"]


def test_its_curl_lines_get_a_token_and_the_keys_that_verify_it(welcome):
    token, jwks = (curl(line) for line in re.findall(r"^  curl ((?:.*\\\n)*.*)$", welcome, re.MULTILINE))
    [jwk] = jwks["keys"]
    claims = jwt.decode(token["access_token"], jwt.PyJWK(jwk), ["ES256"], audience="https://shopping.api")
    assert (claims["sub"], claims["scope"]) == ("app-orders", "read:orders")


def test_a_taken_port_is_named_without_a_traceback():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "m2mguard.testing", "--port", port]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"error: port {port}: Address already in use\n")


def test_it_knows_the_apis_and_applications_that_are_named():
    with dev_server(
        signal.SIGTERM, "--api", "https://stock.api=read:stock,write:stock", "--app", "app-stock=read:stock"
    ) as printed:
        assert 'audience="https://stock.api"' in printed
        [line] = re.findall(r"^  curl ((?:.*\\\n)+.*)$", printed, re.MULTILINE)
        token = curl(line)["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["aud"], claims["scope"]) == ("app-stock", "https://stock.api", "read:stock")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--api", "stock.api"],
            "--api stock.api: an API identifier is an absolute URI, such as https://shopping.api.",
        ),
        (["--app", "a=nope"], "--app a=nope: no API has the scope 'nope'. There are: read:orders, write:orders."),
        (["--port", "99999"], "--port must be a whole number from 0 to 65535."),
    ],
)
def test_a_wrong_value_is_one_sentence(arguments, sentence):
    command = [sys.executable, "-m", "m2mguard.testing", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.splitlines()[-1] == f"python -m m2mguard.testing: error: {sentence}"

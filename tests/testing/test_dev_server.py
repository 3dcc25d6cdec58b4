"""`python -m m2mguard.testing`: what it prints works when pasted into a shell."""

import contextlib
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import jwt
import pytest
import urllib3


@contextlib.contextmanager
def dev_server(ending: signal.Signals) -> Iterator[str]:
    """Start it as `sh -c '... &'` does, with SIGINT ignored; yield what it prints; end it by this signal."""
    arguments = ["-m", "m2mguard.testing", "--port", "0", "--algorithm", "ES256"]
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


def test_it_ends_by_sigterm_as_by_ctrl_c():
    with dev_server(signal.SIGTERM) as printed:
        assert "App Secret  secret-of-app-orders" in printed


def test_it_says_where_it_is_and_who_may_ask(welcome):
    endpoint = re.search(r"endpoint +(http://127\.0\.0\.1:\d+) ", welcome)
    assert endpoint
    assert f'Issuer.logto("{endpoint[1]}"), audience="https://shopping.api"' in welcome
    jwks = urllib3.request("GET", endpoint[1] + "/oidc/jwks", retries=False, timeout=10).json()
    assert [jwk["alg"] for jwk in jwks["keys"]] == ["ES256"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="the printed lines are for curl, which is not installed")
def test_its_curl_lines_get_a_token_and_the_keys_that_verify_it(welcome):
    token_line, keys_line = re.findall(r"^  (curl (?:.*\\\n)*.*)$", welcome, re.MULTILINE)
    token, jwks = (
        json.loads(subprocess.run(line, shell=True, capture_output=True, check=True, timeout=10).stdout)
        for line in (token_line, keys_line)
    )
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

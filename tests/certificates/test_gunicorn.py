"""gunicorn ends mutual TLS itself, and the application reads the certificate of the connection."""

import subprocess
import sys
import time

import pytest
import urllib3

from m2mguard.testing import SHOPPING_API
from tests.certificates.conftest import sending
from tests.commands import PATH, free_port, running_command

pytestmark = pytest.mark.slow
APPLICATION = """
from m2mguard import ResourceServer, certificates
from m2mguard.wsgi import BearerAuthMiddleware


def hello(environ, start_response):
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


app = BearerAuthMiddleware(hello, ResourceServer.from_env(), certificate=certificates.from_gunicorn())
"""


@pytest.mark.parametrize("worker", ["sync", "gthread"])
def test_only_the_owner_of_a_bound_token_gets_through(worker, issuer, files, bound, tmp_path):
    (tmp_path / "api.py").write_text(APPLICATION)
    port = free_port()
    command = [
        *("gunicorn", "--bind", f"127.0.0.1:{port}", "--worker-class", worker, "--threads", "2" if worker == "gthread" else "1"),
        *("--certfile", files / "server.pem", "--keyfile", files / "server.key"),
        *("--ca-certs", files / "clients.pem", "--cert-reqs", "1", "api:app"),
    ]  # fmt: skip
    environ = {
        "PATH": PATH,
        "PYTHONPATH": ":".join([str(tmp_path), *sys.path]),
        "M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint,
        "M2MGUARD_AUDIENCE": SHOPPING_API,
    }

    def status(owner, headers=None):
        client = sending(files, url, owner)
        answer = client.request("GET", url, headers=headers, retries=False, timeout=20)
        client.clear()
        return answer.status

    def wait(_url, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None, "gunicorn has ended"
            assert time.monotonic() < deadline, "gunicorn does not answer"
            try:
                assert status(None) == 401
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)
            else:
                return

    url = f"https://localhost:{port}"
    ours, plain = (
        {"Authorization": f"Bearer {issuer.mint(claims=claims)}", "Client-Cert": "spoofed"} for claims in (bound, {})
    )
    with running_command(command, url, folder=tmp_path, env=environ, wait=wait):
        assert status("orders", ours) == 200
        assert status("thief", ours) == status(None, ours) == 401
        assert status("thief", plain) == status(None, plain) == 200

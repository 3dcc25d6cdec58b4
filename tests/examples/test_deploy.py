"""examples/deploy: the image and the manifest are linted; the command, the probes and a real nginx run."""

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import urllib3
import websockets.sync.client
import yaml

from m2mguard.testing import LocalIssuer
from tests.commands import PATH, free_port, running_command, wait_until_answering

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
MANIFEST: list[dict[str, Any]] = list(yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text()))
(CONTAINER,) = MANIFEST[1]["spec"]["template"]["spec"]["containers"]


def get(url: str, **fields: str) -> urllib3.BaseHTTPResponse:
    return urllib3.request("GET", url, headers=fields, retries=False, timeout=20)


def until_ready(url: str) -> None:
    """Probe until the API is ready: each probe starts a fetch as soon as the back-off is over."""
    deadline = time.monotonic() + 30
    while (status := get(url).status) != 200:
        assert status == 503
        assert time.monotonic() < deadline, "not ready after 30 s"
        time.sleep(0.1)


def read_log(path: Path, request: str, count: int) -> str:
    """Read the log once it holds so many lines of a request, or after five seconds: nginx answers first and writes afterwards."""
    deadline = time.monotonic() + 5
    while (log := path.read_text()).count(request) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    return log


@pytest.fixture
def issuer():
    """An issuer that does not run before the test starts it."""
    issuer = LocalIssuer(algorithm="ES256")
    yield issuer
    issuer.__exit__()


@pytest.fixture
def api(issuer):
    """The container's command, in the container's environment, with another port and another issuer."""
    command = json.loads(re.search(r"^CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)[1])
    assert CONTAINER["ports"][0]["containerPort"] == int(command[command.index("--port") + 1])
    port = free_port()
    command[command.index("--port") + 1], command[command.index("--host") + 1] = str(port), "127.0.0.1"
    command[command.index("--workers") + 1] = "1"  # all probes then reach the same worker
    environ = {"PATH": PATH, **MANIFEST[0]["data"], "M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint}
    with running_command(command, f"http://127.0.0.1:{port}/livez", folder=DEPLOY, env=environ):
        yield f"http://127.0.0.1:{port}"


def test_the_image_is_linted():
    done = subprocess.run(
        ["hadolint", DEPLOY / "Dockerfile"], env={"PATH": PATH}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_manifest_is_valid_and_needs_no_privileges():
    done = subprocess.run(
        ["kubernetes-validate", "--strict", DEPLOY / "kubernetes.yaml"],
        env=os.environ | {"PATH": PATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True
    assert CONTAINER["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_pod_without_keys_is_alive_but_not_ready(api, issuer):
    liveness, readiness = (CONTAINER[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe"))
    assert get(api + liveness).status == 200
    assert get(api + readiness).status == 503
    issuer.start()
    until_ready(api + readiness)
    issuer.stop()
    assert get(api + liveness).status == get(api + readiness).status == 200


@pytest.fixture
def nginx(api, tmp_path):
    """A real nginx in front of the API, with the configuration of the example and other ports."""
    if shutil.which("nginx") is None:
        pytest.skip("nginx is not installed: apt-get install nginx-light")
    port = free_port()
    configuration = (DEPLOY / "nginx.conf").read_text()
    assert configuration.count("8080") == 1
    assert configuration.count("http://127.0.0.1:8000") == 1
    (tmp_path / "nginx.conf").write_text(
        configuration.replace("8080", f"127.0.0.1:{port}").replace("http://127.0.0.1:8000", api)
    )
    command = ["nginx", "-c", tmp_path / "nginx.conf", "-p", tmp_path, "-g", "daemon off;"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as server:
        try:
            wait_until_answering(f"http://127.0.0.1:{port}/livez", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(20)


def test_nginx_passes_tokens_on_and_logs_none(nginx, issuer, tmp_path):
    issuer.start()
    until_ready(f"{nginx}/readyz")
    token = issuer.mint("app-mine", scopes=["read:orders"])
    long_token = issuer.mint("app-mine", scopes=["read:orders"], claims={"roles": ["r" * 50] * 150})
    assert len(long_token) > 9_000
    for one in (token, long_token):
        assert get(f"{nginx}/orders", Authorization=f"Bearer {one}").json() == {"hello": "app-mine"}
    assert get(f"{nginx}/orders").headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert get(f"{nginx}/orders", Authorization=f"Bearer {issuer.mint()}").status == 403
    log = read_log(tmp_path / "access.log", "GET /orders", 4)
    assert log.count("GET /orders") == 4
    assert token[:20] not in log
    assert "Bearer" not in log


def test_nginx_passes_a_websocket_on(nginx, issuer):
    issuer.start()
    until_ready(f"{nginx}/readyz")
    fields = {"Authorization": f"Bearer {issuer.mint('app-mine', scopes=['read:orders'])}"}
    url = nginx.replace("http", "ws", 1) + "/live"
    with websockets.sync.client.connect(url, additional_headers=fields, open_timeout=20) as live:
        assert live.recv(timeout=20) == "app-mine"
    with pytest.raises(websockets.exceptions.InvalidStatus) as caught, websockets.sync.client.connect(url):
        pass
    assert caught.value.response.status_code == 401

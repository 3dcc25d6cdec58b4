"""The terminal without logging configuration: one line for each refusal under uvicorn, gunicorn and Django's runserver."""

import contextlib
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest

from m2mguard.testing import SHOPPING_API, LocalIssuer, faults

README = Path(__file__).parents[2] / "README.md"
FLASK = """
from flask import Flask
from m2mguard import Issuer, ResourceServer
from m2mguard.flask import M2MGuard, current_caller
app = Flask("shop")
guard = M2MGuard(app, ResourceServer(Issuer.logto("https://tenant.logto.app"), audience="https://shopping.api"))
@app.get("/orders")
@guard.requires("read:orders")
def orders():
    return {"hello": current_caller.app_id}
"""
DJANGO = """
import sys
from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import JsonResponse
from django.urls import path
settings.configure(
    DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="not-a-secret", ALLOWED_HOSTS=["*"], INSTALLED_APPS=["m2mguard.django"],
    M2MGUARD={"LOGTO_ENDPOINT": "https://tenant.logto.app", "AUDIENCE": "https://shopping.api"},
)
from m2mguard.django import requires
@requires("read:orders")
def orders(request):
    return JsonResponse({"hello": request.auth.app_id})
urlpatterns = [path("orders", orders)]
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""


def readme_app() -> str:
    return re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[0]


SERVERS: dict[str, tuple[Callable[[], str], list[str]]] = {
    "uvicorn": (readme_app, ["-m", "uvicorn", "--port", "{port}", "shopcode:app"]),
    "gunicorn": (lambda: FLASK, ["-m", "gunicorn", "--bind", "127.0.0.1:{port}", "--threads", "2", "shopcode:app"]),
    "runserver": (lambda: DJANGO, ["shopcode.py", "runserver", "--noreload", "127.0.0.1:{port}"]),
}
OWN_LINE = {
    "uvicorn": r'"GET /orders\S* HTTP/1\.1" 401 Unauthorized',
    "runserver": r'"GET /orders\S* HTTP/1\.1" 401 \d+',
}


@contextlib.contextmanager
def running(name: str, directory: Path, issuer: LocalIssuer) -> Iterator[tuple[str, Path]]:
    """Run a server as a user does; yields its URL and the file with its output."""
    code, command = SERVERS[name]
    (directory / "shopcode.py").write_text(code().replace("https://tenant.logto.app", issuer.endpoint))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    log = directory / "output"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *(word.format(port=port) for word in command)],
            cwd=directory,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_listening(port, process)
            yield f"http://127.0.0.1:{port}", log
        finally:
            process.terminate()
            process.wait(timeout=15)


def _wait_until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    pytest.fail("the server does not listen")


def lines_of(log: Path) -> list[str]:
    return [line for line in log.read_text().splitlines() if "m2mguard:" in line and " for GET /orders" in line]


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVERS)
def test_each_refusal_is_one_line_with_cause_sender_and_advice(name, tmp_path, issuer):
    valid = issuer.mint(scopes=["read:orders"])
    invalid = {
        "expired": (
            issuer.mint(lifetime=-600, scopes=["read:orders"]),
            401,
            "exp: got",
            'Sent by "app-orders"',
            "Caller: get a new token",
        ),
        "audience": (
            issuer.mint(audience=f"{SHOPPING_API}/"),
            401,
            f'aud: got "{SHOPPING_API}/", expected "{SHOPPING_API}"; only a slash at the end differs',
            'Sent by "app-orders"',
            "Caller: ask for the token",
        ),
        "scope": (issuer.mint(scopes=[]), 403, 'expected "read:orders"', 'Sent by "app-orders"', "role"),
        "unknown_issuer": (
            issuer.mint(claims={"iss": "https://unknown.example/oidc"}),
            401,
            f'iss: expected "{issuer.url}"',
            "",
            "configure it",
        ),
    }
    with running(name, tmp_path, issuer) as (url, log):
        with httpx2.Client(base_url=url, timeout=15) as client:

            def status(token: str) -> int:
                return client.get("/orders?secret-query=1", headers={"Authorization": f"Bearer {token}"}).status_code

            assert status(valid) == 200
            assert client.get("/orders").status_code == 401  # without a token: level INFO, which nobody configured
            assert lines_of(log) == []
            for count, (reason, (token, expected, values, sender, advice)) in enumerate(invalid.items(), 1):
                assert status(token) == expected
                lines = lines_of(log)
                assert len(lines) == count, log.read_text()
                assert f"{expected} for GET /orders: " in lines[-1]
                assert f"(reason {reason})" in lines[-1]
                assert values in lines[-1]
                assert (sender in lines[-1]) if sender else ("Sent by" not in lines[-1])
                assert advice in lines[-1]
                assert lines[-1].endswith(f" run: m2mguard why {reason}")
            issuer.rotate()
            issuer.misbehave("jwks", faults.status(500))
            assert status(issuer.mint(scopes=["read:orders"])) == 503
            assert "503 for GET /orders: " in lines_of(log)[-1]
            assert "problem key_set_status" in lines_of(log)[-1]
        output_text = log.read_text()
        if name in OWN_LINE:  # the page says that it follows ours
            assert re.search(rf"for GET /orders: the token has expired .*\n(.*\n)?.*{OWN_LINE[name]}", output_text)
    for token, *_ in invalid.values():
        assert token.rpartition(".")[2] not in output_text
        assert "unknown.example" not in output_text
        assert "secret-query" not in "".join(lines_of(log))


CONFIGURED = {
    "basicConfig": "import logging; logging.basicConfig(level=logging.INFO)",
    "dictConfig": "import logging.config; logging.config.dictConfig({'version': 1, 'disable_existing_loggers': True, "
    "'handlers': {'h': {'class': 'logging.StreamHandler'}}, 'root': {'handlers': ['h'], 'level': 'INFO'}})",
}


@pytest.mark.slow
@pytest.mark.parametrize("configuration", CONFIGURED)
def test_each_line_appears_once_with_configured_logging(configuration, tmp_path, issuer, monkeypatch):
    code = f"{CONFIGURED[configuration]}\n{readme_app()}"
    monkeypatch.setitem(SERVERS, "uvicorn", (lambda: code, SERVERS["uvicorn"][1]))
    with running("uvicorn", tmp_path, issuer) as (url, log):
        headers = {"Authorization": f"Bearer {issuer.mint(lifetime=-600)}"}
        assert httpx2.get(f"{url}/orders", headers=headers, timeout=15).status_code == 401
        assert len(lines_of(log)) == 1

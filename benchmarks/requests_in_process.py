"""One request through an application, called in process as a server calls it: what authentication adds to it."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from benchmarks.apps import ASGI, FASTAPI, FLASK, PATH, SCOPE, WSGI, Build
from benchmarks.measure import ROUNDS, Batch, Measured, awaits, calls, interleaved
from m2mguard.testing import LocalIssuer


class Refused(Exception):
    """An application did not answer 200 to a good token: what was measured would be worth nothing."""


def asgi_times(*, rounds: int = ROUNDS) -> dict[str, Measured]:
    """Starlette with a pure ASGI middleware. ES384."""
    return _asgi(ASGI, "ES384", rounds)


def fastapi_times(*, rounds: int = ROUNDS) -> dict[str, Measured]:
    """FastAPI with a dependency. RS256, since fastapi-azure-auth takes no other."""
    return _asgi(FASTAPI, "RS256", rounds)


def flask_times(*, rounds: int = ROUNDS) -> dict[str, Measured]:
    """Flask with a decorator. ES256, since Authlib's validator takes that and RS256."""
    return _wsgi(FLASK, "ES256", rounds)


def wsgi_times(*, rounds: int = ROUNDS) -> dict[str, Measured]:
    """A bare WSGI application with a middleware. ES384."""
    return _wsgi(WSGI, "ES384", rounds)


def _wsgi(apps: Mapping[str, Build], algorithm: str, rounds: int) -> dict[str, Measured]:
    with LocalIssuer(algorithm=algorithm) as issuer:
        token = _token(issuer)
        cases = {
            name: calls(_wsgi_call(build(issuer), token)) for name, build in apps.items() if _installed(build, issuer)
        }
        return interleaved(cases, rounds=rounds)


def _asgi(apps: Mapping[str, Build], algorithm: str, rounds: int) -> dict[str, Measured]:
    loop = asyncio.new_event_loop()
    try:
        with LocalIssuer(algorithm=algorithm) as issuer:
            token = _token(issuer)
            cases: dict[str, Batch] = {}
            for name, build in apps.items():
                if _installed(build, issuer):
                    cases[name] = awaits(_asgi_call(build(issuer), token), loop)
            return interleaved(cases, rounds=rounds)
    finally:
        loop.close()


def _installed(build: Build, issuer: LocalIssuer) -> bool:
    try:
        build(issuer)
    except ImportError:
        return False
    return True


def _token(issuer: LocalIssuer) -> str:
    return issuer.mint(
        scopes=[SCOPE], claims={"nbf": int(time.time()), "ver": "2.0"}
    )  # fastapi-azure-auth asks for both


def _asgi_call(app: Any, token: str) -> Callable[[], Awaitable[None]]:
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": PATH,
        "raw_path": PATH.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"api.example"),
            (b"accept", b"*/*"),
            (b"user-agent", b"benchmark"),
            (b"authorization", f"Bearer {token}".encode()),
        ],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
    }
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def call() -> None:
        await app(dict(scope), receive, send)
        if statuses.pop() != 200:
            raise Refused

    return call


def _wsgi_call(app: Any, token: str) -> Callable[[], None]:
    environ = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "",
        "PATH_INFO": PATH,
        "QUERY_STRING": "",
        "SERVER_NAME": "api.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "api.example",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    statuses: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        statuses.append(status)
        return bytes

    def call() -> None:
        answer = app({**environ, "wsgi.input": io.BytesIO()}, start_response)
        b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        if statuses.pop() != "200 OK":
            raise Refused

    return call

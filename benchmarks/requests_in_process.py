"""One request through an application, called in process as a server calls it: what authentication adds to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from wsgiref.util import setup_testing_defaults

from benchmarks.apps import FASTAPI, FLASK, PATH, STARLETTE, WSGI, installed
from benchmarks.measure import Case, Effort, Measured, interleaved
from benchmarks.peers import Refused, minted
from m2mguard.testing import LocalIssuer

ALGORITHMS = {
    STARLETTE: "ES384",
    FASTAPI: "RS256",
    FLASK: "ES256",
    WSGI: "ES384",
}  # as fastapi-azure-auth, Authlib need


def request_times(effort: Effort) -> dict[str, Mapping[str, Measured]]:
    """The time of one request with a remembered token, by framework and application."""
    times = {}
    for framework, algorithm in ALGORITHMS.items():
        case = _asgi_case if framework in (STARLETTE, FASTAPI) else _wsgi_case
        with LocalIssuer(algorithm=algorithm) as issuer:
            [token] = minted(issuer, 1)
            cases = {name: case(app, token) for name, app in installed(framework, issuer).items()}
            times[f"{framework}, {algorithm}"] = interleaved(cases, rounds=effort.rounds)
    return times


def _asgi_case(app: Any, token: str) -> Case:
    headers = {"host": "api.example", "accept": "*/*", "user-agent": "benchmark", "authorization": f"Bearer {token}"}
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
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", 80),
    }
    statuses: list[int] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def call(scope: Mapping[str, Any]) -> None:
        await app(dict(scope), receive, send)
        if statuses.pop() != 200:
            raise Refused

    return Case(call, [scope])


def _wsgi_case(app: Any, token: str) -> Case:
    environ: dict[str, Any] = {"PATH_INFO": PATH, "HTTP_AUTHORIZATION": f"Bearer {token}"}
    setup_testing_defaults(environ)
    statuses: list[str] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
        statuses.append(status)
        return bytes

    def call(environ: Mapping[str, Any]) -> None:
        answer = app(dict(environ), start_response)
        b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()
        if statuses.pop() != "200 OK":
            raise Refused

    return Case(call, [environ])

"""Hostile paths through real servers to real routers: none reaches a protected route, and valid public paths are accepted."""

import socket
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.processes import running

# h11 hands on the whole request target; httptools cuts off what follows a "#", so that the router sees another path, too.
UVICORN = ("uvicorn", "--fd", "{fd}", "--log-level", "critical", "--lifespan", "off", "--http", "h11")
HYPERCORN = ("hypercorn", "--bind", "fd://{fd}", "--log-level", "critical")
GUNICORN = ("gunicorn", "--bind", "fd://{fd}", "--no-control-socket", "--log-level", "critical", "--threads", "2")
SERVERS = {
    f"{framework} under {command[0]}": (*command, f"tests.servers.routers:{framework}")
    for command, frameworks in (
        (UVICORN, ("litestar_asgi", "litestar_plugin", "starlette_asgi", "django_asgi")),
        (HYPERCORN, ("quart_asgi",)),
        (GUNICORN, ("flask_wsgi", "bottle_wsgi", "django_wsgi")),
    )
    for framework in frameworks
}

HOSTILE = (Path(__file__).parent.parent / "data" / "hostile_paths.txt").read_text().splitlines()
VALID = [
    "x",
    "x/y/z.tar.gz",
    "..a/.well-known",
    "x@1:2,3=4~5",
    "mein bericht.pdf",
    "a, b+c@d (1)",
    "größe.txt",
    "gro\u0308ße.txt",  # in the form that macOS uses
    "日本語\uff081\uff09.pdf",  # full-width parentheses
    "отчёт",
    "🎉.png",
    "a\u2013b",  # an en dash
]


def send_line(url: str, target: str, method: str = "GET", *fields: str) -> tuple[int, bytes]:
    """Send one request line unchanged; returns the status (0 if the server closes the connection) and the body."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=15) as connection:
        lines = [f"{method} {target} HTTP/1.1", "Host: h", "Connection: close", *fields, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


@pytest.mark.slow
@pytest.mark.parametrize("command", SERVERS.values(), ids=SERVERS)
def test_only_public_paths_are_reached_and_all_of_them_are(command):
    assert len(HOSTILE) > 150
    with running(*command, env={}) as url:
        answers = {target: send_line(url, target) for target in HOSTILE}
        reached = {target: answer for target, answer in answers.items() if answer[0] not in (0, 400, 401)}
        assert reached == {}
        for name in VALID:
            for target in ("/reports/" + quote(name, safe="/"), "/files/" + quote(name, safe="/!$&'()+,=:@")):
                status, body = send_line(url, target)
                assert status == 200, target
                assert f"public: {name}" in body.decode(), target
        for method, *fields in (("POST",), ("DELETE",), ("OPTIONS",), ("GET", "X-HTTP-Method-Override: DELETE")):
            assert send_line(url, "/files/x", method, *fields)[0] == 401, (method, fields)

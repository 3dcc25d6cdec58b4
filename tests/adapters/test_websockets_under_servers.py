"""WebSocket handshakes under real servers: the answer to a refused client."""

import http.client
import socket
from urllib.parse import urlsplit

import pytest

from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.processes import running

SERVERS = {
    "uvicorn": ("uvicorn", "--fd", "{fd}", "--ws", "wsproto", "--log-level", "warning"),
    "hypercorn": ("hypercorn", "--bind", "fd://{fd}"),
}
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",  # RFC 6455 section 1.3
}


def handshake(url: str, token: str | None = None) -> tuple[http.client.HTTPResponse, bytes]:
    """Send the handshake of a WebSocket; returns the answer and its body or the first frame."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    fields = HANDSHAKE | {"Host": parts.netloc} | ({} if token is None else {"Authorization": f"Bearer {token}"})
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=15) as connection:
        lines = ["GET /live HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        connection.sendall("\r\n".join(lines).encode())
        answer = http.client.HTTPResponse(connection, method="GET")
        answer.begin()
        if answer.status != 101:
            return answer, answer.read()
        assert answer.fp is not None
        _, length = answer.fp.read(2)
        return answer, answer.fp.read(length)


@pytest.mark.slow
@pytest.mark.parametrize("app", ["by_middleware", "by_dependency", "by_plugin", "by_guard"])
@pytest.mark.parametrize("server", SERVERS)
def test_a_refused_handshake_has_status_challenge_and_body(server, app):
    with LocalIssuer() as issuer:
        env = {"M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint, "M2MGUARD_AUDIENCE": SHOPPING_API}
        with running(*SERVERS[server], f"tests.adapters.websocket_app:{app}", env=env) as url:
            accepted, frame = handshake(url, issuer.mint("app-orders", scopes=["read:orders"]))
            assert accepted.status == 101
            assert frame == b"app-orders"

            anonymous, body = handshake(url)
            assert anonymous.status == 401
            assert anonymous.headers["WWW-Authenticate"] == 'Bearer realm="api"'
            assert b'"unauthorized"' in body

            refused, body = handshake(url, issuer.mint(scopes=[]))
            assert refused.status == 403
            assert refused.headers["WWW-Authenticate"].endswith('scope="read:orders"')
            assert b'"insufficient_scope"' in body

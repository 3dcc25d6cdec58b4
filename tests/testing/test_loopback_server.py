"""The server itself: its port, its life, its connections, and what it makes of broken requests."""

import gc
import http.client
import socket
import ssl
import threading
import time

import pytest

from m2mguard.testing import LocalIssuer
from m2mguard.testing._loopback_server import LoopbackServer


def status_of_a_new_connection(issuer: LocalIssuer) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", issuer.port, timeout=30)
    try:
        connection.request("GET", "/oidc/jwks")
        return connection.getresponse().status
    finally:
        connection.close()


def test_an_issuer_that_never_started_knows_its_address_and_refuses_connections():
    issuer = LocalIssuer()
    assert issuer.endpoint == f"http://127.0.0.1:{issuer.port}"
    with pytest.raises(ConnectionRefusedError):
        status_of_a_new_connection(issuer)


def test_it_stops_and_starts_on_the_same_port_as_often_as_one_likes():
    issuer = LocalIssuer()
    for _ in range(3):
        issuer.start()
        assert status_of_a_new_connection(issuer) == 200
        issuer.stop()
        with pytest.raises(ConnectionRefusedError):
            status_of_a_new_connection(issuer)
    assert issuer.count("jwks") == 3


def test_starting_and_stopping_twice_is_harmless():
    with LocalIssuer() as issuer:
        issuer.start()
        assert status_of_a_new_connection(issuer) == 200
        issuer.stop()
        issuer.stop()


def test_stopping_closes_connections_that_are_kept_alive(issuer):
    connection = http.client.HTTPConnection("127.0.0.1", issuer.port, timeout=10)
    connection.request("GET", "/oidc/jwks")
    connection.getresponse().read()
    issuer.stop()
    assert connection.sock.recv(1) == b""
    connection.close()


def test_the_port_is_free_again_after_the_block_and_taken_inside_it():
    with LocalIssuer() as issuer:
        port = issuer.port
        with pytest.raises(OSError, match="in use"):
            LocalIssuer(port=port)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))


def test_it_ends_its_only_thread():
    before = set(threading.enumerate())  # others may end meanwhile: Trio's keep theirs for ten seconds
    with LocalIssuer():
        assert len(set(threading.enumerate()) - before) == 1
    assert set(threading.enumerate()) <= before


def test_a_thousand_slow_requests_at_once_are_all_answered_by_one_thread(issuer):
    statuses: list[int] = []
    clients = [
        threading.Thread(target=lambda: statuses.append(status_of_a_new_connection(issuer))) for _ in range(1000)
    ]
    before = set(threading.enumerate())
    with issuer.hold("jwks") as gate:
        for client in clients:
            client.start()
        gate.wait_for(1000, timeout=30)
        assert set(threading.enumerate()) - before == set(clients)
        assert statuses == []
    for client in clients:
        client.join()
    assert statuses == [200] * 1000
    assert issuer.count("jwks") == 1000


def test_a_connection_serves_many_requests(issuer):
    connection = http.client.HTTPConnection("127.0.0.1", issuer.port, timeout=10)
    connection.connect()
    used = connection.sock
    for _ in range(3):
        connection.request("GET", "/oidc/jwks")
        connection.getresponse().read()
        assert connection.sock is used
    connection.close()


@pytest.mark.parametrize("close", ["close", "Close"])
def test_a_connection_is_closed_when_the_client_asks_for_it(issuer, close):
    with socket.create_connection(("127.0.0.1", issuer.port), timeout=10) as connection:
        connection.sendall(f"GET /oidc/jwks HTTP/1.1\r\nHost: a\r\nConnection: {close}\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.endswith(b"]}")


def test_head_is_answered_without_a_body_and_the_connection_goes_on(issuer):
    with socket.create_connection(("127.0.0.1", issuer.port), timeout=10) as connection:
        received = b""
        for method in ("HEAD", "GET"):
            connection.sendall(f"{method} /nowhere HTTP/1.1\r\nHost: issuer\r\n\r\n".encode())
            received += connection.recv(65_536)
        while not received.endswith(b"Not Found"):
            received += connection.recv(65_536)
    first, second, body = received.split(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 404 ")
    assert second.startswith(b"HTTP/1.1 404 ")
    assert body == b"Not Found"


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET /oidc/jwks HTTP/1.1 more\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"POST /oidc/token HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /oidc/token HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /oidc/token HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST /oidc/token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /oidc/jwks HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    ],
    ids=lambda value: value[:60],
)
def test_a_broken_request_is_answered_400_and_the_server_lives_on(issuer, request_bytes):
    with socket.create_connection(("127.0.0.1", issuer.port), timeout=10) as connection:
        connection.sendall(request_bytes)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 400 ")
    assert status_of_a_new_connection(issuer) == 200


@pytest.mark.parametrize("sent", [b"", b"GET /oidc", b"POST /oidc/token HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort"])
def test_a_client_that_leaves_in_the_middle_does_no_harm(issuer, sent, caplog):
    with socket.create_connection(("127.0.0.1", issuer.port), timeout=10) as connection:
        connection.sendall(sent)
    assert status_of_a_new_connection(issuer) == 200
    assert caplog.records == []


def test_it_speaks_tls_with_a_context(issuer_with_tls, ca):
    trusting = ssl.create_default_context(cafile=ca.ca_file)
    connection = http.client.HTTPSConnection("localhost", issuer_with_tls.port, context=trusting, timeout=10)
    connection.request("GET", "/oidc/.well-known/openid-configuration")
    assert b'"jwks_uri":"https://localhost:' in connection.getresponse().read()
    connection.close()
    assert issuer_with_tls.url == f"https://localhost:{issuer_with_tls.port}/oidc"


def test_a_taken_port_is_reported_at_construction():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        LoopbackServer(handler=lambda _request, _writer: None, port=taken.getsockname()[1])  # type: ignore[arg-type,return-value]


def test_a_forked_copy_of_the_listening_socket_does_not_keep_it_listening():
    with LocalIssuer() as issuer:
        listening = issuer._server._socket
        assert listening is not None
        inherited = listening.dup()
        issuer.stop()
        with pytest.raises(ConnectionRefusedError):
            status_of_a_new_connection(issuer)
        issuer.start()
        assert status_of_a_new_connection(issuer) == 200
        inherited.close()


def test_closing_twice_is_harmless(issuer):
    server = issuer._server
    server.close()
    server.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", issuer.port), timeout=10)


def test_connections_that_are_accepted_in_the_moment_of_the_stop_are_closed(issuer, caplog, recwarn):
    """asyncio sets up a connection one turn after it accepted it, and cannot any more once the server is closed."""
    issuer._server._loop.call_soon_threadsafe(time.sleep, 0.5)  # what follows happens in one turn of the loop
    connections = [socket.create_connection(("127.0.0.1", issuer.port), timeout=10) for _ in range(20)]
    issuer.stop()
    gc.collect()
    assert [connection.recv(1) for connection in connections] == [b""] * 20
    for connection in connections:
        connection.close()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
    assert [str(one.message) for one in recwarn if issubclass(one.category, ResourceWarning)] == []

"""An issuer asked in the process fails as it does over HTTP: each fault alike, seen by a server that needs keys."""

import inspect
import threading
import time
from types import SimpleNamespace

import pytest

from m2mguard import KeyCaching, KeysUnavailable
from m2mguard.client import TokenEndpointUnavailable, TokenSource
from m2mguard.net import HttpTransport, TransportError
from m2mguard.testing import TestServer, _fault_control, faults
from m2mguard.testing.faults import Fault

AMPLE_S = 20  # for a fault that is answered at once, however busy the machine is
SHORT_S = 1.0  # for an answer that does not come
FAULTS = {
    "status": faults.status(500), "status 404": faults.status(404), "status 304": faults.status(304), "status 206": faults.status(206),
    "redirect": faults.redirect("https://elsewhere.example"), "redirect to here": faults.redirect("/oidc/jwks", status=302),
    "disconnect": faults.disconnect(), "truncated": faults.truncated(), "html": faults.html(),
    "body": faults.body(b""), "body not UTF-8": faults.body(b"\xff\xfe"), "body a list": faults.body(b"[]"),
    "empty_key_set": faults.empty_key_set(), "members": faults.members(keys=3), "members unusable": faults.members(keys=[{"kty": "EC"}]),
    "huge": faults.huge(), "huge, a little": faults.huge(300_000), "gzip_bomb": faults.gzip_bomb(),
    "drip": faults.drip(), "drip the head": faults.drip("head"), "drip, then late": Fault(delay_s=0.7, drip="body", drip_interval_s=0.01),
    "hang": faults.hang(), "delay": faults.delay(5), "delay, then status": Fault(delay_s=5, status=500),
    "delay, then disconnect": Fault(delay_s=0.05, disconnect=True),
}  # fmt: skip
HARMLESS = {
    "delay": faults.delay(0.05), "huge, but allowed": faults.huge(1000), "gzip": faults.gzip_bomb(1000), "drip": faults.drip(interval_s=0),
    "another content type": Fault(headers={"Content-Type": "text/plain"}),
}  # fmt: skip


def both(attempt, timeout_s=AMPLE_S):
    """What comes of it in the process, and over HTTP."""
    found = []
    for http in (False, True):
        with TestServer(http=http, caching=KeyCaching(timeout=timeout_s)) as server:
            found.append(attempt(server))
    return found


def problem_of(server):
    """Why the fetch failed; the one who waited may know sooner that it took too long."""
    deadline = time.monotonic() + 10
    while (problem := server.health().issuers[0].last_problem) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return problem


def test_every_fault_is_compared():
    functions = {name for name in faults.__all__ if inspect.isfunction(getattr(faults, name))}
    assert functions == {name.partition(" ")[0].strip(",") for name in FAULTS}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_fails_in_the_process_as_over_http(fault):
    def attempt(server):
        server.issuer.misbehave("jwks", fault)
        with pytest.raises(KeysUnavailable):
            server.verify(server.token())
        problem = problem_of(server)
        server.issuer.behave()
        server.refresh()
        server.verify(server.token())
        return problem

    lasts = fault.hang or fault.delay_s > SHORT_S or fault.drip
    in_process, over_http = both(attempt, timeout_s=SHORT_S if lasts else AMPLE_S)
    assert in_process == over_http is not None


@pytest.mark.parametrize("fault", HARMLESS.values(), ids=HARMLESS)
def test_what_a_server_survives_it_survives_in_the_process(fault):
    def attempt(server):
        server.issuer.misbehave("jwks", fault)
        return server.verify(server.token()).app_id

    assert both(attempt) == ["app-orders", "app-orders"]


def test_an_issuer_that_is_stopped_refuses_connections():
    def attempt(server):
        server.issuer.stop()
        server.refresh()
        return problem_of(server), server.issuer.count()

    assert both(attempt) == [("no_connection", 0), ("no_connection", 0)]


def test_the_time_that_the_issuer_names_is_waited():
    def attempt(server):
        server.issuer.misbehave("jwks", Fault(status=503, headers={"Retry-After": "70"}))
        with pytest.raises(KeysUnavailable) as caught:
            server.verify(server.token())
        return caught.value.retry_after

    assert both(attempt) == pytest.approx([70, 70], abs=2)


def test_a_fault_may_be_for_one_request_only():
    def attempt(server):
        server.issuer.misbehave("jwks", faults.status(500), times=1)
        return [server.refresh().ready, server.refresh().ready, server.issuer.count("jwks")]

    assert both(attempt) == [[False, True, 2], [False, True, 2]]


def test_unchanged_keys_are_not_sent_again():
    def attempt(server):
        for _ in range(2):
            assert server.refresh().ready
        return ["if-none-match" in record.headers for record in server.issuer.requests]

    in_process, over_http = both(attempt)
    assert in_process == over_http


@pytest.mark.parametrize("release", [True, False], ids=["released", "not released"])
def test_a_gate_holds_a_request_in_the_process(release):
    with TestServer(caching=KeyCaching(timeout=10 if release else 0.1)) as server, server.issuer.hold("jwks") as gate:
        waiting = threading.Thread(target=server.warm_up)
        waiting.start()
        gate.wait_for(1)
        assert not server.health().ready
        if release:
            gate.release()
        waiting.join()
        assert server.health().ready is release


def test_gates_and_faults_share_the_time_of_one_request(monkeypatch):
    now, given = [1000.0], []

    def waits(moved_s):
        def enter(timeout_s):
            given.append(timeout_s)
            now[0] += moved_s
            return True

        return enter

    control = _fault_control.FaultControl()
    monkeypatch.setattr(_fault_control, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with control.hold("jwks") as first, control.hold("jwks") as second:
        first.enter_blocking, second.enter_blocking = waits(2), waits(1)
        control.misbehave("jwks", faults.delay(0.01), None)
        with pytest.raises(TimeoutError):
            control.wait_turn_blocking("jwks", 3)
        assert given == [3, 1]
        control.behave("all")
        control.wait_turn_blocking("jwks", 3)


@pytest.mark.parametrize(
    "lift",
    [lambda issuer: issuer.behave(), lambda issuer: issuer.misbehave("jwks", faults.status(500))],
    ids=["lifted", "replaced"],
)
def test_a_request_that_hangs_goes_on_when_the_fault_ends(lift):
    with TestServer(caching=KeyCaching(timeout=10)) as server:
        server.issuer.misbehave("jwks", faults.hang())
        waiting = threading.Thread(target=server.warm_up)
        waiting.start()
        server.issuer.wait_for_requests("jwks", 1)
        lift(server.issuer)
        waiting.join(5)
        assert not waiting.is_alive()


def test_a_request_that_hangs_ends_with_the_issuer():
    server = TestServer(caching=KeyCaching(timeout=20))
    with server:
        server.issuer.misbehave("jwks", faults.hang())
        waiting = threading.Thread(target=server.warm_up, args=(20,))
        waiting.start()
        server.issuer.wait_for_requests("jwks", 1)
    waiting.join(5)
    assert not waiting.is_alive()


@pytest.mark.parametrize("fault", HARMLESS.values(), ids=HARMLESS)
def test_the_answer_is_what_an_http_client_has_read(issuer, fault):
    issuer.misbehave("jwks", fault)
    answers = [
        transport.request("GET", issuer.jwks_uri, headers={}, body=None, timeout_s=5, max_bytes=100_000)
        for transport in (issuer.transport, HttpTransport())
    ]
    in_process, over_http = answers
    assert (in_process.status, in_process.body) == (over_http.status, over_http.body)
    of_the_connection = {"content-length", "connection", "transfer-encoding"}
    assert dict(in_process.headers).items() <= dict(over_http.headers).items()
    assert set(over_http.headers) - set(in_process.headers) <= of_the_connection


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faults.huge(1000), "too_long"),
        (faults.truncated(), "broken"),
        (faults.hang(), "timeout"),
        (faults.drip(), "timeout"),
    ],
)
def test_the_error_is_that_of_an_http_client(issuer, fault, code):
    issuer.misbehave("jwks", fault)
    for transport in (issuer.transport, HttpTransport()):
        with pytest.raises(TransportError) as caught:
            transport.request("GET", issuer.jwks_uri, headers={}, body=None, timeout_s=0.1, max_bytes=800)
        assert caught.value.code == code


def test_a_client_gets_its_tokens_in_the_process():
    with TestServer() as server:
        source = TokenSource(
            server.issuer.url,
            client_id="app-orders",
            client_secret="secret-of-app-orders",
            resource="https://shopping.api",
            transport=server.issuer.transport,
            clock=server.clock,
        )
        first = source.token()
        assert server.verify(first.value).app_id == "app-orders"
        assert source.token() == first
        server.clock.advance(hours=1)
        assert server.verify(source.token().value).app_id == "app-orders"
        server.issuer.outage()
        server.clock.advance(hours=1)
        with pytest.raises(TokenEndpointUnavailable):
            source.token()

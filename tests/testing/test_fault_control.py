"""When faults and gates apply, to which requests, and that lifting them frees all waiters. No test here sleeps."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import urllib3

from m2mguard.testing import faults
from m2mguard.testing._fault_control import Gate

InBackground = Callable[..., Future[urllib3.BaseHTTPResponse]]


@pytest.fixture
def in_background() -> Iterator[InBackground]:
    with ThreadPoolExecutor(8) as threads, urllib3.PoolManager(retries=False, timeout=10, maxsize=8) as pool:
        yield lambda url: threads.submit(pool.request, "GET", url)


def test_a_fault_befalls_its_endpoint_only(http, issuer):
    issuer.misbehave("jwks", faults.status(503))
    assert http("GET", issuer.jwks_uri).status == 503
    assert http("GET", issuer.url + "/.well-known/openid-configuration").status == 200


def test_a_fault_of_all_endpoints_can_be_lifted_one_by_one(http, issuer):
    issuer.misbehave("all", faults.status(503))
    issuer.behave("jwks")
    assert http("GET", issuer.jwks_uri).status == 200
    assert http("GET", issuer.url + "/.well-known/openid-configuration").status == 503
    assert http("GET", issuer.endpoint + "/elsewhere").status == 503
    issuer.behave()
    assert http("GET", issuer.url + "/.well-known/openid-configuration").status == 200


def test_a_fault_can_be_for_the_next_requests_only(http, issuer):
    issuer.misbehave("jwks", faults.status(503), times=2)
    assert [http("GET", issuer.jwks_uri).status for _ in range(3)] == [503, 503, 200]


def test_a_later_fault_takes_the_place_of_an_earlier_one(http, issuer):
    issuer.misbehave("jwks", faults.status(503))
    issuer.misbehave("jwks", faults.html())
    answer = http("GET", issuer.jwks_uri)
    assert (answer.status, answer.data[:5]) == (200, b"<!doc")


def test_a_hanging_request_is_answered_rightly_when_the_fault_is_lifted(issuer, in_background):
    issuer.misbehave("jwks", faults.hang())
    answer = in_background(issuer.jwks_uri)
    issuer.wait_for_requests("jwks", 1)
    assert not answer.done()
    issuer.behave("jwks")
    assert answer.result(10).json() == issuer.jwks


def test_a_hanging_request_meets_the_fault_that_replaces_the_hanging(issuer, in_background):
    issuer.misbehave("jwks", faults.hang())
    answer = in_background(issuer.jwks_uri)
    issuer.wait_for_requests("jwks", 1)
    issuer.misbehave("jwks", faults.status(503))
    assert answer.result(10).status == 503


def test_other_endpoints_are_answered_while_one_hangs(http, issuer, in_background):
    issuer.misbehave("jwks", faults.hang())
    hanging = in_background(issuer.jwks_uri)
    issuer.wait_for_requests("jwks", 1)
    assert http("GET", issuer.url + "/.well-known/openid-configuration").status == 200
    assert not hanging.done()
    issuer.behave()
    assert hanging.result(10).status == 200


def test_held_requests_wait_at_the_gate_until_it_is_released(issuer, in_background):
    with issuer.hold("jwks") as gate:
        answers = [in_background(issuer.jwks_uri) for _ in range(5)]
        gate.wait_for(5)
        assert gate.arrived == 5
        assert not any(answer.done() for answer in answers)
        gate.release()
        assert [answer.result(10).status for answer in answers] == [200] * 5
        assert in_background(issuer.jwks_uri).result(10).status == 200
        assert gate.arrived == 6


def test_the_end_of_the_block_releases_the_gate(issuer, in_background):
    with issuer.hold() as gate:
        answer = in_background(issuer.jwks_uri)
        gate.wait_for()
    assert answer.result(10).status == 200
    assert in_background(issuer.jwks_uri).result(10).status == 200
    assert gate.arrived == 1


def test_a_held_answer_is_made_when_the_gate_opens(issuer, in_background):
    with issuer.hold("jwks") as gate:
        answer = in_background(issuer.jwks_uri)
        gate.wait_for()
        new = issuer.rotate()
    assert answer.result(10).json()["keys"][0]["kid"] == new.kid


def test_two_gates_are_passed_one_after_the_other(issuer, in_background):
    with issuer.hold() as outer, issuer.hold("jwks") as inner:
        answer = in_background(issuer.jwks_uri)
        outer.wait_for()
        assert inner.arrived == 0
        outer.release()
        inner.wait_for()
        inner.release()
        assert answer.result(10).status == 200


def test_waiting_for_requests_that_do_not_come_ends_with_the_number_that_did(http, issuer):
    http("GET", issuer.jwks_uri)
    with pytest.raises(TimeoutError, match="1 of 2 requests to jwks"):
        issuer.wait_for_requests("jwks", 2, timeout=0.01)
    with pytest.raises(TimeoutError, match="0 of 1 requests arrived"):
        Gate().wait_for(timeout=0.01)


def test_who_waits_for_requests_is_woken_by_the_request(http, issuer):
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(issuer.wait_for_requests, "jwks", 3, timeout=10)
        for _ in range(3):
            assert not waiting.done()
            http("GET", issuer.jwks_uri)
        assert waiting.result(2) is None


def test_stopping_frees_all_waiters_and_lifting_the_fault_afterwards_is_harmless(issuer, in_background):
    issuer.misbehave("jwks", faults.hang())
    with issuer.hold("discovery") as gate:
        hanging = in_background(issuer.jwks_uri)
        held = in_background(issuer.url + "/.well-known/openid-configuration")
        issuer.wait_for_requests("jwks", 1)
        gate.wait_for()
        issuer.stop()
        for answer in (hanging, held):
            with pytest.raises(urllib3.exceptions.ProtocolError):
                answer.result(10)
    issuer.behave()
    issuer.start()
    assert in_background(issuer.jwks_uri).result(10).status == 200


def test_requests_are_counted_and_recorded_whatever_is_answered(http, issuer):
    issuer.misbehave("jwks", faults.status(503))
    http("GET", issuer.jwks_uri + "?a=b", headers={"User-Agent": "test/1", "X-Twice": "no"})
    http("POST", issuer.token_endpoint, body=b"grant_type=secret")
    http("GET", issuer.endpoint + "/api/applications")
    http("GET", issuer.endpoint + "/elsewhere")
    assert [(record.endpoint, record.method, record.path) for record in issuer.requests] == [
        ("jwks", "GET", "/oidc/jwks"),
        ("token", "POST", "/oidc/token"),
        ("applications", "GET", "/api/applications"),
        ("other", "GET", "/elsewhere"),
    ]
    assert issuer.requests[0].headers["user-agent"] == "test/1"
    assert issuer.requests[1].body == b"grant_type=secret"
    assert "secret" not in repr(issuer.requests)
    assert [record.at for record in issuer.requests] == sorted(record.at for record in issuer.requests)
    assert (issuer.count("jwks"), issuer.count("discovery"), issuer.count()) == (1, 0, 4)
    issuer.reset_counts()
    assert (issuer.count(), issuer.requests) == (0, [])


def test_switching_faults_from_another_thread_while_requests_run_loses_nobody(issuer, in_background):
    stop = threading.Event()

    def switch() -> None:
        while not stop.is_set():
            issuer.misbehave("jwks", faults.hang())
            issuer.misbehave("all", faults.status(503), times=1)
            issuer.rotate()
            issuer.behave()

    switching = threading.Thread(target=switch)
    switching.start()
    try:
        statuses = {in_background(issuer.jwks_uri).result(10).status for _ in range(50)}
    finally:
        stop.set()
        switching.join()
    assert statuses <= {200, 503}
    assert issuer.count("jwks") == 50


def test_an_endpoint_that_does_not_exist_is_an_error_and_not_a_fault_that_never_comes(issuer):
    mistakes: list[Callable[[], object]] = [
        lambda: issuer.misbehave("jkws", faults.hang()),
        lambda: issuer.behave("jkws"),
        lambda: issuer.hold("jkws").__enter__(),
        lambda: issuer.count("jkws"),
        lambda: issuer.wait_for_requests("jkws", 1),
    ]
    for mistaken in mistakes:
        with pytest.raises(ValueError, match="unknown endpoint 'jkws'; there are discovery, jwks, token"):
            mistaken()


@pytest.mark.parametrize("times", [0, -1])
def test_a_fault_for_no_request_is_an_error(http, issuer, times):
    with pytest.raises(ValueError, match="1 or more"):
        issuer.misbehave("jwks", faults.status(503), times=times)
    assert http("GET", issuer.jwks_uri).status == 200
    issuer.misbehave("jwks", faults.status(503), times=1)
    assert [http("GET", issuer.jwks_uri).status for _ in range(2)] == [503, 200]

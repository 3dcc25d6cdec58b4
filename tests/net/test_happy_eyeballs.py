"""A host with several addresses (RFC 8305): an unreachable one costs a quarter of a second, and no socket is left open."""

import contextlib
import socket
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from m2mguard.net import HttpTransport
from m2mguard.net import _happy_eyeballs as happy_eyeballs
from m2mguard.net._addresses import Address, interleaved
from m2mguard.net._happy_eyeballs import ATTEMPT_DELAY_S, LEAST_ATTEMPT_DELAY_S, attempt_delay, connect
from tests.net.failing import error_of
from tests.net.loopback_peers import answers, tcp_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def at(port, host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return Address(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))


@contextlib.contextmanager
def black_hole(host="127.0.0.1"):
    """A port that does not answer connection requests, like an unreachable address: the queue of its listener is full."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, 0), family=family, backlog=0) as listening,
        socket.create_connection(listening.getsockname()[:2]),
    ):
        yield listening


@pytest.fixture
def unreachable():
    """A function that returns this many unreachable addresses."""
    with contextlib.ExitStack() as stack:
        yield lambda count: [at(stack.enter_context(black_hole()).getsockname()[1]) for _ in range(count)]


@pytest.fixture
def refusing():
    with tcp_server(answers(OK)) as port:
        pass
    return at(port)


@pytest.fixture
def reachable():
    """An address that accepts connections and sends nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield at(listening.getsockname()[1])


@pytest.fixture
def serving():
    with tcp_server(answers(OK)) as port:
        yield at(port)


@pytest.fixture
def resolves(monkeypatch):
    """Make every name resolve to these addresses."""

    def resolves(*addresses):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: list(addresses))

    return resolves


def descriptors():
    return len(list(Path("/dev/fd").iterdir()))


def seconds_to_reach(address, addresses, *, timeout_s=20):
    began = time.monotonic()
    with connect(addresses, timeout_s=timeout_s) as connected:
        assert connected.getpeername() == address.socket_address
    return time.monotonic() - began


# Selection and order of addresses


@pytest.mark.parametrize(
    ("given", "tried"),
    [
        (["::1", "::2", "::3", "1.1.1.1", "2.2.2.2"], ["::1", "1.1.1.1", "::2", "2.2.2.2", "::3"]),
        (["1.1.1.1", "2.2.2.2", "::1"], ["1.1.1.1", "::1", "2.2.2.2"]),
        (["::1", "1.1.1.1", "::2"], ["::1", "1.1.1.1", "::2"]),
        (["1.1.1.1", "2.2.2.2"], ["1.1.1.1", "2.2.2.2"]),
        ([], []),
    ],
)
def test_address_families_are_tried_in_turn(given, tried):
    assert [address.host for address in interleaved([at(80, host) for host in given])] == tried


@pytest.mark.parametrize(
    ("count", "timeout_s", "delay_s"),
    [(1, 2, 0.25), (4, 2, 0.25), (8, 2, 0.125), (40, 2, 0.025), (4, 0.4, 0.05), (10_000, 2, LEAST_ATTEMPT_DELAY_S)],
)
def test_every_attempt_starts_in_the_first_half_of_the_time_out(count, timeout_s, delay_s):
    assert attempt_delay(count, timeout_s) == pytest.approx(delay_s)


@pytest.mark.parametrize("count", [1, 3, 12])
def test_unreachable_addresses_do_not_use_up_the_time_out(unreachable, reachable, count):
    took = seconds_to_reach(reachable, [*unreachable(count), reachable], timeout_s=2)
    assert took >= count * attempt_delay(count + 1, 2) - 0.01


def test_unreachable_addresses_of_one_family_cost_one_attempt(unreachable, reachable):
    """This is the case in a network that announces IPv6 without providing it."""
    try:
        with contextlib.ExitStack() as stack:
            broken = [at(stack.enter_context(black_hole("::1")).getsockname()[1], "::1") for _ in range(8)]
            assert seconds_to_reach(reachable, [*broken, reachable]) < 4 * ATTEMPT_DELAY_S
    except OSError:
        pytest.skip("this machine has no IPv6 on loopback")


def test_only_the_first_address_is_tried_if_it_is_reachable(unreachable, reachable, connects):
    seconds_to_reach(reachable, [reachable, *unreachable(2)])
    assert connects[2:] == [reachable.socket_address]  # the first two fill the queues of the unreachable addresses


def test_after_a_refusal_the_next_attempt_starts_at_once(refusing, reachable, unreachable, connects):
    assert seconds_to_reach(reachable, [*[refusing] * 8, reachable]) < 4 * ATTEMPT_DELAY_S
    assert connects == [refusing.socket_address] * 8 + [reachable.socket_address]
    assert seconds_to_reach(reachable, [*unreachable(1), *[refusing] * 8, reachable]) < 5 * ATTEMPT_DELAY_S


def test_an_address_that_answers_after_the_next_attempt_is_used(unreachable):
    with black_hole() as listening:
        late = at(listening.getsockname()[1])
        timer = threading.Timer(2 * ATTEMPT_DELAY_S, lambda: listening.accept()[0].close())  # makes room in its queue
        timer.start()
        assert seconds_to_reach(late, [late, *unreachable(2)]) > 2 * ATTEMPT_DELAY_S
        timer.join()


def test_an_address_without_a_route_is_skipped(reachable):
    nowhere = at(80, "255.255.255.255")  # the system refuses it before it sends anything
    assert seconds_to_reach(reachable, [*[nowhere] * 8, reachable]) < 4 * ATTEMPT_DELAY_S
    with pytest.raises(OSError):  # noqa: PT011 - which one depends on the system
        connect([nowhere], timeout_s=9)


def test_an_address_of_an_unsupported_family_is_skipped(reachable):
    unknown = reachable._replace(family=max(socket.AddressFamily) + 1)
    assert seconds_to_reach(reachable, [*[unknown] * 8, reachable]) < 4 * ATTEMPT_DELAY_S
    with pytest.raises(OSError, match="not supported"):
        connect([unknown], timeout_s=1)


def test_unreachable_addresses_time_out_and_refusing_ones_fail_at_once(unreachable, refusing):
    for addresses in (unreachable(1), unreachable(3), [*unreachable(2), refusing]):
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            connect(addresses, timeout_s=0.3)
        assert 0.29 < time.monotonic() - began < 10
    with pytest.raises(ConnectionRefusedError):
        connect([refusing] * 3, timeout_s=60)


# Clean-up


def test_no_descriptor_is_left(unreachable, refusing, reachable):
    addresses = unreachable(2)
    before = descriptors()
    seconds_to_reach(reachable, [*addresses, reachable])
    for others in (addresses, [refusing], [refusing, *addresses]):
        with pytest.raises(OSError):  # noqa: PT011 - a TimeoutError is an OSError too
            connect(others, timeout_s=0.1)
    assert descriptors() == before


def test_no_descriptor_is_left_when_waiting_is_interrupted(unreachable, monkeypatch):
    addresses = unreachable(3)
    before = descriptors()
    times = iter([0, 0, 0, ATTEMPT_DELAY_S])  # the next call raises StopIteration

    monkeypatch.setattr(happy_eyeballs, "time", SimpleNamespace(monotonic=lambda: next(times)))
    with pytest.raises(StopIteration):
        connect(addresses, timeout_s=10)
    assert descriptors() == before


# Whole exchanges


def test_a_host_with_unreachable_addresses_answers_in_time(get, unreachable, serving, resolves):
    resolves(*unreachable(3), serving)
    assert get("http://localhost/").body == b"ok"


def test_unreachable_and_refusing_hosts_have_different_codes(unreachable, refusing, resolves):
    def get(url, connect_timeout, timeout_s):
        transport = HttpTransport(connect_timeout=connect_timeout)
        return transport.request("GET", url, headers={}, body=None, timeout_s=timeout_s, max_bytes=1000)

    resolves(*unreachable(2))
    for connect_timeout, timeout_s in ((0.3, 9), (9, 0.3)):
        began = time.monotonic()
        error = error_of(get, "http://localhost/", connect_timeout=connect_timeout, timeout_s=timeout_s)
        assert error.code == "connect_timeout"
        assert 0.29 < time.monotonic() - began < 10
    resolves(refusing, refusing)
    assert error_of(get, "http://localhost/", connect_timeout=9, timeout_s=9).code == "no_connection"


def test_every_address_is_checked_before_it_is_tried(get, serving, refusing, resolves, connects):
    never = [
        at(80, host) for host in ("169.254.169.254", "fe80::1", "100.100.100.200", "0.0.0.0", "64:ff9b::a9fe:a9fe")
    ]
    elsewhere = [at(80, "203.0.113.1"), at(80, "2001:db8::1")]
    resolves(*never, *elsewhere, refusing, serving)
    assert get("http://localhost/").body == b"ok"
    assert connects == [refusing.socket_address, serving.socket_address]
    connects.clear()
    resolves(*never, *elsewhere)
    assert error_of(get, "http://localhost/").code == "refused_target"
    resolves(*never)
    assert error_of(get, "https://issuer.example/").code == "refused_target"
    assert connects == []


GEVENT = """
    import sys
    ORDER
    import gevent

    *unreachable, reachable = [Address(2, 1, 6, "", ("127.0.0.1", int(port))) for port in sys.argv[1:]]
    order = []

    def race():
        order.append("begun")
        connected = connect([*unreachable, reachable], timeout_s=9)
        order.append("connected")
        return connected

    racing = [gevent.spawn(race) for _ in range(5)]
    gevent.joinall(racing, raise_error=True)
    assert {one.value.getpeername()[1] for one in racing} == {reachable.socket_address[1]}
    assert order == ["begun"] * 5 + ["connected"] * 5, "one attempt delayed the others"
    for one in racing:
        one.value.close()
    cut_off = gevent.spawn(connect, unreachable, timeout_s=60)
    gevent.sleep(0.3)
    before = len(os.listdir("/dev/fd"))
    cut_off.kill()
    assert len(os.listdir("/dev/fd")) == before - 2, "an attempt was left open"
    print("connected")
"""
PATCH = "from gevent import monkey; monkey.patch_all()"
IMPORT = (
    "import os, socket; from m2mguard.net._addresses import Address; from m2mguard.net._happy_eyeballs import connect"
)


@pytest.mark.parametrize("order", [(PATCH, IMPORT), (IMPORT, PATCH)], ids=["patched first", "imported first"])
def test_other_greenlets_continue_meanwhile(unreachable, reachable, order):
    script = textwrap.dedent(GEVENT).replace("ORDER", "\n".join(order))
    ports = [str(address.socket_address[1]) for address in (*unreachable(2), reachable)]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, *ports], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout == "connected\n", done.stderr

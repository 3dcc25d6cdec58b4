"""Twenty real processes under gunicorn and uvicorn, one Valkey server, and an operator in a hurry."""

import base64
import json
import secrets
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.blocklist.conftest import until
from tests.commands import CLOSE
from tests.processes import ROOT, running
from tests.valkey_servers import running_store

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
WORKERS = 10
CONFIGURATION = Path(__file__).parent / "fleet_gunicorn.py"


@pytest.fixture(scope="module")
def issuer():
    with LocalIssuer(algorithm="ES256") as issuing:
        yield issuing


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    with running_store(tmp_path_factory.mktemp("valkey")) as store:
        yield store


@pytest.fixture(scope="module")
def settings(issuer, valkey):
    return {
        "M2MGUARD_ISSUER": issuer.url,
        "M2MGUARD_ALLOW_HTTP": "true",
        "M2MGUARD_AUDIENCE": SHOPPING_API,
        "M2MGUARD_BLOCKLIST": valkey.url,
        "M2MGUARD_BLOCKLIST_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
    }


@pytest.fixture(scope="module")
def urls(settings):
    workers = ("--workers", str(WORKERS))
    of_gunicorn = (
        "gunicorn",
        "--bind",
        "fd://{fd}",
        *workers,
        "--config",
        str(CONFIGURATION),
        "tests.valkey.fleet_app:wsgi",
    )
    of_uvicorn = ("uvicorn", "--fd", "{fd}", *workers, "--log-level", "warning", "tests.valkey.fleet_app:asgi")
    with running(*of_gunicorn, env=settings) as first, running(*of_uvicorn, env=settings) as second:
        yield first, second


@pytest.fixture
def command(settings):
    """`m2mguard block` in a process of its own, as an operator runs it; returns the status and what it says."""

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-m", "m2mguard", "block", *arguments, "--json"],
            env=settings, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout)

    return run


def asked(url, token):
    answer = urllib3.request(
        "GET", url, headers={"Authorization": f"Bearer {token}", **CLOSE}, retries=False, timeout=20
    )
    return answer.status, answer.data.decode()


def statuses(urls, token, count=40):
    """The statuses of many requests to each server, on new connections, so that all workers get some."""
    with ThreadPoolExecutor(8) as pool:
        return {status for status, _ in pool.map(asked, [*urls] * count, [token] * count * len(urls))}


@pytest.fixture
def fleet(urls, command):
    """The URLs, once all processes have said that they are there."""
    until(lambda: command("status")[1]["processes"] == 2 * WORKERS, seconds=60)
    return urls


def test_a_blocked_application_is_refused_everywhere_within_two_seconds(fleet, command, issuer):
    token, other = issuer.mint("app-orders"), issuer.mint("app-billing")
    assert statuses(fleet, token) == {200}
    begin = time.perf_counter()
    status, said = command("add", "--app-id", "app-orders", "--reason", "the secret leaked")
    took_s = time.perf_counter() - begin
    print(
        f"known by {said['status']['known_by']} of {said['status']['processes']} processes in {took_s:.2f} s, with the command's start"
    )
    assert (status, said["status"]["known_by"], said["status"]["processes"]) == (0, 20, 20)
    assert statuses(fleet, token) == {401}
    assert statuses(fleet, other) == {200}
    assert command("status")[1]["behind"] == []
    assert command("remove", "--app-id", "app-orders")[0] == 0
    assert statuses(fleet, token) == {200}


def latencies(fleet, blocked, good, count=100):
    """The slowest hundredth of requests, in seconds; each has the right answer."""
    times = []
    for number in range(count):
        for token, expected in ((blocked, 401), (good, 200)):
            begin = time.perf_counter()
            assert asked(fleet[number % 2], token)[0] == expected
            times.append(time.perf_counter() - begin)
    return sorted(times)[int(len(times) * 0.99)]


def test_what_happens_to_the_server_changes_no_verdict_and_delays_no_request(fleet, command, issuer, valkey):
    blocked, good = issuer.mint("app-orders"), issuer.mint("app-billing")
    assert command("add", "--app-id", "app-orders", "--reason", "the secret leaked")[0] == 0
    old = valkey.client.hgetall("m2mguard:block:list")
    assert command("add", "--app-id", "app-other", "--reason", "another")[0] == 0
    p99 = {"in peace": latencies(fleet, blocked, good)}
    with valkey.frozen():
        p99["frozen"] = latencies(fleet, blocked, good)
    valkey.client.flushall()
    p99["wiped"] = latencies(fleet, blocked, good)
    until(lambda: command("list")[1]["blocks"])
    valkey.client.hset("m2mguard:block:list", mapping=old)
    p99["an old dump restored"] = latencies(fleet, blocked, good)
    until(lambda: len(command("list")[1]["blocks"]) == 2)
    valkey.stop()
    p99["killed"] = latencies(fleet, blocked, good)
    valkey.start()
    until(lambda: command("status")[1]["known_by"] == 2 * WORKERS, seconds=30)
    for name, value in p99.items():
        print(f"{name:22} p99 {value * 1000:6.1f} ms")
    assert len(command("list")[1]["blocks"]) == 2
    assert command("remove", "--app-id", "app-orders")[0] == 0
    assert statuses(fleet, blocked) == {200}

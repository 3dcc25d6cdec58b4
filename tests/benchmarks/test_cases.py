"""Every case of `make bench` runs once, so that none rots. Peers that are not installed here are left out, as the page says of them.

No time is asserted: a test machine is no stop-watch.
"""

import functools
import sys

import aiohttp
import pytest

from benchmarks.footprint import DEPENDENCIES, EMPTY, OURS, import_times, memory
from benchmarks.growth import curves
from benchmarks.http_load import CONNECTIONS, load
from benchmarks.measure import calls, calls_over, interleaved
from benchmarks.report import Results, report
from benchmarks.requests_in_process import asgi_times, fastapi_times, flask_times, wsgi_times
from benchmarks.servers import gthread_rates, served_rates
from benchmarks.test_kit import fixture_times
from benchmarks.threads import free_threaded_rates, thread_rates
from benchmarks.tokens import ALGORITHMS, full_cache_times, token_times
from m2mguard.testing import faults

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # what peers warn of is theirs to mend
]


SERVED = ("no authentication", "m2mguard")
PARTS = {
    "fixtures": fixture_times,
    "tokens": lambda: {algorithm: token_times(algorithm, rounds=1, tokens=3) for algorithm in ALGORITHMS},
    "full_cache": lambda: full_cache_times(rounds=1, live_tokens=20),
    "asgi": lambda: asgi_times(rounds=1),
    "fastapi": lambda: fastapi_times(rounds=1),
    "flask": lambda: flask_times(rounds=1),
    "wsgi": lambda: wsgi_times(rounds=1),
    "served": lambda: served_rates(rounds=1, seconds=0.2, names=SERVED),
    "gthread": lambda: gthread_rates(rounds=1, seconds=0.2, names=SERVED, threads=(2,)),
    "memory": lambda: memory(tokens=30, servers=2),
    "imports": lambda: import_times(rounds=1, names=(EMPTY, DEPENDENCIES, OURS)),
    "curves": lambda: curves(rounds=1, sizes=(1, 10)),
    "threads": lambda: thread_rates(threads=(1, 2), seconds=0.01, rounds=1),
}


@functools.cache
def measured(part):
    return PARTS[part]()


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_measured(part):
    """One by one, so that each has the time of a test."""
    assert measured(part)


def test_the_report_takes_every_part():
    assert report(Results(**{part: measured(part) for part in PARTS}, free_threaded=measured("threads")))


def test_a_load_counts_the_answers_and_takes_no_refusal_for_one(m2m_issuer):
    answered, took_s = load(m2m_issuer.jwks_uri, {"X-Load": "yes"}, 0.05)
    assert answered == m2m_issuer.count("jwks") >= CONNECTIONS
    assert {record.headers["x-load"] for record in m2m_issuer.requests} == {"yes"}
    assert took_s >= 0.05
    m2m_issuer.misbehave("jwks", faults.status(401))
    with pytest.raises(aiohttp.ClientResponseError, match="401"):
        load(m2m_issuer.jwks_uri, {}, 0.05)


def test_the_threads_of_another_interpreter_are_measured_if_one_is_named(monkeypatch):
    monkeypatch.delenv("FREE_THREADED", raising=False)
    assert free_threaded_rates() is None
    monkeypatch.setenv(
        "FREE_THREADED", sys.executable
    )  # any interpreter will do: it tells itself whether it has the lock
    other = free_threaded_rates(seconds=0.01, rounds=1)
    assert other.interpreter.startswith(f"Python {sys.version.split()[0]}")
    assert all(rate > 0 for rates in other.rates.values() for rate in rates.values())


def test_cases_take_turns_and_each_runs_as_often_as_the_others_rounds():
    log = []
    measured = interleaved(
        {name: (lambda times, name=name: log.append(name) or times * 1.0) for name in "abc"}, rounds=3, round_s=1.0
    )
    assert "".join(log[-9:]) == "abcbcacab"
    assert {one.median_s for one in measured.values()} == {1.0}


def test_a_batch_does_its_work_as_often_as_it_is_told():
    done = []
    calls(lambda: done.append("x"))(3)
    batch = calls_over(done.append, ["a", "b"])
    batch(3)
    batch(1)
    assert done == ["x", "x", "x", "a", "b", "a", "b"]

"""Every case of `make bench` runs once, so that none rots. Peers that are not installed here are left out, as the page says of them.

No time is asserted: a test machine is no stop-watch.
"""

import asyncio
import functools
import sys

import aiohttp
import pytest

from benchmarks.__main__ import PARTS
from benchmarks.http_requests import CONNECTIONS, load
from benchmarks.measure import QUICK, Case, interleaved
from benchmarks.report import report
from m2mguard.testing import faults

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # what peers warn of is theirs to mend
]


@functools.cache
def measured(part):
    return PARTS[part](QUICK)


@pytest.fixture(autouse=True)
def one_interpreter(monkeypatch):
    monkeypatch.delenv("FREE_THREADED", raising=False)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_measured(part):
    """One by one, so that each has the time of a test."""
    assert measured(part) or part == "free_threaded"


@pytest.mark.timeout(180)  # where another worker has measured the parts, they are measured again
def test_the_report_takes_every_part():
    results = {part: measured(part) for part in PARTS}
    assert report(results)
    assert report(results | {"free_threaded": results["threads"]})


def test_a_load_counts_the_answers_and_takes_no_refusal_for_one(m2m_issuer):
    answered, took_s = asyncio.run(load(m2m_issuer.jwks_uri, {"X-Load": "yes"}, 0.05))
    assert answered == m2m_issuer.count("jwks") >= CONNECTIONS
    assert {record.headers["x-load"] for record in m2m_issuer.requests} == {"yes"}
    assert took_s >= 0.05
    m2m_issuer.misbehave("jwks", faults.status(401))
    with pytest.raises(aiohttp.ClientResponseError, match="401"):
        asyncio.run(load(m2m_issuer.jwks_uri, {}, 0.05))


def test_the_threads_of_another_interpreter_are_measured_if_one_is_named(monkeypatch):
    assert measured("free_threaded") is None
    monkeypatch.setenv("FREE_THREADED", sys.executable)  # any one will do: it tells itself whether it has the lock
    other = PARTS["free_threaded"](QUICK)
    assert other.interpreter.startswith(f"Python {sys.version.split()[0]}")
    assert all(rate > 0 for rates in other.rates.values() for rate in rates)


def test_cases_take_turns_and_each_runs_as_often_as_the_others():
    log = []
    measured = interleaved({name: Case(log.append, [name]) for name in "abc"}, rounds=3, round_s=1e-9)
    assert "".join(log[-9:]) == "abcbcacab"
    assert all(one.median_s > 0 for one in measured.values())


@pytest.mark.parametrize("is_async", [False, True])
def test_a_case_calls_its_function_as_often_as_it_is_told(is_async):
    done = []

    async def append(argument):
        done.append(argument)

    case = Case(append if is_async else done.append, ["a", "b"])
    with asyncio.Runner() as runner:
        case.cpu_s(3, runner)
        case.cpu_s(1, runner)
    assert done == ["a", "b", "a", "b"]


def test_a_case_is_renewed_before_an_argument_comes_again():
    done = []
    case = Case(done.append, ["a", "b"], renew=lambda: done.append("renewed"))
    with asyncio.Runner() as runner:
        case.cpu_s(3, runner)
        case.cpu_s(1, runner)
    assert done == ["renewed", "a", "b", "renewed", "a", "renewed", "b"]

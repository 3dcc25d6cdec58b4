"""The tools of `make bench`: cases take turns, a load counts its answers. No time is asserted: a test machine is no stop-watch."""

import asyncio

import aiohttp
import pytest

from benchmarks.http_requests import CONNECTIONS, load
from benchmarks.measure import Case, interleaved
from m2mguard.testing import faults


def test_a_load_counts_the_answers_and_takes_no_refusal_for_one(m2m_issuer):
    answered, took_s = asyncio.run(load(m2m_issuer.jwks_uri, {"X-Load": "yes"}, 0.05))
    assert answered == m2m_issuer.count("jwks") >= CONNECTIONS
    assert {record.headers["x-load"] for record in m2m_issuer.requests} == {"yes"}
    assert took_s >= 0.05
    m2m_issuer.misbehave("jwks", faults.status(401))
    with pytest.raises(aiohttp.ClientResponseError, match="401"):
        asyncio.run(load(m2m_issuer.jwks_uri, {}, 0.05))


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

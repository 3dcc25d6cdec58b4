"""Every part of `make bench` runs once: `make bench-check`. Peers that are not installed are left out, as the page says of them.

No time is asserted: a test machine is no stop-watch.
"""

import functools
import sys

import pytest

from benchmarks.__main__ import PARTS
from benchmarks.measure import QUICK
from benchmarks.report import report

pytestmark = [
    pytest.mark.benchmark,
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


def test_the_threads_of_another_interpreter_are_measured_if_one_is_named(monkeypatch):
    assert measured("free_threaded") is None
    monkeypatch.setenv("FREE_THREADED", sys.executable)  # any one will do: it tells itself whether it has the lock
    other = PARTS["free_threaded"](QUICK)
    assert other.interpreter.startswith(f"Python {sys.version.split()[0]}")
    assert all(rate > 0 for rates in other.rates.values() for rate in rates)

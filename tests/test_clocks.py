"""Ages count by the clock that has moved further."""

import threading
import time

import pytest

from m2mguard import ConfigurationError
from m2mguard._clocks import AgeClock, clocks_from
from tests.manual_clock import ManualClock


@pytest.fixture
def wall():
    return ManualClock(1_790_000_000.0)


@pytest.fixture
def monotonic():
    return ManualClock(5_000.0)


@pytest.fixture
def ages(monotonic, wall):
    return AgeClock(monotonic, wall)


def test_the_age_grows_with_both_clocks(ages, monotonic, wall):
    began = ages()
    for _ in range(100):
        monotonic.advance(7)
        wall.advance(7)
        ages()
    assert ages() - began == pytest.approx(700)


def test_a_suspension_counts_for_the_age(ages, monotonic, wall):
    began = ages()
    wall.advance(8 * 3600)
    monotonic.advance(1)
    assert ages() - began == pytest.approx(8 * 3600)
    monotonic.advance(5)
    wall.advance(5)
    assert ages() - began == pytest.approx(8 * 3600 + 5)


def test_a_step_back_of_the_wall_clock_does_not_change_the_age(ages, monotonic, wall):
    began = ages()
    wall.advance(-86_400)
    assert ages() == began
    monotonic.advance(10)
    wall.advance(10)
    assert ages() - began == pytest.approx(10)


def test_a_suspension_after_a_step_back_counts(ages, monotonic, wall):
    began = ages()
    wall.advance(-86_400)
    ages()
    wall.advance(600)
    assert ages() - began == pytest.approx(600)


def test_small_oscillations_of_the_wall_clock_do_not_add_up(ages, wall):
    began = ages()
    for _ in range(10_000):
        wall.advance(0.4)
        ages()
        wall.advance(-0.4)
        ages()
    assert ages() - began < 1


def test_a_slow_drift_counts_eventually(ages, wall):
    began = ages()
    for _ in range(1_000):
        wall.advance(0.01)
        ages()
    assert 9 <= ages() - began <= 10.01


def test_a_frozen_and_released_monotonic_clock_never_goes_back(ages, monotonic, wall):
    readings = [ages()]
    monotonic.advance(1.7e9)  # with freezegun, the frozen monotonic clock counts from the epoch
    readings.append(ages())
    monotonic.advance(-1.7e9)
    readings.append(ages())
    assert readings == sorted(readings)


def test_concurrent_readers_count_a_jump_once(ages, wall):
    began = ages()
    ready = threading.Barrier(8)

    def read():
        ready.wait()
        for _ in range(1_000):
            ages()

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    wall.advance(3600)
    for thread in threads:
        thread.join()
    assert ages() - began == pytest.approx(3600)


def test_the_clocks_of_the_process_are_looked_up_at_each_call(monkeypatch):
    own = clocks_from(None, None)
    monkeypatch.setattr(time, "time", lambda: 42.0)
    assert own.wall() == 42.0
    before = own.ages()
    monkeypatch.setattr(time, "time", lambda: 42.0 + 3600)
    assert own.ages() - before == pytest.approx(3600, abs=1)


@pytest.mark.parametrize("name", ["clock", "monotonic"])
def test_a_clock_that_is_not_callable_is_rejected(name):
    with pytest.raises(ConfigurationError, match=f"{name} must be callable"):
        clocks_from(**{"clock": None, "monotonic": None, name: 7})


def test_a_step_back_of_both_clocks_does_not_change_the_age(ages, monotonic, wall):
    """This is the case when a test that set the time ahead ends."""
    began = ages()
    for clock in (monotonic, wall):
        clock.advance(4 * 365 * 86_400)
    ahead = ages()
    assert ahead - began == pytest.approx(4 * 365 * 86_400)
    for clock in (monotonic, wall):
        clock.advance(-4 * 365 * 86_400)
    assert ages() == pytest.approx(ahead, abs=1)
    for clock in (monotonic, wall):
        clock.advance(10)
    assert ages() - ahead == pytest.approx(10, abs=1)


def test_clocks_frozen_at_one_time_never_decrease_the_age(ages, monotonic, wall):
    """freezegun sets both clocks to one time, here of a later year; then they are the real clocks again."""
    real = (monotonic.now, wall.now)
    ages()
    monotonic.now = wall.now = 1_900_000_000.0
    frozen = ages()
    monotonic.now, wall.now = real[0] + 5, real[1] + 5
    assert ages() >= frozen
    latest = ages()
    monotonic.advance(3)
    wall.advance(3)
    assert ages() - latest == pytest.approx(3, abs=1)

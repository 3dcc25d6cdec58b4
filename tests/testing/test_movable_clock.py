"""`MovableClock`: it moves for those who hold it, and goes with the process's clock, frozen or not."""

import time
from datetime import UTC, datetime

import freezegun
import pytest
import time_machine

from m2mguard import InvalidToken
from m2mguard.testing import MovableClock, TestServer

MOMENT = datetime(2030, 1, 1, tzinfo=UTC)


def test_it_is_the_clock_of_the_process_until_it_is_moved():
    clock = MovableClock()
    before = time.time()
    assert before <= clock() <= time.time()
    clock.advance(days=1, hours=1, minutes=1, seconds=1)
    assert clock() - time.time() == pytest.approx(90_061, abs=1)
    clock.advance(seconds=-90_061)
    assert clock() == pytest.approx(time.time(), abs=1)


def test_it_moves_to_a_moment():
    clock = MovableClock()
    clock.move_to(MOMENT)
    assert clock() == pytest.approx(MOMENT.timestamp(), abs=1)
    clock.move_to(1_000_000_000)
    assert clock() == pytest.approx(1_000_000_000, abs=1)


def test_a_moment_without_a_time_zone_is_an_error():
    with pytest.raises(ValueError, match="tzinfo=UTC"):
        MovableClock().move_to(datetime(2030, 1, 1))  # noqa: DTZ001


def test_to_move_by_nothing_is_an_error():
    with pytest.raises(ValueError, match=r"advance\(hours=1\)"):
        MovableClock().advance()
    with pytest.raises(TypeError, match="hour"):
        MovableClock().advance(hour=1)


def test_it_moves_inside_a_block_only():
    clock = MovableClock()
    with clock.moved(hours=1):
        assert clock() - time.time() == pytest.approx(3600, abs=1)
    with pytest.raises(ZeroDivisionError), clock.moved(hours=1):
        1 / 0  # noqa: B018
    assert clock() == pytest.approx(time.time(), abs=1)


@pytest.mark.parametrize(
    "freeze",
    [freezegun.freeze_time, lambda moment: time_machine.travel(moment, tick=False)],
    ids=["freezegun", "time-machine"],
)
def test_it_moves_a_frozen_clock(freeze):
    with freeze(MOMENT), TestServer() as server:
        token = server.token("app-mine")
        assert server.verify(token).expires_at == MOMENT.timestamp() + 3540
        server.clock.advance(minutes=59, seconds=29)
        server.verify(token)
        server.clock.advance(seconds=1)
        with pytest.raises(InvalidToken):
            server.verify(token)
        server.verify(server.token())


@pytest.mark.parametrize(
    "shift",
    [lambda frozen: frozen.tick(3600), lambda frozen: frozen.move_to("2030-01-01 01:00:00")],
    ids=["tick", "move_to"],
)
def test_a_frozen_clock_that_moves_moves_the_server(shift):
    with freezegun.freeze_time(MOMENT) as frozen, TestServer() as server:
        token = server.token()
        server.verify(token)
        shift(frozen)
        with pytest.raises(InvalidToken):
            server.verify(token)
        server.verify(server.token())

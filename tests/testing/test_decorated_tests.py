"""`calling_as` and `trusting` as decorators: of tests, of `async def` tests, and of fixtures that yield; never of a class."""

import asyncio
import unittest

import pytest

from m2mguard import ResourceServer
from m2mguard.errors import MissingToken
from m2mguard.testing import LocalIssuer, calling_as, fake_caller, trusting

SERVER = ResourceServer("https://tenant.example/oidc", audience="https://mine.api")
as_mine = calling_as(SERVER, fake_caller("app-mine"))


def called_by():
    return SERVER.authenticate([]).app_id


@pytest.fixture(autouse=True)
def nothing_is_left_behind():
    yield
    with pytest.raises(MissingToken):
        called_by()


@calling_as(SERVER, fake_caller("app-mine"))
@pytest.mark.parametrize("number", [1, 2])
def test_a_decorated_test_runs_inside_the_block(number):
    assert (called_by(), number in (1, 2)) == ("app-mine", True)


@calling_as(SERVER, fake_caller("app-mine"))
async def test_a_decorated_async_test_runs_inside_the_block():
    assert (await SERVER.aauthenticate([])).app_id == "app-mine"


@pytest.fixture
@calling_as(SERVER, fake_caller("app-fixture"))
def called_in_fixture():
    seen = [called_by()]
    yield seen
    assert [*seen, called_by()] == ["app-fixture"] * 3


def test_a_decorated_fixture_lasts_as_long_as_the_test(called_in_fixture):
    assert called_by() == "app-fixture"
    called_in_fixture.append(called_by())


class Orders(unittest.IsolatedAsyncioTestCase):
    @as_mine
    def test_of_a_test_case(self):
        assert called_by() == "app-mine"

    @as_mine
    async def test_of_an_async_test_case(self):
        assert called_by() == "app-mine"


def test_a_decorated_function_gives_back_what_it_returns():
    @as_mine
    def named(number):
        """Its text."""
        return called_by(), number

    assert [named(1), named(number=2)] == [("app-mine", 1), ("app-mine", 2)]
    assert (named.__name__, named.__doc__) == ("named", "Its text.")


def test_the_block_ends_with_an_error_of_the_function():
    @as_mine
    def failing():
        assert called_by() == "app-mine"
        raise ZeroDivisionError

    @as_mine
    async def failing_too():
        failing()

    for call in (failing, lambda: asyncio.run(failing_too())):
        with pytest.raises(ZeroDivisionError):
            call()
        with pytest.raises(MissingToken):
            called_by()


def test_a_class_is_not_decorated_since_no_runner_would_find_it():
    class TestOrders:
        def test_orders(self):
            """A test."""

    with pytest.raises(TypeError, match="not TestOrders: put the decorator above each test"):
        as_mine(TestOrders)
    as_mine(TestOrders.test_orders)(TestOrders())


def test_an_asynchronous_generator_is_not_decorated():
    async def fixture():
        yield called_by()

    with pytest.raises(TypeError, match="not fixture"):
        as_mine(fixture)


def test_an_unprotected_target_is_an_error_when_the_test_runs():
    decorated = calling_as(object(), fake_caller())(lambda: "ran")
    with pytest.raises(TypeError, match="nothing of m2mguard was found"):
        decorated()


def test_a_block_is_entered_once():
    block = calling_as(SERVER, fake_caller())
    with block:
        pass
    with pytest.raises(RuntimeError, match="new one"), block:
        pass


def test_trusting_decorates_too():
    with LocalIssuer(served=False) as issuer:
        token = issuer.mint("app-real", audience="https://mine.api")

        @trusting(SERVER, issuer)
        def real():
            return SERVER.verify(token).app_id

        assert real() == "app-real"

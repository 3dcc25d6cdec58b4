"""Every row of the table through every adapter. An adapter joins by a harness in one of the modules imported here."""

import pytest

from m2mguard.testing.contract import ROWS, ApplicationFailure, Harness, Row
from tests.contract.asgi_harnesses import FastAPIHarness, LitestarHarness, PlainASGI, QuartHarness, StarletteHarness
from tests.contract.django_harnesses import (
    DjangoAsyncMiddleware,
    DjangoAsyncViews,
    DjangoMiddleware,
    DjangoViews,
    DRFViews,
)
from tests.contract.wsgi_harnesses import FlaskApp, FlaskAsyncViews, FlaskViews, PlainWSGI

HARNESSES: tuple[Harness, ...] = (
    PlainASGI(), StarletteHarness(), FastAPIHarness(), LitestarHarness(), QuartHarness(),
    PlainWSGI(), FlaskApp(), FlaskViews(), FlaskAsyncViews(),
    DjangoViews(), DjangoAsyncViews(), DjangoMiddleware(), DjangoAsyncMiddleware(), DRFViews(),
)  # fmt: skip

CASES = [
    pytest.param(harness, row, id=f"{type(harness).__name__.removesuffix('Harness')}-{row.name}")
    for harness in HARNESSES
    for row in ROWS
    if row.concerns(harness)
]


@pytest.mark.parametrize(("harness", "row"), CASES)
def test_the_adapter_keeps_the_contract(harness: Harness, row: Row, world):
    row.check(harness, world)


@pytest.mark.parametrize("harness", HARNESSES, ids=lambda harness: type(harness).__name__)
def test_the_adapter_tells_the_route(harness, world):
    before = world.without_route
    for row in ROWS:
        if row.concerns(harness) and row.expected is not ApplicationFailure:
            row.check(harness, world)
    assert world.without_route == before


def test_every_row_has_a_name_of_its_own():
    assert len({row.name for row in ROWS}) == len(ROWS)

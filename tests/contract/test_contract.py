"""Every case of the contract with every adapter. A new adapter needs a harness in one of the modules imported here."""

import pytest

from m2mguard.testing.contract import CASES, ApplicationFailure, Case, Harness
from tests.contract.aiohttp_harnesses import AiohttpHandlers, AiohttpMiddleware
from tests.contract.asgi_harnesses import FastAPIHarness, PlainASGI, QuartHarness, StarletteHarness
from tests.contract.django_harnesses import (
    DjangoAsyncMiddleware,
    DjangoAsyncViews,
    DjangoMiddleware,
    DjangoViews,
    DRFViews,
)
from tests.contract.forward_auth_harness import ForwardAuthHarness
from tests.contract.litestar_harnesses import LitestarGuards, LitestarHarness, LitestarPlugin
from tests.contract.mcp_harnesses import FastMCPHarness, MCPHarness
from tests.contract.ninja_harnesses import NinjaAsyncOperations, NinjaOperations, NinjaOperationsUnderASGI
from tests.contract.wsgi_harnesses import FlaskApp, FlaskAsyncViews, FlaskViews, PlainWSGI

HARNESSES: tuple[Harness, ...] = (
    PlainASGI(), StarletteHarness(), FastAPIHarness(), QuartHarness(),
    LitestarHarness(), LitestarPlugin(), LitestarGuards(),
    AiohttpMiddleware(), AiohttpHandlers(), MCPHarness(), FastMCPHarness(), ForwardAuthHarness(),
    PlainWSGI(), FlaskApp(), FlaskViews(), FlaskAsyncViews(),
    DjangoViews(), DjangoAsyncViews(), DjangoMiddleware(), DjangoAsyncMiddleware(), DRFViews(),
    NinjaOperations(), NinjaOperationsUnderASGI(), NinjaAsyncOperations(),
)  # fmt: skip

PARAMETERS = [
    pytest.param(harness, case, id=f"{type(harness).__name__.removesuffix('Harness')}-{case.name}")
    for harness in HARNESSES
    for case in CASES
    if case.concerns(harness)
]


@pytest.mark.parametrize(("harness", "case"), PARAMETERS)
def test_the_adapter_fulfils_the_contract_and_reports_the_route(harness: Harness, case: Case, environment):
    before = environment.without_route
    case.check(harness, environment)
    assert environment.without_route == before or case.expected is ApplicationFailure


def test_every_case_has_a_unique_name():
    assert len({case.name for case in CASES}) == len(CASES)

"""The contract that every adapter keeps, as one table of cases: request → status, headers, body, and what the route sees.

To hold an adapter to it, write a `Harness`: it builds the contract's application in the framework, protects it with the
adapter, and sends a request through the framework's own test client. Then run every case::

    @pytest.fixture(scope="module")
    def environment():
        with Environment() as environment:
            yield environment

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    def test_my_adapter_keeps_the_contract(case, environment):
        case.check(MyHarness(), environment)

The contract's application has these routes. All but the last two are protected, by `Protection.requirement`::

    /caller                   GET HEAD POST OPTIONS   the JSON of `shown(caller)`, with the adapter's Caller
    /tenants/{tenant}/caller  GET                     the same; an organization may be taken from the route
    /mounted/caller           GET                     the same, in a sub-application, blueprint or include of the framework
    /stream                   GET                     `STREAM`, chunk by chunk, with the fields `OWN_FIELDS`
    /refusal                  GET                     the application's own refusal: `OWN_REFUSAL`
    /failure                  GET                     raises `ApplicationFailure`
    /healthz                  GET                     the JSON of `shown(caller)`, with None where there is no Caller
    /docs/page                GET                     the same

A middleware is given `Protection.public`, which opens the last two, and is asked for paths below /docs/ that are no routes; an adapter
that protects route by route leaves them alone.
No framework is imported here.
"""

from m2mguard.testing.contract._case import Case
from m2mguard.testing.contract._cases import CASES
from m2mguard.testing.contract._environment import Environment
from m2mguard.testing.contract._expectations import ContractBroken
from m2mguard.testing.contract._messages import (
    OWN_FIELDS,
    OWN_REFUSAL,
    STREAM,
    ApplicationFailure,
    ContractRequest,
    ContractResponse,
    Harness,
    Protection,
    shown,
)

__all__ = [
    "CASES",
    "OWN_FIELDS",
    "OWN_REFUSAL",
    "STREAM",
    "ApplicationFailure",
    "Case",
    "ContractBroken",
    "ContractRequest",
    "ContractResponse",
    "Environment",
    "Harness",
    "Protection",
    "shown",
]


def __dir__() -> list[str]:
    return sorted(__all__)

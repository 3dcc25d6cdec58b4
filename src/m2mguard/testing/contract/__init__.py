"""The contract that every adapter keeps, as one table: request → status, headers, body, and what the route sees.

To hold an adapter to it, write a `Harness`: it builds the contract's application in the framework, protects it with the
adapter, and sends a request through the framework's own test client. Then run every row:

    @pytest.fixture(scope="module")
    def world():
        with World() as world:
            yield world

    @pytest.mark.parametrize("case", ROWS, ids=lambda row: row.name)
    def test_my_adapter_keeps_the_contract(row, world):
        row.check(MyHarness(), world)

The contract's application has these routes. All but the last two are protected, by `Protection.requirement`:

    /caller                   GET HEAD POST OPTIONS   the JSON of `shown(caller)`, whoever the adapter says called
    /tenants/{tenant}/caller  GET                     the same; an organization may be taken from the route
    /mounted/caller           GET                     the same, in a sub-application, blueprint or include of the framework
    /stream                   GET                     `STREAM`, chunk by chunk, with the fields `OWN_FIELDS`
    /refusal                  GET                     the application's own refusal: `OWN_REFUSAL`
    /failure                  GET                     raises `ApplicationFailure`
    /healthz                  GET                     the JSON of `shown(caller)`, with None where there is no Caller
    /docs/page                GET                     the same

A middleware is given `Protection.public`, which opens the last two, and is asked for paths below /docs/ that are no routes; an adapter
that protects route by route leaves them alone.
Nothing here knows a framework.
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

"""What a test sees that leaves tokens out: inside `calling_as` the Caller is given, and what the route asks for is enforced."""

from __future__ import annotations

from typing import Final

from m2mguard._server.requirement import Requirement
from m2mguard.testing._calling_as import fake_caller
from m2mguard.testing.contract._case import Case
from m2mguard.testing.contract._credentials import bearer
from m2mguard.testing.contract._expectations import ANONYMOUS, SeenByRoute, insufficient
from m2mguard.testing.contract._messages import ContractRequest

_ORDERS: Final = Requirement(scopes=["read:orders"])
_READER: Final = fake_caller("app-orders", scopes=["read:orders"])

CALLING_AS_CASES: Final = (
    Case(name="calling_as needs no token", caller=_READER, requirement=_ORDERS, expected=SeenByRoute()),
    Case(
        name="calling_as needs no keys",
        caller=_READER,
        requirement=_ORDERS,
        issuer_is_down=True,
        expected=SeenByRoute(),
    ),
    Case(
        name="calling_as looks at no token",
        caller=_READER,
        credentials=bearer(lifetime=-3600),
        requirement=_ORDERS,
        expected=SeenByRoute(),
    ),
    Case(
        name="calling_as without the scope is 403",
        caller=fake_caller(scopes=["canary"]),
        requirement=_ORDERS,
        expected=insufficient("scope", "read:orders"),
    ),
    Case(
        name="calling_as another application is 403",
        caller=fake_caller("app-canary"),
        requirement=Requirement(app_ids=["app-orders"]),
        expected=insufficient("application"),
    ),
    Case(
        name="calling_as an organization's token on a global route is 403",
        caller=fake_caller(organization_id="org-canary"),
        expected=insufficient("organization"),
    ),
    Case(
        name="calling_as the organization of the route passes",
        caller=fake_caller(scopes=["read:orders"], organization_id="org-blue"),
        request=ContractRequest(path="/tenants/org-blue/caller"),
        organization_from_route=True,
        expected=SeenByRoute(organization_id="org-blue"),
    ),
    Case(
        name="calling_as a person is 403",
        caller=fake_caller(user_id="canary"),
        expected=insufficient("not_a_machine"),
    ),
    Case(
        name="calling_as leaves public paths without a Caller",
        caller=_READER,
        request=ContractRequest(path="/healthz"),
        expected=ANONYMOUS,
    ),
)

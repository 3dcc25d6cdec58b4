"""What a route asks of the Caller, and what happens if the token cannot be checked."""

from __future__ import annotations

from typing import Final

from m2mguard._server.requirement import Requirement
from m2mguard.testing.contract._case import Case
from m2mguard.testing.contract._credentials import bearer, token
from m2mguard.testing.contract._expectations import MISSING, UNAVAILABLE, SeenByRoute, insufficient, invalid
from m2mguard.testing.contract._messages import ContractRequest

_ORDERS: Final = Requirement(scopes=["read:orders"])
_ORDERS_AND_STOCK: Final = Requirement(scopes=["read:orders", "read:stock"])
_ORDERS_OR_STOCK: Final = Requirement(any_scope=["read:orders", "read:stock"])
_LISTED: Final = Requirement(app_ids=["app-orders", "app-stock"])
_BLUE: Final = Requirement(organization="org-blue")
_ANY_ORGANIZATION: Final = Requirement(organization="*")
_TENANT: Final = ContractRequest(path="/tenants/org-blue/caller")

ACCESS_CASES: Final = (
    Case(name="the scope asked for is granted", credentials=bearer(), requirement=_ORDERS, expected=SeenByRoute()),
    Case(
        name="a missing scope is 403 and named",
        credentials=bearer(scopes=["canary"]),
        requirement=_ORDERS,
        expected=insufficient("scope", "read:orders"),
    ),
    Case(
        name="one of two scopes is not enough",
        credentials=bearer(),
        requirement=_ORDERS_AND_STOCK,
        expected=insufficient("scope", "read:orders read:stock"),
    ),
    Case(name="one of any_scope is enough", credentials=bearer(), requirement=_ORDERS_OR_STOCK, expected=SeenByRoute()),
    Case(
        name="none of any_scope is 403",
        credentials=bearer(scopes=[]),
        requirement=_ORDERS_OR_STOCK,
        expected=insufficient("scope", "read:orders read:stock"),
    ),
    Case(name="a listed application passes", credentials=bearer(), requirement=_LISTED, expected=SeenByRoute()),
    Case(
        name="another application is 403",
        credentials=bearer("app-canary"),
        requirement=_LISTED,
        expected=insufficient("application"),
    ),
    Case(
        name="an organization's token on a global route is 403",
        credentials=bearer(organization_id="org-canary"),
        expected=insufficient("organization"),
    ),
    Case(
        name="the organization asked for passes, and the route sees it",
        credentials=bearer(organization_id="org-blue"),
        requirement=_BLUE,
        expected=SeenByRoute(organization_id="org-blue"),
    ),
    Case(
        name="another organization is 403",
        credentials=bearer(organization_id="org-canary"),
        requirement=_BLUE,
        expected=insufficient("organization"),
    ),
    Case(
        name="a global token on an organization's route is 403",
        credentials=bearer(),
        requirement=_BLUE,
        expected=insufficient("organization"),
    ),
    Case(
        name="any organization passes where any is asked for",
        credentials=bearer(organization_id="org-red"),
        requirement=_ANY_ORGANIZATION,
        expected=SeenByRoute(organization_id="org-red"),
    ),
    Case(name="and so does none", credentials=bearer(), requirement=_ANY_ORGANIZATION, expected=SeenByRoute()),
    Case(
        name="the organization of the route passes",
        credentials=bearer(organization_id="org-blue"),
        request=_TENANT,
        organization_from_route=True,
        expected=SeenByRoute(organization_id="org-blue"),
    ),
    Case(
        name="another organization than the route's is 403",
        credentials=bearer(organization_id="org-canary"),
        request=_TENANT,
        organization_from_route=True,
        expected=insufficient("organization"),
    ),
    Case(
        name="a star in the route is no wildcard",
        credentials=bearer(organization_id="org-canary"),
        request=ContractRequest(path="/tenants/*/caller"),
        organization_from_route=True,
        expected=insufficient("organization"),
    ),
    Case(
        name="a person's token is 403",
        credentials=token(lambda issuer: issuer.mint_user_token("canary")),
        expected=insufficient("not_a_machine"),
    ),
    Case(
        name="an expired token that lacks the scope is 401",
        credentials=bearer(scopes=[], lifetime=-3600),
        requirement=_ORDERS,
        expected=invalid("expired"),
    ),
    Case(name="keys that are not available are 503", credentials=bearer(), issuer_is_down=True, expected=UNAVAILABLE),
    Case(name="no credentials are 401 during an outage, too", issuer_is_down=True, expected=MISSING),
    Case(
        name="a stranger's token is 401 during an outage, too",
        credentials=bearer(claims={"iss": "https://canary.example/oidc"}),
        issuer_is_down=True,
        expected=invalid("unknown_issuer"),
    ),
)

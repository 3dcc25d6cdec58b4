"""What a route asks of the Caller, and what happens when nobody can say who calls."""

from __future__ import annotations

from typing import Final

from m2mguard.access import Requirement
from m2mguard.testing.contract.credentials import bearer, token
from m2mguard.testing.contract.exchange import Request
from m2mguard.testing.contract.expectations import MISSING, UNAVAILABLE, Seen, insufficient, invalid
from m2mguard.testing.contract.rows import Row

_ORDERS: Final = Requirement(scopes=["read:orders"])
_ORDERS_AND_STOCK: Final = Requirement(scopes=["read:orders", "read:stock"])
_ORDERS_OR_STOCK: Final = Requirement(any_scope=["read:orders", "read:stock"])
_LISTED: Final = Requirement(app_ids=["app-orders", "app-stock"])
_BLUE: Final = Requirement(organization="org-blue")
_ANY_ORGANIZATION: Final = Requirement(organization="*")
_TENANT: Final = Request(path="/tenants/org-blue/caller")

ACCESS_ROWS: Final = (
    Row(name="the scope asked for is granted", credentials=bearer(), requirement=_ORDERS, expected=Seen()),
    Row(
        name="a missing scope is 403 and named",
        credentials=bearer(scopes=["canary"]),
        requirement=_ORDERS,
        expected=insufficient("scope", "read:orders"),
    ),
    Row(
        name="one of two scopes is not enough",
        credentials=bearer(),
        requirement=_ORDERS_AND_STOCK,
        expected=insufficient("scope", "read:orders read:stock"),
    ),
    Row(name="one of any_scope is enough", credentials=bearer(), requirement=_ORDERS_OR_STOCK, expected=Seen()),
    Row(
        name="none of any_scope is 403",
        credentials=bearer(scopes=[]),
        requirement=_ORDERS_OR_STOCK,
        expected=insufficient("scope", "read:orders read:stock"),
    ),
    Row(name="a listed application passes", credentials=bearer(), requirement=_LISTED, expected=Seen()),
    Row(
        name="another application is 403",
        credentials=bearer("app-canary"),
        requirement=_LISTED,
        expected=insufficient("application"),
    ),
    Row(
        name="an organization's token on a global route is 403",
        credentials=bearer(organization_id="org-canary"),
        expected=insufficient("organization"),
    ),
    Row(
        name="the organization asked for passes, and the route sees it",
        credentials=bearer(organization_id="org-blue"),
        requirement=_BLUE,
        expected=Seen(organization_id="org-blue"),
    ),
    Row(
        name="another organization is 403",
        credentials=bearer(organization_id="org-canary"),
        requirement=_BLUE,
        expected=insufficient("organization"),
    ),
    Row(
        name="a global token on an organization's route is 403",
        credentials=bearer(),
        requirement=_BLUE,
        expected=insufficient("organization"),
    ),
    Row(
        name="any organization passes where any is asked for",
        credentials=bearer(organization_id="org-red"),
        requirement=_ANY_ORGANIZATION,
        expected=Seen(organization_id="org-red"),
    ),
    Row(name="and so does none", credentials=bearer(), requirement=_ANY_ORGANIZATION, expected=Seen()),
    Row(
        name="the organization of the route passes",
        credentials=bearer(organization_id="org-blue"),
        request=_TENANT,
        organization_from_route=True,
        expected=Seen(organization_id="org-blue"),
    ),
    Row(
        name="another organization than the route's is 403",
        credentials=bearer(organization_id="org-canary"),
        request=_TENANT,
        organization_from_route=True,
        expected=insufficient("organization"),
    ),
    Row(
        name="a star in the route is no wildcard",
        credentials=bearer(organization_id="org-canary"),
        request=Request(path="/tenants/*/caller"),
        organization_from_route=True,
        expected=insufficient("organization"),
    ),
    Row(
        name="a person's token is 403",
        credentials=token(lambda issuer: issuer.mint_user_token("canary")),
        expected=insufficient("not_a_machine"),
    ),
    Row(
        name="an expired token that lacks the scope is 401",
        credentials=bearer(scopes=[], lifetime=-3600),
        requirement=_ORDERS,
        expected=invalid("expired"),
    ),
    Row(name="keys that cannot be had are 503", credentials=bearer(), issuer_is_down=True, expected=UNAVAILABLE),
    Row(name="no credentials are 401 during an outage, too", issuer_is_down=True, expected=MISSING),
    Row(
        name="a stranger's token is 401 during an outage, too",
        credentials=bearer(claims={"iss": "https://canary.example/oidc"}),
        issuer_is_down=True,
        expected=invalid("unknown_issuer"),
    ),
)

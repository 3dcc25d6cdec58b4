"""What an operator has registered in Logto's Console: applications, API resources and organizations, as data.

Says who was granted what; nothing of requests or tokens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal

from m2mguard.testing._minting import SHOPPING_API

MANAGEMENT_API: Final = "https://default.logto.app/api"
"""The identifier of Logto's own Management API."""

Grants = Mapping[str, Sequence[str]]
"""API identifier → the scopes granted there."""


def _check_lists(*lists: Sequence[str]) -> None:
    for scopes in lists:
        if isinstance(scopes, str):
            raise TypeError(f"give a list of scopes, not one string: [{scopes!r}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """What an application may do inside one organization.

    Args:
        permissions: organization permissions, the scopes of an organization token.
        scopes: scopes of organization-level API resources, by API identifier.

    Raises:
        TypeError: one string instead of a list of scopes; so for `Application` and `Resource`.
    """

    permissions: Sequence[str] = ()
    scopes: Grants = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_lists(self.permissions, *self.scopes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """A machine-to-machine application; its App ID is the key it is registered under.

    Args:
        secret: the App Secret, hidden from `repr`.
        name: for the list of applications.
        scopes: what its roles grant, by API identifier; for any other API it still gets a token, without scopes.
        organizations: organization id → what it may do there.
        denial: given, the tenant's custom-claims script refuses it every token with this sentence.
        script_error: given, the tenant's custom-claims script fails for it with this message, and it gets no token.
        secret_expired: whether the secret's date of expiry has passed.
        kind: the type of the application; only "machine-to-machine" gets tokens.
    """

    secret: str = field(repr=False)
    name: str = ""
    scopes: Grants = field(default_factory=dict)
    organizations: Mapping[str, Membership] = field(default_factory=dict)
    denial: str | None = None
    script_error: str | None = None
    secret_expired: bool = False
    kind: Literal["machine-to-machine", "traditional", "spa"] = "machine-to-machine"

    def __post_init__(self) -> None:
        _check_lists(*self.scopes.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """An API resource; its API identifier is the key it is registered under.

    Args:
        scopes: the permissions that exist.
        lifetime: of its tokens, in seconds; default the issuer's `token_lifetime`.
    """

    scopes: Sequence[str] = ()
    lifetime: float | None = None

    def __post_init__(self) -> None:
        _check_lists(self.scopes)


DEFAULT_RESOURCES: Final[Mapping[str, Resource]] = MappingProxyType(
    {
        SHOPPING_API: Resource(scopes=("read:orders", "write:orders")),
        MANAGEMENT_API: Resource(scopes=("all",)),
    }
)
DEFAULT_APPLICATIONS: Final[Mapping[str, Application]] = MappingProxyType(
    {
        "app-orders": Application(
            secret="secret-of-app-orders",  # noqa: S106 - a published example
            name="Orders",
            scopes={SHOPPING_API: ("read:orders",)},
            organizations={
                "org-blue": Membership(permissions=("read:members",), scopes={SHOPPING_API: ("read:orders",)}),
            },
        ),
        "app-admin": Application(
            secret="secret-of-app-admin",  # noqa: S106 - a published example
            name="Administration",
            scopes={SHOPPING_API: ("read:orders", "write:orders"), MANAGEMENT_API: ("all",)},
        ),
    }
)


def check_grants(applications: Mapping[str, Application], resources: Mapping[str, Resource]) -> None:
    """Raise `ValueError` when an application is granted a scope, or a scope of a resource, that does not exist."""
    for app_id, application in applications.items():
        for grants in (application.scopes, *(member.scopes for member in application.organizations.values())):
            for audience, scopes in grants.items():
                if audience not in resources:
                    raise ValueError(f"{app_id} is granted scopes of {audience}, which is no registered resource")
                if missing := set(scopes) - set(resources[audience].scopes):
                    raise ValueError(f"{app_id} is granted {sorted(missing)}, which {audience} does not have")

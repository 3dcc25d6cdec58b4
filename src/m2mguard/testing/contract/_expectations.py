"""What an answer must be, written out in full: no value here is taken from the code under test."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Final, Protocol

from m2mguard.testing.contract._messages import ContractResponse

CANARY: Final = "canary"
"""Part of everything that an attacker might like to see echoed; no refusal may contain it."""

_DESCRIPTIONS: Final = (
    ("unauthorized", "A bearer token is required"),
    ("invalid_request", "The request must carry exactly one well-formed bearer token"),
    ("invalid_token", "The access token is expired, malformed, or invalid for other reasons"),
    ("insufficient_user_authentication", "The person must sign in again to access this resource"),
    ("insufficient_scope", "The access token does not grant access to this resource"),
    ("temporarily_unavailable", "The access token cannot be checked at the moment"),
)


class ContractBroken(AssertionError):
    """An adapter's answer is not the contract's."""


class Expectation(Protocol):
    """Something that an answer can be held to. Each method raises `ContractBroken` unless the answer is as expected."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """The one of these that the log names; none if nothing is refused."""

    def hold(self, response: ContractResponse) -> None:
        """Check status and fields."""

    def hold_body(self, body: bytes) -> None:
        """Check the body of an answer to anything but HEAD."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenByRoute:
    """The route ran, and saw this caller; `app_id=None` means no Caller."""

    app_id: str | None = "app-orders"
    scopes: tuple[str, ...] = ("read:orders",)
    organization_id: str | None = None
    reasons: tuple[str, ...] = ()

    def hold(self, response: ContractResponse) -> None:
        """Check the status."""
        assert_same("status", response.status, 200)

    def hold_body(self, body: bytes) -> None:
        """Check what the route saw."""
        caller = {"app_id": self.app_id, "scopes": list(self.scopes), "organization_id": self.organization_id}
        assert_same("what the route saw", json.loads(body), None if self.app_id is None else caller)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The route did not run; the answer is a refusal.

    Attributes:
        status: of the answer.
        error: in the body; in the challenge, too, but for `unauthorized`.
        scope: in the challenge, when not empty.
        sign_in: what the challenge says of the sign-in, as it is written there.
        reasons: the one of these that the log names; the answer names none.
    """

    status: int
    error: str
    scope: str = ""
    sign_in: str = ""
    reasons: tuple[str, ...] = ()

    def with_scopes(self, scopes: tuple[str, ...]) -> Refused:
        """The same from an adapter whose challenge of a 401 names the scopes, too."""
        return replace(self, scope=" ".join(scopes)) if self.status == 401 else self

    def hold(self, response: ContractResponse) -> None:
        """Check status and fields, and that nothing that was sent comes back."""
        assert_same("status", response.status, self.status)
        assert_same("WWW-Authenticate", response.values("www-authenticate"), self._challenges())
        retry_after = response.values("retry-after")
        assert_same("number of Retry-After fields", len(retry_after), 1 if self.status == 503 else 0)
        assert_same(
            "Retry-After that are no positive number", [n for n in retry_after if not re.fullmatch(r"[1-9]\d*", n)], []
        )
        assert_same("Cache-Control", response.values("cache-control"), ["no-store"])
        assert_same(
            "media type", [value.partition(";")[0] for value in response.values("content-type")], ["application/json"]
        )
        assert_same("echo of what was sent", re.findall(CANARY, repr((response.fields, response.body))), [])

    def hold_body(self, body: bytes) -> None:
        """Check the JSON object."""
        assert_same("body", json.loads(body), {"error": self.error, "error_description": self._description()})

    def _description(self) -> str:
        return dict(_DESCRIPTIONS)[self.error]

    def _challenges(self) -> list[str]:
        if self.status == 503:
            return []
        return [self.challenge]

    @property
    def challenge(self) -> str:
        """The challenge of a 400, 401 or 403."""
        scope = f', scope="{self.scope}"' if self.scope else ""
        if self.error == "unauthorized":
            return f'Bearer realm="api"{scope}'
        sign_in = f", {self.sign_in}" if self.sign_in else ""
        return f'Bearer realm="api", error="{self.error}", error_description="{self._description()}"{sign_in}{scope}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Untouched:
    """The route ran, and its answer arrived as it was given."""

    status: int = 200
    fields: tuple[tuple[str, str], ...]
    body: bytes
    reasons: tuple[str, ...] = ()

    def hold(self, response: ContractResponse) -> None:
        """Check status and fields; a framework may add a charset."""
        assert_same("status", response.status, self.status)
        for name, value in self.fields:
            assert_same(name, [found.partition(";")[0] for found in response.values(name)], [value])

    def hold_body(self, body: bytes) -> None:
        """Check the bytes."""
        assert_same("body", body, self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """The adapter let the request through; whether the application has such a route is not the adapter's affair."""

    reasons: tuple[str, ...] = ()

    def hold(self, response: ContractResponse) -> None:
        """Check that this is no refusal."""
        assert_same("challenges", response.values("www-authenticate"), [])
        if response.status not in (200, 404):
            raise ContractBroken(f"status: expected the application's own, found {response.status}")

    def hold_body(self, body: bytes) -> None:
        """Check nothing: it is the application's."""


def assert_same(what: str, found: object, expected: object) -> None:
    """Raise `ContractBroken` unless two values are equal."""
    if found != expected:
        raise ContractBroken(f"{what}: expected {expected!r}, found {found!r}")


def invalid(reason: str) -> Refused:
    """A bad token."""
    return Refused(status=401, error="invalid_token", reasons=(reason,))


def insufficient(reason: str, scope: str = "") -> Refused:
    """A good token that is not for this."""
    return Refused(status=403, error="insufficient_scope", reasons=(reason,), scope=scope)


def insufficient_user_authentication(reason: str, sign_in: str, scope: str = "") -> Refused:
    """A good token of a person who must sign in again."""
    return Refused(
        status=401, error="insufficient_user_authentication", reasons=(reason,), sign_in=sign_in, scope=scope
    )


ANONYMOUS: Final = SeenByRoute(app_id=None)
MISSING: Final = Refused(status=401, error="unauthorized", reasons=("missing",))
OTHER_SCHEME: Final = Refused(status=401, error="unauthorized", reasons=("other_scheme",))
GRAMMAR: Final = Refused(status=400, error="invalid_request", reasons=("credential_grammar",))
SEVERAL: Final = Refused(
    status=400,
    error="invalid_request",
    # WSGI joins two fields by a comma, so that the adapter sees one field outside the grammar.
    reasons=("several_credentials", "credential_grammar"),
)
UNAVAILABLE: Final = Refused(status=503, error="temporarily_unavailable")

"""What goes into a harness and what comes out of it. Data, and the one protocol; no framework, no rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final, Protocol

from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.caller import Caller

PUBLIC: Final = ("/healthz", "/docs/")
STREAM: Final = (b"one\n", b"two\n", b"three\n")
OWN_FIELDS: Final = (("content-type", "text/x-own"), ("x-own", "untouched"))
OWN_REFUSAL: Final = (401, (("content-type", "text/x-own"), ("www-authenticate", 'Basic realm="own"')), b"own")


class ApplicationFailure(Exception):
    """What `/failure` raises; it must come out of the test client, or of whatever the framework makes of it, as it was raised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractRequest:
    """A request as it is to reach the framework.

    Attributes:
        method: as sent.
        path: of the application, below `mounted_at`.
        query: without the question mark.
        authorization: the value of each Authorization field. A framework whose interface has one value only (WSGI) is given
            them joined by commas, as its servers do.
        fields: any others.
        body: as sent.
        mounted_at: ASGI's `root_path`, WSGI's `SCRIPT_NAME`; the whole path is this and `path`.
    """

    method: str = "GET"
    path: str = "/caller"
    query: str = ""
    authorization: tuple[bytes, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    mounted_at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractResponse:
    """An answer as the framework's test client saw it.

    Attributes:
        status: of the answer.
        fields: its header fields, in any case.
        body: as received. A harness whose framework wraps the JSON object of a refusal takes it out again.
    """

    status: int
    fields: tuple[tuple[str, str], ...]
    body: bytes

    def values(self, name: str) -> list[str]:
        """The values of every field of this lower-case name."""
        return [value for field, value in self.fields if field.lower() == name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Protection:
    """How the contract's application is to be protected."""

    server: ResourceServer
    requirement: Requirement
    public: tuple[str, ...] = PUBLIC


class Harness(Protocol):
    """One adapter in one framework.

    Attributes:
        matches_public_paths: whether the adapter itself decides which paths are public. Rows about that are skipped otherwise.

    An adapter whose challenge of a 401 names the scopes that the route asks for has `names_scopes = True`, too.
    """

    matches_public_paths: ClassVar[bool]

    def tenant(self, request: Any) -> str | None:
        """Take `{tenant}` out of what the adapter gives to a callable organization."""

    def send(self, protection: Protection, request: ContractRequest) -> ContractResponse:
        """Build the application, protect it, send one request through the framework's test client."""


def shown(caller: Caller | None) -> dict[str, object] | None:
    """What the contract's application tells of its caller, to be sent as JSON."""
    if caller is None:
        return None
    return {
        "app_id": caller.app_id,
        "scopes": sorted(caller.scopes),
        "organization_id": caller.organization_id,
    }

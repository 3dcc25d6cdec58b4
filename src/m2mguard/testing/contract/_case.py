"""What one row of the table is, and how an adapter is held to it."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from dataclasses import dataclass
from urllib.parse import unquote

from m2mguard._reporting.log_lines import printable
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard.caller import Caller
from m2mguard.testing._calling_as import calling_as
from m2mguard.testing.contract._credentials import Credentials, none
from m2mguard.testing.contract._environment import Environment
from m2mguard.testing.contract._expectations import ContractBroken, Expectation, Refused, assert_same
from m2mguard.testing.contract._messages import PUBLIC, ApplicationFailure, ContractRequest, Harness, Protection

_DECODED_DIFFERENTLY = ("%25", "%FF")  # test clients decode a "%" twice, and bytes that are no UTF-8 as they like


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request, and the one answer that every adapter gives to it.

    Attributes:
        name: a sentence.
        expected: the answer, or the exception that passes through.
        credentials: makes the values of the Authorization fields; default none at all.
        request: everything else of the request.
        requirement: what the protected routes ask for.
        public: the paths that need no token.
        organization_from_route: whether the organization asked for is the route's `{tenant}`.
        admits_persons: whether the server takes persons' tokens, too.
        issuer_is_down: whether the server has no keys and cannot get any.
        caller: who calls, without a token, as `calling_as` makes it; default nobody.
        about_public_paths: skip it unless the adapter matches public paths itself.
    """

    name: str
    expected: Expectation | type[ApplicationFailure]
    credentials: Credentials = none
    request: ContractRequest = dataclasses.field(default_factory=ContractRequest)
    requirement: Requirement = dataclasses.field(default_factory=Requirement)
    public: tuple[str, ...] = PUBLIC
    organization_from_route: bool = False
    admits_persons: bool = False
    issuer_is_down: bool = False
    caller: Caller | None = None
    about_public_paths: bool = False

    def concerns(self, harness: Harness) -> bool:
        """Tell whether this row is to be checked with this harness."""
        return harness.matches_public_paths or not self.about_public_paths

    def server(self, environment: Environment) -> ResourceServer:
        """The server that protects the application."""
        if self.issuer_is_down:
            return environment.server_without_keys()
        return environment.server_for_persons if self.admits_persons else environment.server

    def check(self, harness: Harness, environment: Environment) -> None:
        """Send the request through the harness and hold the answer to the table.

        Raises:
            ContractBroken: the answer is another one.
        """
        issuer = environment.absent_issuer if self.issuer_is_down else environment.issuer
        server = self.server(environment)
        requirement = self.requirement
        if self.organization_from_route:
            requirement = dataclasses.replace(requirement, organization=harness.tenant)
        request = dataclasses.replace(self.request, authorization=self.credentials(issuer))
        environment.take_refusals()
        try:
            with nullcontext() if self.caller is None else calling_as(server, self.caller):
                response = harness.send(Protection(server=server, requirement=requirement, public=self.public), request)
        except ApplicationFailure as failure:
            if self.expected is not ApplicationFailure:
                raise ContractBroken("the application ran, and should not have") from failure
            return
        if isinstance(self.expected, type):
            raise ContractBroken(f"the application's own exception became an answer of status {response.status}")
        expected = self.expected
        if getattr(harness, "names_scopes", False) and isinstance(expected, Refused):
            expected = expected.with_scopes((*self.requirement.scopes, *self.requirement.any_scope))
        expected.hold(response)
        if request.method == "HEAD":
            assert_same("body", response.body, b"")
        else:
            expected.hold_body(response.body)
        told = environment.take_refusals()
        assert_same("how often the operator was told", len(told), min(1, len(expected.reasons)))
        assert_same(
            "what else the operator was told",
            [one.reason for one in told if one.reason not in expected.reasons],
            [],
        )
        if not any(odd in request.path for odd in _DECODED_DIFFERENTLY):
            route = (request.method, printable(unquote(f"{request.mounted_at}{request.path}")))
            # an adapter may leave the route out
            found = [(one.method, one.path) for one in told if one.method is not None]
            assert_same("the route that the operator was told", found, [route] * len(found))

"""What both interceptors are made of: their arguments, checked. Nothing here runs in a call."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Final, Literal

from m2mguard._server.adapter_arguments import check_arguments
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import RouteGuard, mark
from m2mguard._validation import strings
from m2mguard.certificates import CertificateReader, of_grpc_call
from m2mguard.errors import ConfigurationError
from m2mguard.grpc._policy import Policy
from m2mguard.grpc._thread_calls import ThreadCalls

HEALTH: Final = "/grpc.health.v1.Health/"
_METHOD: Final = re.compile(r"/(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*/[A-Za-z_]\w*", re.ASCII)
_SERVICE: Final = re.compile(r"/(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*/", re.ASCII)


class Interceptor:
    """Takes and checks the arguments of `Guard` and `AioGuard`; see there."""

    def __init__(
        self,
        server: ResourceServer,
        requires: Requirement | None = None,
        methods: Mapping[str, Requirement] = MappingProxyType({}),
        public: Collection[str] = (HEALTH,),
        streams: Literal["end", "keep"] = "end",
        certificate: CertificateReader | None = None,
    ) -> None:
        check_arguments(server, requires=requires, certificate=None if certificate is of_grpc_call else certificate)
        _check_methods(server, methods)
        if streams not in ("end", "keep"):
            raise ConfigurationError('streams must be "end" or "keep".')
        self._policy = Policy(
            server=server,
            default=requires,
            methods=dict(methods),
            public=_public_names(public),
            ends_streams=streams == "end",
            certificate=certificate,
        )
        for name in methods:
            if self._policy.is_public(name):
                raise ConfigurationError(f"methods: {name} is public, so nothing that it asks for would be checked.")
        self._thread_calls = ThreadCalls(self._policy)
        mark(self, RouteGuard(requirement=requires, server=server))


def _public_names(public: Collection[str]) -> Collection[str]:
    names = strings("public", public, what="names of services and methods")
    for name in names:
        if not _METHOD.fullmatch(name) and not _SERVICE.fullmatch(name):
            raise ConfigurationError(
                f'public: {name!r} is neither a service, "/shop.Orders/", nor a method, "/shop.Orders/List".'
            )
    return names


def _check_methods(server: ResourceServer, methods: Mapping[str, Requirement]) -> None:
    if not isinstance(methods, Mapping):
        raise ConfigurationError('methods must be a mapping, such as {"/shop.Orders/Delete": Requirement(...)}.')
    for name, requirement in methods.items():
        if not isinstance(name, str) or not _METHOD.fullmatch(name):
            raise ConfigurationError(f'methods: {name!r} is no name of a method, such as "/shop.Orders/Delete".')
        if not isinstance(requirement, Requirement):
            raise ConfigurationError(f"methods[{name!r}] must be a Requirement, such as Requirement(scopes=[...]).")
        server.check_requirement(requirement)

"""A forward-auth endpoint: nginx, Traefik, Caddy and Envoy ask it about every request, so that an API that is not Python is protected.

No framework is imported here, and nothing is decided about tokens or answers: that is the ResourceServer's business.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, unquote, unquote_to_bytes

from m2mguard._asgi.scope import Receive, RequestHead, Scope, Send, authorization_fields, route_of
from m2mguard._asgi.sending import send_answer
from m2mguard._server.adapter_arguments import check_arguments
from m2mguard._server.answers import NO_STORE, Answer, json_answer
from m2mguard._server.path_requirements import PathRequirements
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_metadata import WELL_KNOWN
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import RouteGuard, mark
from m2mguard._server.signed_identity import IdentitySigner, identity_issuer
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader
from m2mguard.errors import AnswerableError
from m2mguard.exemptions import Exemptions, may_run_as_another_method
from m2mguard.paths import below_root, plain_path

__all__ = ["JWKS_PATH", "READINESS_PATH", "ForwardAuth", "OriginalRequest", "identity_issuer"]

READINESS_PATH: Final = "/m2mguard/readyz"
"""Where `ForwardAuth` answers readiness probes."""
JWKS_PATH: Final = "/m2mguard/jwks.json"
"""Where `ForwardAuth` publishes the public key of `X-M2M-Identity`."""

_OWN_PATHS: Final = ("/m2mguard/", WELL_KNOWN)
_METHOD: Final = b"x-forwarded-method"
_URI: Final = b"x-forwarded-uri"
_IDENTITY_FIELDS: Final = (
    "X-M2M-App-Id", "X-M2M-Subject", "X-M2M-Issuer", "X-M2M-Organization-Id", "X-M2M-Scopes", "X-M2M-Identity",
)  # fmt: skip
_METHOD_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110 section 5.6.2
_UNENCODED: Final = "/:@+=!*|"  # beside letters, digits and "-._~": no "%", space, comma, quote or brace
_NOT_TOLD: Final = (
    "m2mguard: 500: the proxy does not say which request it asks about, and the answer depends on that. It must set one "
    "X-Forwarded-Method and one X-Forwarded-Uri; see docs/guides/forward-auth.md. This is logged once."
)
_logger: Final = logging.getLogger("m2mguard")


@dataclass(frozen=True, kw_only=True)
class OriginalRequest:
    """The request that the proxy asks about. A callable organization is given it.

    Attributes:
        method: as it was sent; empty where the proxy does not tell.
        raw_path: the path as it was sent, without the query; empty where the proxy does not tell.
        query: as it was sent, without the question mark.
        fields: names and values of the header fields, as far as the proxy passes them on.
        peer: the address of the proxy; None or empty where it has none.
    """

    method: str
    raw_path: bytes
    query: str
    fields: tuple[tuple[str, str], ...]
    peer: str | None = None

    @cached_property
    def plain_path(self) -> str | None:
        """The decoded path, or None if it is not canonical: the API may then read another one."""
        return plain_path(self.raw_path)

    @property
    def path(self) -> dict[str, Any]:
        """The path, as `m2mguard.exemptions` reads it."""
        return {"path": unquote_to_bytes(self.raw_path), "raw_path": self.raw_path}


class ForwardAuth:
    """An ASGI application that a proxy asks whether a request may pass (nginx `auth_request`, `forward_auth`, `ext_authz` over HTTP).

    A request that may pass is answered with 200 and the identity of its caller, in `X-M2M-App-Id`, `X-M2M-Subject`, `X-M2M-Issuer`,
    `X-M2M-Organization-Id` and `X-M2M-Scopes`, which the proxy must put in place of whatever the client sent under these names.
    Values are percent-encoded where they are not plain ASCII; what is empty says nothing, and on a public path all are. Any other
    request is answered as the API itself would answer it (RFC 6750 section 3), and the proxy must pass that on.

    The method and the path of the request in question are read from `X-Forwarded-Method` and `X-Forwarded-Uri`, so only the proxy may
    reach this application, and it must set both. The path of the question itself says nothing. Without the two, a token is judged by
    `requires` alone; where the answer depends on the path, it is 500.

    Requests without them at paths of the service itself are answered, too: readiness at `READINESS_PATH`; the public key at `JWKS_PATH`;
    the metadata of a server that has a `resource_url` (RFC 9728) at its path, to which the proxy must route.

    At `lifespan` startup it fetches keys, for at most 5 s. With keys at hand nothing is awaited; else at most what `KeyCaching` allows.
    Safe to share between tasks and event loops.

    Args:
        server: verifies tokens and words the answers.
        requires: what every request must meet; None, the default, is `Requirement()`. A callable organization is given an
            `OriginalRequest`.
        public: the paths that need no token, default none, as for `PublicPaths`. The handshake of a WebSocket is a GET here.
        paths: what some paths require besides, default nothing: entries as in `public`, such as "/admin/" or "GET /reports/", to a
            `Requirement`. Of the longest path the entries count that name the method, else the one that names none, which must be there.
            Where it is not clear which path is meant, all must be met that may be: the path is not canonical, or in another case.
        identity_key: signs the identity: a private key of the curve P-256, as PEM. Default None: no `X-M2M-Identity`. Given, this field
            holds a token (ES256, valid for 60 s), which the API verifies by a `ResourceServer` that trusts `identity_issuer`, or by any
            other JWT library with the key at `JWKS_PATH`.
        certificate: as for `BearerAuthMiddleware`; the proxy must pass the field on in its question.

    Raises:
        ConfigurationError: an invalid argument.
    """

    def __init__(
        self,
        server: ResourceServer,
        requires: Requirement | None = None,
        public: Iterable[str] = (),
        *,
        paths: Mapping[str, Requirement] = MappingProxyType({}),
        identity_key: str | bytes | None = None,
        certificate: CertificateReader | None = None,
    ) -> None:
        check_arguments(server, requires=requires, certificate=certificate)
        self._certificate = certificate
        self._server = server
        self._requires = requires
        self._exemptions = Exemptions(public=public)
        self._paths = PathRequirements(paths)
        self._signer = None if identity_key is None else IdentitySigner(identity_key)
        for requirement in self._paths.all:
            server.check_requirement(requirement)
        requirements = (*self._paths.all, requires or Requirement())
        depends_on_path = any(callable(requirement.organization) for requirement in requirements)
        self._must_know_path = bool(self._exemptions.public) or bool(self._paths) or depends_on_path
        self._has_logged = False
        mark(self, RouteGuard(requirement=requires, server=server, public=self._exemptions.public))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one question."""
        if scope["type"] == "lifespan":
            await self._serve_lifespan(receive, send)
            return
        methods, uris = _field_values(scope, _METHOD), _field_values(scope, _URI)
        answer = None if methods or uris else self._own_answer(scope)
        await send_answer(answer or await self._judge(scope, methods, uris), scope, send)

    async def _judge(self, scope: Scope, methods: list[bytes], uris: list[bytes]) -> Answer:
        is_told = len(methods) == len(uris) == 1
        if self._must_know_path and not is_told:
            return self._refuse_unknown_request()
        asked = _original(scope, methods[0], uris[0]) if is_told else _original(scope, b"", b"")
        if self._exemptions.is_public(asked):
            return self._pass(None)
        route = (asked.method, unquote(asked.raw_path)) if is_told else route_of(scope)
        method = None if may_run_as_another_method(asked.fields, asked.query) else asked.method or None
        try:
            caller = await self._server.aauthenticate(
                authorization_fields(scope),
                self._requires,
                request=asked,
                route=route,
                head=asked,
                certificate=self._certificate,
            )
            for requirement in self._paths.of(asked.raw_path, method):
                self._server.authorize(caller, requirement, request=asked, route=route)
        except AnswerableError as error:
            return self._server.answer(error)
        return self._pass(caller)

    def _pass(self, caller: Caller | None) -> Answer:
        """The answer that lets a request pass. It has every field, also empty ones, so that a proxy replaces what the client sent."""
        headers = dict.fromkeys(_IDENTITY_FIELDS, "") | NO_STORE
        if caller is not None:
            headers["X-M2M-App-Id"] = _encoded(caller.app_id)
            headers["X-M2M-Subject"] = _encoded(caller.subject)
            headers["X-M2M-Issuer"] = _encoded(caller.issuer)
            headers["X-M2M-Organization-Id"] = _encoded(caller.organization_id or "")
            headers["X-M2M-Scopes"] = " ".join(map(_encoded, sorted(caller.scopes)))
            if self._signer is not None:
                clock = self._server.settings.clock
                headers["X-M2M-Identity"] = self._signer.sign(caller, time.time() if clock is None else clock())
        return Answer(status=200, headers=headers, body=b"", detail={})

    def _own_answer(self, scope: Scope) -> Answer | None:
        """The answer to a request to this service itself, or None."""
        path = below_root(scope.get("root_path", ""), scope["path"]) or scope["path"]
        metadata = self._server.resource_metadata
        if not path.startswith(_OWN_PATHS):
            return None
        if scope.get("method") in ("GET", "HEAD"):
            if path == READINESS_PATH:
                return self._server.readiness()
            if path == JWKS_PATH and self._signer is not None:
                return json_answer(200, self._signer.jwks, NO_STORE)
            if metadata is not None and path == metadata.path:
                return metadata.answer
        return json_answer(404, {"error": "not_found"}, NO_STORE)

    def _refuse_unknown_request(self) -> Answer:
        if not self._has_logged:
            self._has_logged = True
            _logger.error(_NOT_TOLD)
        return json_answer(500, {"error": "server_error"}, NO_STORE)

    async def _serve_lifespan(self, receive: Receive, send: Send) -> None:
        while (await receive())["type"] == "lifespan.startup":
            await self._server.awarm_up()
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})


def _original(scope: Scope, method: bytes, uri: bytes) -> OriginalRequest:
    raw_path, _, query = uri.partition(b"?")
    name = method.decode("latin-1")
    fields = tuple(
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"] if name.lower() != _METHOD
    )
    return OriginalRequest(
        method=name if _METHOD_NAME.fullmatch(name) else "",
        raw_path=raw_path,
        query=query.decode("latin-1"),
        fields=fields,
        peer=RequestHead(scope).peer,
    )


def _field_values(scope: Scope, name: bytes) -> list[bytes]:
    return [value for field, value in scope["headers"] if field.lower() == name]


def _encoded(text: str) -> str:
    return quote(text, safe=_UNENCODED)


def __dir__() -> list[str]:
    return sorted(__all__)

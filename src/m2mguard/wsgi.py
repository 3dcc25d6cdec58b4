"""Protects any WSGI application, framework or not: what reaches it carries a verified Caller, or asked for a public path.

No framework is imported here, and nothing is decided about tokens or answers: that is the ResourceServer's business.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from m2mguard._server.adapter_arguments import check_arguments
from m2mguard._server.answers import Answer
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import RouteGuard, mark
from m2mguard.caller import Caller
from m2mguard.certificates import CertificateReader
from m2mguard.errors import AnswerableError, ConfigurationError
from m2mguard.exemptions import Exemptions

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from m2mguard._server.resource_metadata import ResourceMetadata

    OnError = Callable[[AnswerableError, WSGIEnvironment], Answer | None]

__all__ = ["BearerAuthMiddleware", "caller_of", "readiness"]

CALLER: Final = "m2mguard.caller"
_ASCII_BUT_SPACE: Final = bytes(range(0x21, 0x7F))
_STATUS_LINES = {
    200: "200 OK",
    400: "400 Bad Request",
    401: "401 Unauthorized",
    403: "403 Forbidden",
    503: "503 Service Unavailable",
}


class BearerAuthMiddleware:
    """WSGI middleware that lets a request pass with a good bearer token, and answers any other itself (RFC 6750).

    The application below finds the `Caller` at `environ["m2mguard.caller"]`; on a public path there is none, and one that was
    there before is removed. What the application returns is passed on as it is, and what it raises passes through. With keys at hand
    nothing blocks; else a request waits at most as long as `KeyCaching` allows. Safe to share between threads and greenlets.
    The metadata of a server that has a `resource_url` is served here, to anybody (RFC 9728).

    Args:
        app: the WSGI application to protect.
        server: verifies tokens and words the answers.
        requires: what every protected request must meet; None, the default, is `Requirement()`. A callable organization is
            given the WSGI environ.
        public: the paths below `SCRIPT_NAME` that need no token, default none. An entry that ends in "/" opens all paths below
            it, any other one exact path; methods may come before it, as in "GET /reports/". See `PublicPaths`.
        preflight: "protect", the default, asks for a token on OPTIONS as on any method; "exempt" passes CORS preflights on as
            browsers send them (Fetch standard, section 3.3.2), without a body, and the status and fields of their answers.
        on_error: called with the refusal and the WSGI environ. It may return another `Answer` to be sent instead; None sends
            the standard one. What it raises passes through, and nothing is let in.
        certificate: reads the client's certificate, for tokens that are bound to one (RFC 8705): `certificates.from_nginx("X-Client-Cert")`
            and the like. Default None: such tokens are refused.

    Raises:
        ConfigurationError: an invalid argument.
    """

    def __init__(
        self,
        app: WSGIApplication,
        server: ResourceServer,
        *,
        requires: Requirement | None = None,
        public: Iterable[str] = (),
        preflight: Literal["protect", "exempt"] = "protect",
        on_error: OnError | None = None,
        certificate: CertificateReader | None = None,
    ) -> None:
        if not callable(app):
            raise ConfigurationError("app must be a WSGI application.")
        check_arguments(server, requires=requires, on_error=on_error, certificate=certificate)
        self.app = app
        self._server = server
        self._metadata = server.resource_metadata
        self._requires = requires
        exemptions = Exemptions(public=public, preflight=preflight)
        self._exemptions = exemptions
        mark(
            self,
            RouteGuard(requirement=requires, server=server, public=exemptions.public, preflights=exemptions.preflights),
        )
        self._on_error = on_error
        self._certificate = certificate

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one WSGI request."""
        environ.pop(CALLER, None)
        head = Head(environ)
        if self._metadata is not None and head.asks_for(self._metadata):
            return _send(self._metadata.answer, environ, start_response)
        if self._exemptions.is_public(head):
            return self.app(environ, start_response)
        if self._exemptions.is_exempt_preflight(head):
            return _pass_preflight(self.app, environ, start_response)
        try:
            caller = self._server.authenticate(
                requirement=self._requires,
                **arguments_of(environ, request=environ, certificate=self._certificate),
            )
        except AnswerableError as error:
            return self._refuse(error, environ, start_response)
        environ[CALLER] = caller
        return self.app(environ, start_response)

    def _refuse(self, error: AnswerableError, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        answer = None if self._on_error is None else self._on_error(error, environ)
        return _send(answer or self._server.answer(error), environ, start_response)


def readiness(server: ResourceServer) -> WSGIApplication:
    """A tiny WSGI app for readiness probes, to be mounted where no token is asked for.

    It never waits; where there are no usable keys it starts a fetch in the background.

    Args:
        server: says whether tokens can be checked; see `ResourceServer.readiness`.
    """

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        return _send(server.readiness(), environ, start_response)

    return application


def caller_of(environ: WSGIEnvironment) -> Caller:
    """The application that sent this request: `environ["m2mguard.caller"]`, typed.

    Raises:
        RuntimeError: nothing protects this path.
    """
    caller = environ.get(CALLER)
    if not isinstance(caller, Caller):
        raise RuntimeError("this request has no Caller: put BearerAuthMiddleware above the application")
    return caller


def authorization_fields(environ: WSGIEnvironment) -> list[str]:
    """The request's Authorization fields. A server has joined several into one with commas, which no credential may hold."""
    value = environ.get("HTTP_AUTHORIZATION")
    return [] if value is None else [value]


def arguments_of(environ: WSGIEnvironment, *, request: object, certificate: CertificateReader | None) -> dict[str, Any]:
    """What `ResourceServer.authenticate` is given of a request beside the requirement.

    Args:
        environ: the WSGI environ, or Django's `META`.
        request: for a callable organization.
        certificate: the adapter's reader of certificates, or None.
    """
    return {
        "headers": authorization_fields(environ),
        "request": request,
        "route": route_of(environ),
        "head": Head(environ),
        "certificate": certificate,
    }


def route_of(environ: WSGIEnvironment) -> tuple[str, str]:
    """The method and the path of a request, for the log."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    with contextlib.suppress(UnicodeError):  # where it is no UTF-8, or text already
        path = path.encode("latin-1").decode()  # PEP 3333 shows the bytes of UTF-8 as Latin-1
    return environ.get("REQUEST_METHOD", ""), path


class Head:
    """The head of a request, read from its WSGI environ.

    Args:
        environ: the WSGI environ, or Django's `META`.
        path: the decoded path in UTF-8, if it is not `PATH_INFO`, which shows its bytes as Latin-1 (PEP 3333).
        raw_path: the path as it was sent, if the environ does not hold it. gunicorn, uWSGI, mod_wsgi and Werkzeug put it there.
    """

    __slots__ = ("_environ", "_path", "_raw_path")

    def __init__(self, environ: WSGIEnvironment, *, path: bytes | None = None, raw_path: bytes | None = None) -> None:
        self._environ = environ
        self._path = path
        self._raw_path = raw_path

    @property
    def method(self) -> str:
        """As sent."""
        method: str = self._environ["REQUEST_METHOD"]
        return method

    @property
    def path(self) -> dict[str, Any]:
        """The decoded path, and the path as it was sent."""
        path = self._path
        if path is None:
            path = self._environ.get("PATH_INFO", "").encode("latin-1", "replace")
        return {"path": path, "raw_path": _raw_path(self._environ) or self._raw_path}

    @property
    def fields(self) -> Iterable[tuple[str, str]]:
        """Names, with underscores, and values."""
        for name, value in self._environ.items():
            if name.startswith("HTTP_"):
                yield name[5:], value
            elif name == "CONTENT_LENGTH":
                yield name, value

    @property
    def query(self) -> str:
        """As sent."""
        query: str = self._environ.get("QUERY_STRING", "")
        return query

    @property
    def peer(self) -> str | None:
        """The server's `REMOTE_ADDR`, also where Werkzeug's ProxyFix put the client's in its place."""
        before: dict[str, str] = self._environ.get("werkzeug.proxy_fix.orig") or self._environ
        return before.get("REMOTE_ADDR")

    @property
    def script_name(self) -> bytes:
        """Where the application is mounted, which the server has taken off the decoded path."""
        name: str = self._environ.get("SCRIPT_NAME", "")
        return name.encode("latin-1", "replace")

    @property
    def notes(self) -> WSGIEnvironment:
        """What belongs to this request alone, for what must be remembered of it: a client names nothing in it but `HTTP_...`."""
        return self._environ

    @property
    def environ(self) -> WSGIEnvironment:
        """Itself, for what only a WSGI server knows."""
        return self._environ

    def asks_for(self, metadata: ResourceMetadata) -> bool:
        """Tell whether it asks for the API's metadata."""
        raw_path = _raw_path(self._environ) or self._raw_path
        return metadata.is_asked_for(self.method, self._environ.get("PATH_INFO", ""), raw_path=raw_path)


def _pass_preflight(app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    """Have the application answer a preflight that has no body; of its answer send the status and the fields, not the body."""
    started = False

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
        nonlocal started
        started = True
        kept = [field for field in headers if field[0].lower() not in ("content-length", "transfer-encoding")]
        if not status.startswith("204"):  # RFC 9110 section 8.6
            kept.append(("Content-Length", "0"))
        start_response(status, kept, exc_info)
        return lambda _: None

    answer = app({**environ, "wsgi.input": io.BytesIO()}, start)
    try:
        for _ in answer:  # a generator starts its answer when it is asked for the first chunk
            if started:
                break
    finally:
        getattr(answer, "close", lambda: None)()
    return []


def _send(answer: Answer, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    headers = [(name, value) for name, value in answer.headers.items() if name.lower() != "content-length"]
    headers.append(("Content-Length", str(len(answer.body))))  # an `on_error` may have given another body
    start_response(_STATUS_LINES.get(answer.status, f"{answer.status} Refused"), headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]


def _raw_path(environ: WSGIEnvironment) -> bytes | None:
    sent = environ.get("RAW_URI") or environ.get("REQUEST_URI")
    if sent is None:
        return None
    # Werkzeug's test client gives it as it was typed, and gunicorn passes on what a client forgot to encode
    return quote(sent.partition("?")[0].encode("latin-1", "replace"), safe=_ASCII_BUT_SPACE).encode()


def __dir__() -> list[str]:
    return sorted(__all__)

"""Access control of the page: it accepts requests to its own address, and POSTs of its own forms. It does not read other requests.

The check of Host prevents DNS rebinding. The checks of Origin and of the form token prevent cross-site request forgery. Every answer has
a strict Content-Security-Policy.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE_NAME = "m2mguard_dev"
FORM_TOKEN_FIELD = "form_token"  # noqa: S105  # the name of a field
MAX_BODY_BYTES = 256 * 1024
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with "no-referrer", browsers send the Origin "null" with a form of this page
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class AccessControl:
    """ASGI middleware in front of the page.

    Args:
        app: the page.
        hosts: the values of Host that are the page's own, such as "127.0.0.1:8630".
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or refuse it with 421 or 403."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *(one for one in more if one[0] not in given)]
            await send(message)

        refusal = self._check_request(Request(scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _check_request(self, request: Request) -> Response | None:
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return PlainTextResponse(
                "The Host is not the address of this page. Open the page under the address that was printed.\n", 421
            )
        if request.method in ("GET", "HEAD"):
            return None
        origins = request.headers.getlist("origin")
        if len(origins) != 1 or origins[0] not in {f"http://{host}" for host in self._hosts}:
            return PlainTextResponse("The form was sent by another page. Use this page itself.\n", 403)
        return None


class Sessions:
    """Binds each form to the browser that loaded it: a random session cookie, and a form token derived from it."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def get_session(self, request: Request) -> str:
        """Return the session of a request, or a new one."""
        return request.cookies.get(COOKIE_NAME) or secrets.token_urlsafe(24)

    def make_form_token(self, session: str) -> str:
        """Return the form token of a session."""
        return hmac.digest(self._secret, session.encode(), hashlib.sha256).hex()

    def set_cookie(self, response: Response, session: str) -> Response:
        """Set the session cookie: for this host only, SameSite=Strict, hidden from scripts."""
        response.set_cookie(COOKIE_NAME, session, httponly=True, samesite="strict", path="/")
        return response

    async def read_form(self, request: Request) -> dict[str, list[str]] | None:
        """Read the fields of a form; return None if it is not of this session, or too long."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return None
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)
        given = fields.get(FORM_TOKEN_FIELD, [""])[0]
        expected = self.make_form_token(self.get_session(request))
        return fields if hmac.compare_digest(given.encode(), expected.encode()) else None

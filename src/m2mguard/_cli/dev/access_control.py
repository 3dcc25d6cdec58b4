"""Who may use the page: requests to its own address, and POSTs of its own forms. Everything else is refused before it is read.

Host is compared, so that no other name can be pointed at this machine (DNS rebinding); Origin and a token of the session are compared, so
that no other page can send a form. Every answer has a strict Content-Security-Policy.
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

COOKIE = "m2mguard_dev"
FIELD = "form_token"
MAX_BODY_BYTES = 256 * 1024
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with "no-referrer" a form of this page would have the Origin "null"
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
        """Serve one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *(one for one in more if one[0] not in given)]
            await send(message)

        refusal = self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        hosts = request.headers.getlist("host")
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return PlainTextResponse(
                "This is another host's name. Open the page under the address that was printed.\n", 421
            )
        if request.method in ("GET", "HEAD"):
            return None
        origins = request.headers.getlist("origin")
        if len(origins) != 1 or origins[0] not in {f"http://{host}" for host in self._hosts}:
            return PlainTextResponse("This form is another page's. Use the page itself.\n", 403)
        return None


class Sessions:
    """Binds each form to the browser that got it: a random cookie, and a token in the form that is made from it."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def cookie_of(self, request: Request) -> str:
        """The session of a request, or a new one."""
        return request.cookies.get(COOKIE) or secrets.token_urlsafe(24)

    def token_for(self, session: str) -> str:
        """The token that a form of this session carries."""
        return hmac.digest(self._secret, session.encode(), hashlib.sha256).hex()

    def remember(self, response: Response, session: str) -> Response:
        """Set the session's cookie: sent to this host only, by this site's own pages only, hidden from scripts."""
        response.set_cookie(COOKIE, session, httponly=True, samesite="strict", path="/")
        return response

    async def form(self, request: Request) -> dict[str, list[str]] | None:
        """The fields of a form of this session; None where it is not, or is too long."""
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return None
        fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)
        given = fields.get(FIELD, [""])[0]
        expected = self.token_for(self.cookie_of(request))
        return fields if hmac.compare_digest(given.encode(), expected.encode()) else None

"""APIs for the plug-ins to call: they record requests and give prepared answers."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedRequest:
    """One request that the API received."""

    method: str
    path: str
    authorization: str | None
    body: bytes


@dataclass(slots=True, kw_only=True)
class Api:
    """An ASGI app: answers 200 with the request's body, 401 to rejected tokens, and configured redirects.

    Args:
        rejected: the tokens that get a 401.
        rejects_everything: whether every token gets a 401.
        redirects: from a path to (status, URL).
        before_answering: called with each received request.
    """

    rejected: set[str] = field(default_factory=set)
    rejects_everything: bool = False
    redirects: dict[str, tuple[int, str]] = field(default_factory=dict)
    before_answering: Callable[[ReceivedRequest], object] | None = None
    received: list[ReceivedRequest] = field(default_factory=list)

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        [authorization] = [value for name, value in scope["headers"] if name == b"authorization"] or [None]
        request = ReceivedRequest(
            method=scope["method"],
            path=scope["path"],
            authorization=None if authorization is None else authorization.decode(),
            body=body,
        )
        self.received.append(request)
        if self.before_answering is not None:
            self.before_answering(request)
        status, location = self.redirects.get(request.path, (self._status(request), None))
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        if location is not None:
            headers.append((b"location", location.encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _status(self, request: ReceivedRequest) -> int:
        token = (request.authorization or "").removeprefix("Bearer ")
        return 401 if self.rejects_everything or token in self.rejected else 200


class Entry:
    """An ASGI app that passes requests to its current API: the server runs for a module, an API for one test."""

    def __init__(self) -> None:
        self.api = Api()

    async def __call__(self, scope, receive, send) -> None:
        await self.api(scope, receive, send)

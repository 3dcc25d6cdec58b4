"""APIs for the plug-ins to call: what arrived is written down, what is answered is told beforehand. Served by `serve`."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """One request as the API saw it."""

    method: str
    path: str
    authorization: str | None
    body: bytes


@dataclass(slots=True, kw_only=True)
class Api:
    """An ASGI app. It answers 200 and the body it got, but 401 to rejected tokens, and redirects where it is told to.

    Args:
        rejected: tokens that get a 401; `everything`, all of them.
        redirects: path to status and URL.
        before_answering: called with each request that has arrived.
    """

    rejected: set[str] = field(default_factory=set)
    rejects_everything: bool = False
    redirects: dict[str, tuple[int, str]] = field(default_factory=dict)
    before_answering: Callable[[Arrived], object] | None = None
    arrived: list[Arrived] = field(default_factory=list)

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        [authorization] = [value for name, value in scope["headers"] if name == b"authorization"] or [None]
        one = Arrived(
            method=scope["method"],
            path=scope["path"],
            authorization=None if authorization is None else authorization.decode(),
            body=body,
        )
        self.arrived.append(one)
        if self.before_answering is not None:
            self.before_answering(one)
        status, location = self.redirects.get(one.path, (self._status(one), None))
        headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(body)).encode())]
        if location is not None:
            headers.append((b"location", location.encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _status(self, one: Arrived) -> int:
        token = (one.authorization or "").removeprefix("Bearer ")
        return 401 if self.rejects_everything or token in self.rejected else 200


class Entry:
    """An ASGI app that passes requests on to whichever API is behind it now: a server outlives a test, an API does not."""

    def __init__(self) -> None:
        self.api = Api()

    async def __call__(self, scope, receive, send) -> None:
        await self.api(scope, receive, send)

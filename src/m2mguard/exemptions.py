"""Which requests need no token: those to public paths (`paths` matches them), and CORS preflights. One policy for every adapter, yours too.

Pure: looks at the head of a request, and never at its Host.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, Literal, Protocol
from urllib.parse import unquote_plus

from m2mguard.errors import ConfigurationError
from m2mguard.paths import PublicPaths

__all__ = ["Exemptions", "RequestHead", "is_preflight", "may_run_as_another_method"]

_ASKED_METHOD: Final = "access-control-request-method"
# A browser sends a preflight without credentials and without a body (Fetch standard, section 4.8, CORS-preflight fetch).
_NEVER_SENT: Final = frozenset(("authorization", "proxy-authorization", "cookie", "transfer-encoding"))
_OVERRIDING_PARAMETER = re.compile(r"(?:^|[?&;\s])(?:_method|x-(?:http-)?method(?:-override)?)\b", re.IGNORECASE)


class RequestHead(Protocol):
    """The head of a request, as an adapter reads it. Each member may be computed when it is read.

    Attributes:
        method: as sent; of a WebSocket handshake `m2mguard.paths.WEBSOCKET`.
        path: the arguments of `PublicPaths.match` that say which path is asked for: `path`, and `root_path` and `raw_path` if known. Empty
            for what has no URL, such as a gRPC call.
        fields: names and values of the header fields, in any case; a WSGI environ's underscores count as hyphens.
        query: as sent, without the question mark.
        peer: the address of the other end of the connection, as the server tells it. None or empty: it has none, as a Unix socket.
    """

    @property
    def method(self) -> str: ...  # noqa: D102 - above
    @property
    def path(self) -> dict[str, Any]: ...  # noqa: D102
    @property
    def fields(self) -> Iterable[tuple[str, str]]: ...  # noqa: D102
    @property
    def query(self) -> str: ...  # noqa: D102
    @property
    def peer(self) -> str | None: ...  # noqa: D102


class Exemptions:
    """The requests that need no token. Immutable and safe to share between threads.

    Args:
        public: the public paths, as for `PublicPaths`; default none.
        preflight: "protect", the default: a preflight needs a token as any request does. "exempt": it needs none.

    Attributes:
        public: the public paths.
        preflights: whether preflights are exempt.

    Raises:
        ConfigurationError: an invalid argument.
    """

    __slots__ = ("preflights", "public")

    def __init__(self, *, public: Iterable[str] = (), preflight: Literal["protect", "exempt"] = "protect") -> None:
        if preflight not in ("protect", "exempt"):
            raise ConfigurationError('preflight must be "protect" or "exempt".')
        self.public: PublicPaths = PublicPaths(public)
        self.preflights: bool = preflight == "exempt"

    def is_public(self, head: RequestHead) -> bool:
        """Tell whether a request is to a public path. One that may run as another method needs an entry that opens every method."""
        if not self.public or not self.public.match(**head.path, method=head.method):
            return False
        return not may_run_as_another_method(head.fields, head.query) or self.public.match(**head.path)

    def is_exempt_preflight(self, head: RequestHead) -> bool:
        """Tell whether a request is a preflight and exempt. What it may reach without a token is for the adapter to limit."""
        return self.preflights and is_preflight(head.method, head.fields, head.query)


def is_preflight(method: str, fields: Iterable[tuple[str, str]], query: str) -> bool:
    """Tell a CORS preflight (Fetch standard, section 3.3.2): OPTIONS with an origin and the method that it asks for.

    A request that carries more than a browser sends is none: credentials, a body, or anything that makes it run as another method.
    Arguments as the attributes of `RequestHead`.
    """
    if method != "OPTIONS":
        return False
    sent = {name.lower().replace("_", "-"): value for name, value in fields if value}
    return (
        "origin" in sent
        and _ASKED_METHOD in sent
        and _NEVER_SENT.isdisjoint(sent)
        and sent.get("content-length", "0") == "0"
        and not may_run_as_another_method(sent.items(), query)
    )


def may_run_as_another_method(fields: Iterable[tuple[str, str]], query: str) -> bool:
    """Tell whether a request names another method for itself: in a field such as X-HTTP-Method-Override, or as `_method` in its query.

    A middleware below the adapter may follow that. A form's `_method` is not looked at, since it is in the body. Arguments as the
    attributes of `RequestHead`.
    """
    for name, value in fields:
        name = name.lower().replace("_", "-")
        if value and ("method" in name or "override" in name) and name != _ASKED_METHOD:
            return True
    return _OVERRIDING_PARAMETER.search(unquote_plus(query)) is not None


def __dir__() -> list[str]:
    return sorted(__all__)

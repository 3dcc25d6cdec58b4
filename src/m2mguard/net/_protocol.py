"""The one seam for HTTP: what a transport is asked, and what it answers. Types only; no socket, no library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from m2mguard._reasons.codes import TransportProblem


class TransportError(Exception):
    """The exchange brought no answer. A transport of your own may raise it with a message alone.

    Args:
        message: one sentence in your own words, fit for logs and health pages: no body, no credentials.
        code: the kind. Default "other".

    Attributes:
        code: what went wrong, for programs; the sentence may change, the code does not.

            * `name_not_resolved`: DNS does not know the host.
            * `no_connection`: every address of the host refused the connection, or none is reachable.
            * `connect_timeout`: no address of the host answered in time.
            * `timeout`: the answer was not complete in time.
            * `tls_expired`: a certificate has expired or is not valid yet.
            * `tls_name`: the certificate is for another host name or address.
            * `tls_unknown_ca`: the certificate is not from a trusted authority; also if it is self-signed.
            * `tls_strict`: a certificate breaks a format rule of RFC 5280, which Python 3.13 and newer check.
            * `tls`: any other failure of TLS.
            * `proxy`: the proxy is not reachable, refused, or its setting is invalid.
            * `too_long`: the answer is longer than allowed.
            * `refused_target`: this URL or address is never asked, such as plain http or a metadata service.
            * `broken`: the exchange ended early, or the answer is not valid HTTP.
            * `other`: a transport from outside said no more.
    """

    code: TransportProblem = "other"  # also of a subclass that does not call this class's __init__

    def __init__(self, message: str = "", *, code: TransportProblem = "other") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer: `status`, `headers` with lower-case names, and the decoded `body`, which the repr leaves out."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


class Transport(Protocol):
    """The one seam for HTTP: anything of this shape will do. Called on a thread of its own, so it may block."""

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, max_bytes: int
    ) -> Response:
        """Make one exchange, following no redirect.

        Args:
            method: the HTTP method.
            url: an absolute URL.
            headers: the request's header fields.
            body: the request's body, or None.
            timeout_s: seconds for everything, from the name look-up to the last byte.
            max_bytes: the longest body, decoded, that may be returned.

        Raises:
            Exception: any, if there is no answer. It counts as a failed fetch; only a `TransportError`'s message is reported.
        """
        ...

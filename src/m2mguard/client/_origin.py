"""Where a token may be sent: to one API's origin, over https or loopback, and nowhere else. The rule of all HTTP plug-ins.

A redirect, or a client that is used for another host as well, thus never carries the token away. Pure.
"""

from __future__ import annotations

from m2mguard._validation import endpoint_url, origin_of

_DEFAULT_PORTS = {"https": 443, "http": 80}


class Origin:
    """The origin of one API (RFC 6454 section 4).

    Args:
        api_url: a URL of the API; https, or http on loopback. Its path does not count.

    Raises:
        ConfigurationError: no such URL.
    """

    __slots__ = ("_origin",)

    def __init__(self, api_url: str) -> None:
        endpoint_url("api_url", api_url)
        self._origin = origin_of(api_url)

    def matches(self, scheme: str, host: str | None, port: int | None) -> bool:
        """Tell whether a request goes there. Give the ASCII form of the host, without brackets."""
        return (scheme, (host or "").lower(), port or _DEFAULT_PORTS.get(scheme)) == self._origin

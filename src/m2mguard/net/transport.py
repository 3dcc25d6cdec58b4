"""The default transport. Importing it loads no HTTP library; what it does with one stands in `exchange`."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

from m2mguard._version import __version__
from m2mguard.errors import ConfigurationError
from m2mguard.net.protocol import Response


class HttpTransport:
    """The default transport. Safe to share between threads; every exchange has a connection of its own.

    Proxies are taken from the environment (`HTTPS_PROXY`, `NO_PROXY`), but never for loopback. The system's resolver knows no
    deadline: a name look-up that hangs is given up by whoever waits for the exchange, not by the exchange.

    Args:
        ca_file: a PEM file of certification authorities to trust instead of the system's. Default None.
        connect_timeout: seconds for each connection, default 2.

    Raises:
        ConfigurationError: the CA file cannot be read.
    """

    def __init__(self, ca_file: str | None = None, *, connect_timeout: float = 2.0) -> None:
        try:
            self._tls = ssl.create_default_context(cafile=ca_file)
        except (OSError, ValueError):
            raise ConfigurationError(
                "ca_file cannot be read as PEM certificates; check the path and the file."
            ) from None
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._connect_timeout_s = connect_timeout

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, max_bytes: int
    ) -> Response:
        """Make one exchange. Blocks for at most `timeout_s` seconds, the name look-up excepted.

        Raises:
            TransportError: no connection, no valid certificate, no complete answer in time, or one that is too long.
        """
        from m2mguard.net.exchange import (
            exchange,  # urllib3 opens a socket when it is imported, so not before the first use
        )

        return exchange(
            method,
            url,
            headers={"User-Agent": f"m2mguard/{__version__}", "Accept-Encoding": "gzip", **headers},
            body=body,
            timeout_s=timeout_s,
            connect_timeout_s=self._connect_timeout_s,
            max_bytes=max_bytes,
            tls=self._tls,
        )

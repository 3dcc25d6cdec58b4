"""The transport of a pod that asks its own cluster's API server for keys. Sends a credential, and to one origin only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from m2mguard._validation import origin_of, secure_url
from m2mguard.errors import ConfigurationError
from m2mguard.net._credential_files import FilePath, UnreadableFile, read_credential_file
from m2mguard.net._protocol import Response, Transport, TransportError
from m2mguard.net._transport import HttpTransport, private_authority_transport, transport_for

_MAX_TOKEN_BYTES = 65_536
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")  # RFC 6750 section 2.1


class InClusterTransport:
    """Asks the API server of the cluster that this process runs in, as its own service account. Safe to share between threads.

    A request to the API server carries the service account's token, and trusts the cluster's authority only. Both files are read at
    each request, since Kubernetes replaces them while a pod runs. A request to any other origin is made by `others`, without the token.
    Every service account may read the key set, unless an operator took that right away (`system:service-account-issuer-discovery`).

    Of the cluster's certificates chain, name and time are checked, and the stricter rules of form not that Python 3.13 and newer add:
    some clusters' certificates break them.

    Args:
        api_server: the origin of the API server, by https. Default "https://kubernetes.default.svc".
        token_file: the token to send. Default: where Kubernetes mounts it into a pod.
        ca_file: the cluster's authority, in PEM. Default: where Kubernetes mounts it into a pod.
        others: makes all other requests. Default `HttpTransport()`.

    Raises:
        ConfigurationError: not an https origin, or a file that cannot be read: probably not in a pod, or in one without a mounted token.
    """

    def __init__(
        self,
        *,
        api_server: str = "https://kubernetes.default.svc",
        token_file: FilePath = "/var/run/secrets/kubernetes.io/serviceaccount/token",  # noqa: S107 - a path
        ca_file: FilePath = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
        others: Transport | None = None,
    ) -> None:
        parts = secure_url("api_server", api_server)
        if parts.scheme != "https" or parts.path not in ("", "/") or parts.query:
            raise ConfigurationError("api_server must be an https origin, such as https://kubernetes.default.svc.")
        self._origin = origin_of(api_server)
        self._token_file, self._ca_file = Path(token_file), str(Path(ca_file))
        self._others = transport_for(others)
        try:
            self._token()
        except TransportError as error:
            raise ConfigurationError(f"token_file: {error}. Is this a pod with a service account?") from None
        private_authority_transport(self._ca_file)

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes | None, timeout_s: float, max_bytes: int
    ) -> Response:
        """Make one exchange, as `HttpTransport.request`.

        Raises:
            TransportError: as there, or one of the two files cannot be read.
        """
        transport: Transport = self._others
        if origin_of(url) == self._origin:
            headers = {**headers, "Authorization": f"Bearer {self._token()}"}
            transport = self._to_api_server()
        return transport.request(method, url, headers=headers, body=body, timeout_s=timeout_s, max_bytes=max_bytes)

    def _to_api_server(self) -> HttpTransport:
        try:
            return private_authority_transport(self._ca_file)
        except ConfigurationError:
            raise TransportError("the file with the cluster's authority cannot be read", code="tls") from None

    def _token(self) -> str:
        try:
            token = read_credential_file(self._token_file, max_bytes=_MAX_TOKEN_BYTES).strip()
        except UnreadableFile as error:
            raise TransportError(f"there is no service account's token: {error}") from None
        if not _TOKEN.fullmatch(token):
            raise TransportError("the file with the service account's token holds no token")
        return token.decode("ascii")

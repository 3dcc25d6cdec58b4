"""For gRPC: call credentials that carry a source's token. gRPC itself sends them over secure channels only.

gRPC glue only; `TokenSource` decides which token to send. A refused call is not repeated, and its token not replaced: call
credentials see no answer. If a call ends with UNAUTHENTICATED, report it: `source.reject(token)`.
"""

from __future__ import annotations

from m2mguard.client._errors import TokenRequestError
from m2mguard.client._token_source import TokenSource
from m2mguard.errors import ConfigurationError

try:
    import grpc
except ImportError as _missing:
    raise ImportError('m2mguard.client.grpc needs grpcio: pip install "m2mguard[grpc]"') from _missing

__all__ = ["TokenPlugin", "call_credentials"]


class TokenPlugin(grpc.AuthMetadataPlugin):
    """Puts a source's token into the `authorization` metadata of each call. gRPC runs it on a thread of its own, where it may block.

    Where there is no token, the call fails without being sent; its details say why.

    Args:
        source: gives the tokens; without a `DpopKey`, since a call has no URL that a proof could name.

    Raises:
        ConfigurationError: the source has a `DpopKey`.
    """

    def __init__(self, source: TokenSource) -> None:
        if source.uses_dpop:
            raise ConfigurationError("DPoP is for HTTP requests: give gRPC a TokenSource without dpop=.")
        self._source = source

    def __call__(self, _context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        """What gRPC runs before each call."""
        try:
            token = self._source.token()
        except TokenRequestError as error:
            callback((), error)
        else:
            callback((("authorization", token.authorization),), None)


def call_credentials(source: TokenSource) -> grpc.CallCredentials:
    """Call credentials for `grpc.composite_channel_credentials` or a call's `credentials`, sync and `grpc.aio` alike.

    A channel goes to one target; use them with the API that the source's token is for.

    Args:
        source: gives the tokens.
    """
    return grpc.metadata_call_credentials(TokenPlugin(source), name="m2mguard")


def __dir__() -> list[str]:
    return sorted(__all__)

"""For aiohttp: `ClientSession(middlewares=[TokenMiddleware(source, "https://shopping.example")])`.

aiohttp glue only: `TokenSource` decides which token to send and whether to retry.
"""

from __future__ import annotations

from m2mguard.client._access_token import AccessToken
from m2mguard.client._origin import Origin
from m2mguard.client._token_source import TokenSource

try:
    from aiohttp import ClientHandlerType, ClientRequest, ClientResponse
except ImportError as _missing:
    raise ImportError('m2mguard.client.aiohttp needs aiohttp: pip install "m2mguard[aiohttp]"') from _missing

__all__ = ["TokenMiddleware"]


class TokenMiddleware:
    """Sends a source's token with every request to one API, and to no other origin. Safe to share between sessions.

    After a 401 the request is sent once more with another token, if `TokenSource.areplace` has one and the body can be sent again
    (not an iterator). If it cannot, the 401 is given back at once, and the token is replaced for the next request. A token that was
    set otherwise, such as the caller's, is replaced. Without a token, the request raises `TokenRequestError` and is not sent.

    Args:
        source: gives the tokens; waiting for it awaits.
        api_url: the API's URL; the token goes to its origin only, since aiohttp runs its middlewares on redirects, too. https, or
            http on loopback.

    Raises:
        ConfigurationError: api_url is no such URL.
    """

    def __init__(self, source: TokenSource, api_url: str) -> None:
        self._source = source
        self._origin = Origin(api_url)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """What aiohttp runs around each exchange."""
        if not self._origin.matches(request.url.scheme, request.url.raw_host, request.url.port):
            return await handler(request)
        token = await self._source.atoken()
        response = await self._send(token, request, handler)
        is_asked = self._asks_for_nonce(response)
        if response.status != 401:
            return response
        if request.body and request.body.consumed:
            self._source.reject(token)
            return response
        if is_asked:
            response.release()
            response = await self._send(token, request, handler)
            self._asks_for_nonce(response)
            if response.status != 401:
                return response
        another = await self._source.areplace(token)
        if another is None:
            return response
        response.release()
        return await self._send(another, request, handler)

    async def _send(self, token: AccessToken, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        request.headers.update(self._source.request_fields(token, request.method, str(request.url)))
        return await handler(request)

    def _asks_for_nonce(self, response: ClientResponse) -> bool:
        return self._source.asks_for_nonce(
            str(response.url),
            response.status,
            challenge=", ".join(response.headers.getall("WWW-Authenticate", [])),
            nonce=response.headers.get("DPoP-Nonce"),
        )


def __dir__() -> list[str]:
    return sorted(__all__)

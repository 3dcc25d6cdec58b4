"""For httpx2: `Client(auth=TokenAuth(source, "https://shopping.example"))`, and the same for `AsyncClient`.

httpx2 glue only: `TokenSource` decides which token to send and whether to retry.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

from m2mguard.client._access_token import AccessToken
from m2mguard.client._origin import Origin
from m2mguard.client._token_source import TokenSource

try:
    import httpx2
except ImportError as _missing:
    raise ImportError('m2mguard.client.httpx2 needs httpx2: pip install "m2mguard[httpx2]"') from _missing

__all__ = ["TokenAuth"]

_FIELDS_ARE_SENT = ".send_request_headers.complete"  # the `trace` extension, of HTTP/1.1 and HTTP/2
_MOST_PROOFS = 3  # for a nonce, for a redirect, and for a nonce after that


class TokenAuth(httpx2.Auth):
    """Sends a source's token with every request to one API, and to no other origin. Safe to share between clients.

    After a 401 the request is sent once more with another token, if `TokenSource.replace` has one and the body can be sent again
    (bytes, text, a form, JSON or nothing; not an iterator or a file). If it cannot, the 401 is given back at once, and the token is
    replaced for the next request. A token that was set otherwise, such as the caller's, is replaced.
    Without a token, the request raises `TokenRequestError` and is not sent.

    Args:
        source: gives the tokens. A `Client` waits for it by blocking, an `AsyncClient` by awaiting.
        api_url: the API's URL; the token goes to its origin only. https, or http on loopback.

    Raises:
        ConfigurationError: api_url is no such URL.
    """

    def __init__(self, source: TokenSource, api_url: str) -> None:
        self._source = source
        self._origin = Origin(api_url)

    def sync_auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """What httpx2's `Client` runs."""
        if not self._is_ours(request):
            yield request
            return
        token = self._source.token()
        response = yield self._with(token, request, _forgetting)
        for _ in range(_MOST_PROOFS):
            again = self._with_new_proof(request, response, token, _forgetting)
            if again is None:
                break
            response = yield again
        if not _rejects(response, token):
            return
        if not _may_be_repeated(request, response):
            self._source.reject(token)
            return
        another = self._source.replace(token)
        if another is not None:
            yield self._with(another, request, _forgetting)

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """What httpx2's `AsyncClient` runs."""
        if not self._is_ours(request):
            yield request
            return
        token = await self._source.atoken()
        response = yield self._with(token, request, _aforgetting)
        for _ in range(_MOST_PROOFS):
            again = self._with_new_proof(request, response, token, _aforgetting)
            if again is None:
                break
            response = yield again
        if not _rejects(response, token):
            return
        if not _may_be_repeated(request, response):
            self._source.reject(token)
            return
        another = await self._source.areplace(token)
        if another is not None:
            yield self._with(another, request, _aforgetting)

    def _is_ours(self, request: httpx2.Request) -> bool:
        return self._origin.matches(request.url.scheme, request.url.raw_host.decode("ascii"), request.url.port)

    def _with(
        self, token: AccessToken, request: httpx2.Request, forgetting: Callable[[httpx2.Request], object]
    ) -> httpx2.Request:
        fields = self._source.request_fields(token, request.method, str(request.url))
        request.headers.update(fields)
        if "DPoP" in fields:
            request.extensions = {**request.extensions, "trace": forgetting(request)}
        return request

    def _with_new_proof(
        self,
        request: httpx2.Request,
        response: httpx2.Response,
        token: AccessToken,
        forgetting: Callable[[httpx2.Request], object],
    ) -> httpx2.Request | None:
        """The request to send once more with the same token and another DPoP proof, or None.

        The API asks for a nonce; or httpx2 has followed a redirect, with the fields of the request before, which had its own proof.
        """
        sent = response.request
        url, fields = str(sent.url), response.headers
        challenge, nonce = fields.get("WWW-Authenticate"), fields.get("DPoP-Nonce")
        if not self._is_ours(sent):
            return None
        is_asked = self._source.asks_for_nonce(url, response.status_code, challenge=challenge, nonce=nonce)
        has_old_proof = sent is not request and token.token_type == "DPoP"  # noqa: S105 - no password
        if not _rejects(response, token) or not (is_asked or has_old_proof):
            return None
        return self._with(token, sent, forgetting) if isinstance(sent.stream, httpx2.ByteStream) else None


def _forgetting(request: httpx2.Request) -> Callable[[str, dict[str, Any]], None]:
    """Removes the proof from a request once its fields are sent: what follows a redirect, maybe to another origin, begins as a copy."""
    before = request.extensions.get("trace")

    def trace(name: str, info: dict[str, Any]) -> None:
        if name.endswith(_FIELDS_ARE_SENT):
            request.headers.pop("DPoP", None)
        if before is not None:
            before(name, info)

    return trace


def _aforgetting(request: httpx2.Request) -> Callable[[str, dict[str, Any]], Awaitable[None]]:
    """As `_forgetting`, for an `AsyncClient`."""
    before = request.extensions.get("trace")

    async def trace(name: str, info: dict[str, Any]) -> None:
        if name.endswith(_FIELDS_ARE_SENT):
            request.headers.pop("DPoP", None)
        if before is not None:
            await before(name, info)

    return trace


def _rejects(response: httpx2.Response, token: AccessToken) -> bool:
    """Whether this is a 401 to our token: a redirect to another origin does not carry it."""
    return response.status_code == 401 and response.request.headers.get("Authorization") == token.authorization


def _may_be_repeated(request: httpx2.Request, response: httpx2.Response) -> bool:
    """After a redirect the answer is another request's: then the first one was accepted, and must not be repeated."""
    return response.request is request and isinstance(request.stream, httpx2.ByteStream)


def __dir__() -> list[str]:
    return sorted(__all__)

"""For requests: `session.auth = TokenAuth(source, "https://shopping.example")`.

requests glue only: `TokenSource` decides which token to send and whether to retry.
"""

from __future__ import annotations

import functools
from typing import Any
from urllib.parse import urlsplit

from m2mguard.client._access_token import AccessToken
from m2mguard.client._origin import Origin
from m2mguard.client._token_source import TokenSource

try:
    import requests
    from requests.auth import AuthBase
except ImportError as _missing:
    raise ImportError('m2mguard.client.requests needs requests: pip install "m2mguard[requests]"') from _missing

__all__ = ["TokenAuth"]


class TokenAuth(AuthBase):
    """Sends a source's token with every request to one API, and to no other origin. Safe to share between sessions and threads.

    After a 401 the request is sent once more with another token, if `TokenSource.replace` has one and the body can be sent again
    (bytes, text, a form, JSON or nothing; not an iterator or a file). If it cannot, the 401 is given back at once, and the token is
    replaced for the next request. A token that was set otherwise, such as the caller's, is replaced.
    Without a token, the request raises `TokenRequestError` and is not sent.

    Args:
        source: gives the tokens; waiting for it blocks the thread, as requests itself does.
        api_url: the API's URL; the token goes to its origin only. https, or http on loopback.

    Raises:
        ConfigurationError: api_url is no such URL.
    """

    def __init__(self, source: TokenSource, api_url: str) -> None:
        self._source = source
        self._origin = Origin(api_url)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """What requests runs on a request before it is sent."""
        if self._is_ours(request):
            token = self._source.token()
            self._put(token, request)
            request.hooks["response"].append(functools.partial(self._answered, token))
        return request

    def _answered(self, token: AccessToken, response: requests.Response, **how: Any) -> requests.Response:
        """What requests runs on each answer, a redirect's and the one it leads to as well. `how` is how it was sent."""
        request = response.request
        answer = self._repeated(token, response, how)
        if answer.is_redirect:  # the next request begins as a copy of this one, and must not have its proof
            request.headers.pop("DPoP", None)
        return answer

    def _repeated(self, token: AccessToken, response: requests.Response, how: dict[str, Any]) -> requests.Response:
        request = response.request
        # a redirect elsewhere does not carry our token
        sent_ours = request.headers.get("Authorization") == token.authorization and self._is_ours(request)
        asks_for_nonce = sent_ours and self._asks_for_nonce(response)
        if response.status_code != 401 or not sent_ours:
            return response
        if not isinstance(request.body, bytes | str | None):
            self._source.reject(token)
            return response
        was_redirected = token.token_type == "DPoP" and "DPoP" not in request.headers  # noqa: S105 - no password
        for _ in range(1 + was_redirected):
            if not (asks_for_nonce or was_redirected):
                break
            response = self._once_more(token, response, how)
            asks_for_nonce, was_redirected = self._asks_for_nonce(response), False
            if response.status_code != 401:
                return response
        another = self._source.replace(token)
        return response if another is None else self._once_more(another, response, how)

    def _once_more(self, token: AccessToken, response: requests.Response, how: dict[str, Any]) -> requests.Response:
        _ = response.content  # to its end, so that the connection can be used again
        repeated = response.request.copy()
        self._put(token, repeated)
        answer = response.connection.send(repeated, **how)
        answer.history.append(response)
        return answer

    def _put(self, token: AccessToken, request: requests.PreparedRequest) -> None:
        request.headers.update(self._source.request_fields(token, request.method or "GET", request.url or ""))

    def _asks_for_nonce(self, response: requests.Response) -> bool:
        fields = response.headers
        return self._source.asks_for_nonce(
            response.request.url or "",
            response.status_code,
            challenge=fields.get("WWW-Authenticate"),
            nonce=fields.get("DPoP-Nonce"),
        )

    def _is_ours(self, request: requests.PreparedRequest) -> bool:
        url = urlsplit(request.url or "")
        return self._origin.matches(url.scheme, url.hostname, url.port)


def __dir__() -> list[str]:
    return sorted(__all__)

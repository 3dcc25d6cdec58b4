"""Opaque tokens of a local issuer, and what it says of them (RFC 7662 section 2.2), signed if that is asked for (RFC 9701 section 5).

Knows members and signatures; nothing of who may ask.
"""

from collections.abc import Mapping, Sequence

from m2mguard.testing._messages import Reply, Request
from m2mguard.testing._metadata_documents import json_reply
from m2mguard.testing._minting import REMOVED, TokenMint

SIGNED = "application/token-introspection+jwt"


class OpaqueTokens:
    """The opaque tokens that an issuer has given. Any thread may call any method.

    Args:
        mint: gives the time, the issuer's name and the signature.
    """

    def __init__(self, mint: TokenMint) -> None:
        self._mint = mint
        self._members: dict[str, dict[str, object]] = {}

    def add(
        self,
        token: str,
        app_id: str,
        *,
        audience: str | list[str],
        scope: str,
        user_id: str | None,
        lifetime: float | None,
        claims: Mapping[str, object],
    ) -> None:
        """Remember a token. A machine's answer has no `sub`, as with oidc-provider."""
        now = int(self._mint.clock() + self._mint.clock_error)
        members: dict[str, object] = {
            "iss": self._mint.url,
            "aud": audience,
            "client_id": app_id,
            "token_type": "Bearer",
            "iat": now,
            "exp": now + (self._mint.token_lifetime if lifetime is None else lifetime),
            **({"scope": scope} if scope else {}),
            **({} if user_id is None else {"sub": user_id, "username": user_id}),
            **claims,
        }
        self._members[token] = {name: value for name, value in members.items() if value is not REMOVED}

    def revoke(self, token: str) -> None:
        """End a token: from now on it is not active."""
        self._members.pop(token, None)

    def answer(self, app_id: str, form: Mapping[str, Sequence[str]], request: Request) -> Reply:
        """What is said of the token in the form to the application that asks."""
        [token] = form.get("token", [""])
        now = int(self._mint.clock() + self._mint.clock_error)
        members = self._members.get(token)
        expires_at = None if members is None else members.get("exp")
        is_over = type(expires_at) in (int, float) and now >= expires_at  # type: ignore[operator]
        document = {"active": False} if members is None or is_over else {"active": True, **members}
        if request.headers.get("accept") != SIGNED:
            return json_reply(200, document, {"Cache-Control": "no-store"})
        key = self._mint.current_key
        header = {"alg": key.algorithm, "typ": "token-introspection+jwt", "kid": key.kid}
        claims = {"iss": self._mint.url, "aud": app_id, "iat": now, "token_introspection": document}
        body = key.sign_compact(header, claims).encode()
        return Reply(status=200, headers={"Content-Type": SIGNED, "Cache-Control": "no-store"}, body=body)

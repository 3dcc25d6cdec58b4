"""What every page in docs/migrate tells of its library: the same situations, put to the real one and to m2mguard."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from m2mguard.testing import REMOVED, LocalIssuer

SCOPES = ["read:orders"]
INVENTED = 20
Verify = Callable[[str], Any]
Make = Callable[[LocalIssuer], Verify]


def outcome(verify: Verify, token: str) -> str:
    """`accepted`; a status; or the name of what was raised. A verifier that returns None or False has refused."""
    try:
        result = verify(token)
        if inspect.isawaitable(result):
            result = asyncio.run(_awaited(result))
    except Exception as error:  # noqa: BLE001  # of any library
        status = getattr(error, "status", None) or getattr(error, "status_code", None)
        return str(status) if isinstance(status, int) else f"`{type(error).__name__}`"
    if isinstance(result, int) and not isinstance(result, bool):
        return "accepted" if result == 200 else str(result)
    return "accepted" if result else "refused"


async def _awaited(result: Any) -> Any:
    return await result


def _of(**options: Any) -> Callable[[Make, LocalIssuer], str]:
    def run(make: Make, issuer: LocalIssuer) -> str:
        return outcome(make(issuer), issuer.mint(**{"scopes": SCOPES, **options}))

    return run


def _person(make: Make, issuer: LocalIssuer) -> str:
    return outcome(make(issuer), issuer.mint_user_token(scopes=SCOPES))


def _id_token(make: Make, issuer: LocalIssuer) -> str:
    return outcome(make(issuer), issuer.mint_id_token())


def _rotation(make: Make, issuer: LocalIssuer) -> str:
    verify = make(issuer)
    outcome(verify, issuer.mint(scopes=SCOPES))
    issuer.rotate()
    return outcome(verify, issuer.mint(scopes=SCOPES))


def _down_known(make: Make, issuer: LocalIssuer) -> str:
    verify, token = make(issuer), issuer.mint(scopes=SCOPES)
    outcome(verify, token)
    issuer.stop()
    return outcome(verify, issuer.mint(scopes=SCOPES))


def _down_unknown(make: Make, issuer: LocalIssuer) -> str:
    verify = make(issuer)
    issuer.stop()
    return outcome(verify, issuer.mint(scopes=SCOPES))


def _invented(make: Make, issuer: LocalIssuer) -> str:
    verify = make(issuer)
    outcome(verify, issuer.mint(scopes=SCOPES))
    issuer.reset_counts()
    for number in range(INVENTED):
        outcome(verify, issuer.mint(scopes=SCOPES, header={"kid": f"invented-{number}"}))
    return str(issuer.count())


SITUATIONS: Mapping[str, Callable[[Make, LocalIssuer], str]] = MappingProxyType(
    {
        "a good token with the scope": _of(),
        "a token without the scope": _of(scopes=[]),
        "a person's token with the scope": _person,
        "a token that is limited to one organization": _of(organization_id="org-blue"),
        "a token for another API": _of(audience="https://stock.api"),
        "an ID token": _id_token,
        "a token that never expires (no `exp`)": _of(exp=REMOVED),
        "the first token after the issuer has rotated its key": _rotation,
        "the issuer is down, its key is known": _down_known,
        "the issuer is down, no key is known yet": _down_unknown,
        "requests to the issuer for 20 invented key ids": _invented,
    }
)

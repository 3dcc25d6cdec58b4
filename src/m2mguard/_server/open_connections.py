"""What adapters share that end a long connection with its token: how often they look, and what counts as a refusal by then. Pure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from m2mguard.errors import AuthError

LONGEST_SLEEP_S: Final = 15.0
"""How long it takes at most until a withdrawn key, or a clock that was moved, is noticed."""


def is_still_accepted(authenticate: Callable[[], object]) -> bool:
    """Tell whether an open connection would still be let in.

    Only a refusal says no. An outage of the issuer, or what a callable organization raises, says nothing about the token.

    Args:
        authenticate: authenticates the connection again, as at its beginning.
    """
    try:
        authenticate()
    except AuthError:
        return False
    except Exception:  # noqa: BLE001 - see above
        return True
    return True


async def ais_still_accepted(authenticate: Callable[[], Awaitable[object]]) -> bool:
    """As `is_still_accepted`, awaiting instead of blocking."""
    try:
        await authenticate()
    except AuthError:
        return False
    except Exception:  # noqa: BLE001 - as above
        return True
    return True

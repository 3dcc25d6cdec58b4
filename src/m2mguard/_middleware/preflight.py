"""Which requests are CORS preflights as browsers send them, and which may run as another method. Pure: looks at a request's head."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_plus

_ASKED_METHOD: Final = "access-control-request-method"
# A browser sends a preflight without credentials and without a body (Fetch standard, section 4.8, CORS-preflight fetch).
_NEVER_SENT: Final = frozenset(("authorization", "proxy-authorization", "cookie", "transfer-encoding"))
_OVERRIDING_PARAMETER = re.compile(r"(?:^|[?&;\s])(?:_method|x-(?:http-)?method(?:-override)?)\b", re.IGNORECASE)


def is_preflight(method: str, fields: Iterable[tuple[str, str]], query: str) -> bool:
    """Tell a CORS preflight (Fetch standard, section 3.3.2): OPTIONS with an origin and the method that it asks for.

    What carries more than a browser sends is none: credentials, a body, or anything that makes it run as another method.

    Args:
        method: as sent.
        fields: names and values, in any case; a WSGI environ's underscores count as hyphens.
        query: as sent, without the question mark.
    """
    if method != "OPTIONS":
        return False
    sent = {name.lower().replace("_", "-"): value for name, value in fields if value}
    return (
        "origin" in sent
        and _ASKED_METHOD in sent
        and _NEVER_SENT.isdisjoint(sent)
        and sent.get("content-length", "0") == "0"
        and not may_run_as_another_method(sent.items(), query)
    )


def may_run_as_another_method(fields: Iterable[tuple[str, str]], query: str) -> bool:
    """Tell whether a request names another method for itself: in a field such as X-HTTP-Method-Override, or as `_method` in its query.

    A middleware below the adapter may follow that. A form's `_method` is not looked at, since it is in the body. Arguments as for
    `is_preflight`.
    """
    for name, value in fields:
        name = name.lower().replace("_", "-")
        if value and ("method" in name or "override" in name) and name != _ASKED_METHOD:
            return True
    return _OVERRIDING_PARAMETER.search(unquote_plus(query)) is not None

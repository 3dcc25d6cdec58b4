"""How long a server asks its clients to wait: the `Retry-After` field, in seconds or as a date (RFC 9110 section 10.2.3). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import mktime_tz, parsedate_tz

MAX_RETRY_AFTER_S = 300.0
_SECONDS = re.compile(r"[0-9]{1,60}(\.[0-9]{1,60})?")
_LONGEST_DATE = 64  # characters; the longest of the three forms has 33


def retry_after_s(headers: Mapping[str, str], *, now_s: float, most_s: float = MAX_RETRY_AFTER_S) -> float:
    """Return the seconds to wait before the next request, from 0 to `most_s`; 0 if the answer does not say or is not understood.

    A date counts from the answer's own `Date`, so that the server's clock may be wrong; without one, from `now_s`.

    Args:
        headers: the answer's header fields, with lower-case names.
        now_s: seconds since the epoch by our own wall clock.
        most_s: the longest wait that is honoured, in seconds; default 300.
    """
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return min(most_s, float(value))
    until = http_date_s(value)
    if until is None:
        return 0.0
    since = http_date_s(headers.get("date", "").strip())
    return min(most_s, max(0.0, until - (now_s if since is None else since)))


def http_date_s(date: str) -> float | None:
    """Read an HTTP date in any of the three forms of RFC 9110 section 5.6.7, as seconds since the epoch; None if it is none."""
    if len(date) > _LONGEST_DATE:
        return None
    try:
        fields = parsedate_tz(date)
        return None if fields is None else float(mktime_tz(fields))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

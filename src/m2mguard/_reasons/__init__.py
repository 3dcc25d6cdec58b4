"""The one table of reasons: what each code means, what usually causes it, and what to do.

Log, events, command line and documentation print from it. It is data; nothing is imported here but its own rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from m2mguard._reasons.access import ACCESS
from m2mguard._reasons.credentials import CREDENTIALS
from m2mguard._reasons.dpop import DPOP
from m2mguard._reasons.entry import Entry
from m2mguard._reasons.event_names import EVENT_NAMES
from m2mguard._reasons.fetching import FETCH_PROBLEMS as _OF_FETCHES
from m2mguard._reasons.introspecting import INTROSPECTION_PROBLEMS
from m2mguard._reasons.keys import KEYS
from m2mguard._reasons.token_requests import TOKEN_REQUESTS
from m2mguard._reasons.tokens import TOKENS

__all__ = ["EVENT_NAMES", "FETCH_PROBLEMS", "INTROSPECTION_PROBLEMS", "REFUSALS", "TOKEN_REQUESTS", "Entry"]

FETCH_PROBLEMS: Mapping[str, Entry] = MappingProxyType({**_OF_FETCHES, **INTROSPECTION_PROBLEMS})
"""Each `FetchProblem`."""

REFUSALS: Mapping[str, Entry] = MappingProxyType({**CREDENTIALS, **TOKENS, **DPOP, **ACCESS, **KEYS})
"""Each `reason` of an error that has an answer, in the order in which a request is checked."""

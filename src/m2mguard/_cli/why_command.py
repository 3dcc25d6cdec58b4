"""`m2mguard why`: prints one entry of the table of reasons, the codes of a status, or all codes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, get_args

from m2mguard._cli.output import Output
from m2mguard._reasons import EVENT_NAMES, INTROSPECTION_PROBLEMS, REFUSALS, TOKEN_REQUESTS, Entry
from m2mguard._reasons.codes import (
    InsufficientScopeReason,
    InsufficientUserAuthenticationReason,
    InvalidRequestReason,
    InvalidTokenReason,
)
from m2mguard._reasons.fetching import FETCH_PROBLEMS

_ERROR_CODES: Mapping[str, Any] = {
    "invalid_request": InvalidRequestReason,
    "invalid_token": InvalidTokenReason,
    "insufficient_user_authentication": InsufficientUserAuthenticationReason,
    "insufficient_scope": InsufficientScopeReason,
}
_NEXT = "`m2mguard why CODE` explains one code."
PARTS = (
    ("400, 401, 403, 503: why a request was refused", REFUSALS, "Codes of `error.reason`, in the order in which a request is checked."),
    (
        "Why an issuer's keys could not be fetched",
        FETCH_PROBLEMS,
        "Codes of `problem` in `KeysUnavailable`, in the event `RefreshFailed` and in `health()`.",
    ),
    (
        "Why an issuer could not be asked about an opaque token",
        INTROSPECTION_PROBLEMS,
        "Codes of `problem` in `KeysUnavailable`, in the event `IntrospectionFailed` and in `health()`, beside those above.",
    ),
    (
        "Why a service has no token of its own",
        TOKEN_REQUESTS,
        "Codes of `reason` in `TokenRequestError`, for services that use [`m2mguard.client`](../guides/client.md).",
    ),
    (
        "What an event in the log means",
        EVENT_NAMES,
        "Names of `m2mguard_event` in the log, and of the classes in `m2mguard.events`.",
    ),
)  # fmt: skip
"""The tables, each with its title and what its codes are."""
_TABLES = tuple(table for _, table, _ in PARTS)


def find_entries(code: str) -> list[Entry]:
    """Return every entry of a code. A code may be the reason of a refusal and also of a failed token request."""
    return [table[code] for table in _TABLES if code in table]


def find_group(word: str) -> list[Entry]:
    """Return the entries of a status, such as "503", or of an error code in the answer, such as "invalid_token"."""
    codes = get_args(_ERROR_CODES[word]) if word in _ERROR_CODES else ()
    return [entry for entry in REFUSALS.values() if str(entry.status) == word or entry.code in codes]


def list_codes() -> list[str]:
    """Return all codes."""
    return [code for table in _TABLES for code in table]


def show_entries(output: Output, entries: Iterable[Entry]) -> None:
    """Add entries to the output."""
    for entry in entries:
        output.line(f"{entry.code}: {entry.sentence}")
        output.line()
        output.paragraph(entry.meaning)
        for title, texts in (("Usual causes", entry.causes), ("What to do", entry.cures)):
            output.line()
            output.line(f"{title}:")
            for text in texts:
                output.paragraph(text, bullet="  - ")
        output.line()


def show_group(output: Output, word: str, entries: Iterable[Entry]) -> None:
    """Add a list of the codes of a status or an error code to the output."""
    output.line(f"{word} has one of these reasons, which the log names:")
    _show_list(output, entries)
    output.line()
    output.line(_NEXT)


def show_codes(output: Output) -> None:
    """Add a list of all codes to the output."""
    for title, table, _ in PARTS:
        output.line(f"{title}:")
        _show_list(output, table.values())
        output.line()
    output.line(_NEXT)


def _show_list(output: Output, entries: Iterable[Entry]) -> None:
    for entry in entries:
        output.line(f"  {entry.code:<27}{entry.sentence}")

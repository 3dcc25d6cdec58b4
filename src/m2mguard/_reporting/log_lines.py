"""The log line for each event, and its level: one sentence for a reader who has never heard of this library. Pure.

Its words come from the table of reasons. Every value that an issuer or a caller chose is escaped and cut.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from m2mguard._formatting import round_up_seconds
from m2mguard._reasons import FETCH_PROBLEMS, REFUSALS, TOKEN_REQUESTS
from m2mguard._reasons.difference import small_difference
from m2mguard.events import (
    BlocklistChanged,
    BlocklistFailed,
    Event,
    IntrospectionFailed,
    KeyFileRejected,
    KeysLoadedFromFile,
    KeysRefreshed,
    KeysUnavailableEvent,
    KeyWithdrawn,
    PlainHttpAllowed,
    RefreshFailed,
    RenewalFailed,
    ScopesDropped,
    StaleServed,
    TokenAccepted,
    TokenRefused,
    TokenRenewed,
    UnknownKeyThrottled,
)

MAX_LOGGED_CHARACTERS = 200
_MAX_VALUES = 8


def printable(value: object) -> str:
    """Spell a value as one line of at most 200 printable ASCII characters, so that a kid cannot inject log lines, or steer a terminal."""
    text = value if isinstance(value, str) else str(value)
    shown = ascii(text[: MAX_LOGGED_CHARACTERS + 1])[1:-1]
    return shown if len(shown) <= MAX_LOGGED_CHARACTERS else f"{shown[: MAX_LOGGED_CHARACTERS - 3]}..."


def level_of(event: Event) -> int:
    """The level of an event's record; `logging.NOTSET` for one that is not logged."""
    if isinstance(event, TokenRefused) and event.reason in ("missing", "other_scheme"):
        return logging.INFO  # anybody can send a request without a token, and health checks and browsers do
    if isinstance(event, BlocklistChanged) and not event.added and not event.removed:
        return logging.INFO  # the first look of a process at an empty list
    row = _TABLE.get(type(event))
    return logging.INFO if row is None else row.level


def line_for(event: Event, *, is_first: bool) -> str:
    """The record's message.

    Args:
        event: what happened.
        is_first: whether it is the first of its kind, which names the command that explains it.
    """
    row = _TABLE.get(type(event))
    if row is None or row.words is None:
        return f"m2mguard: {type(event).__name__}"
    code, sentence = row.words(event)
    code = code or (type(event).__name__ if row.level > logging.INFO else None)
    more = f" To read more, run: m2mguard why {code}" if is_first and code is not None else ""
    return f"m2mguard: {sentence}{more}"


_Words = tuple[str | None, str]


def _refused(event: TokenRefused) -> _Words:
    entry = REFUSALS.get(event.reason)
    caller = "" if event.app_id is None else f" Sent by {_quoted([event.app_id])} of {printable(event.issuer)}."
    cure = "" if entry is None else f" {entry.cures[0]}"
    where = _where(event.method, event.path)
    sentence = f"{event.status}{where}: {printable(event.detail)} (reason {printable(event.reason)}).{_values(event)}{caller}{cure}"
    return None if entry is None else event.reason, sentence


def _values(event: TokenRefused) -> str:
    got, expected = event.got, event.expected
    said = [] if got is None else [f"got {_quoted(got)}"]
    said += [f"expected {_quoted(expected)}"] if expected else []
    if not said:
        return ""
    name = f" {printable(event.claim)}:" if event.claim else ""
    difference = small_difference(expected, got or ())
    return f"{name} {', '.join(said)}{'' if difference is None else f'; {difference}'}."


def _keys_missing(event: KeysUnavailableEvent) -> _Words:
    entry = FETCH_PROBLEMS.get(event.problem or "")
    what = "Cause" if event.reason == "introspection_unavailable" else "The last fetch failed"
    why = "" if entry is None else f" {what}: {entry.sentence} (problem {entry.code}). {entry.cures[0]}"
    where = _where(event.method, event.path)
    sentence = (
        f"503{where}: {printable(event.detail)} (reason {event.reason}). Issuer: {printable(event.issuer)}.{why} "
        f"The answer says: try again in {round_up_seconds(event.retry_after_s)} s."
    )
    return event.reason, sentence


def _refresh_failed(event: RefreshFailed) -> _Words:
    entry = FETCH_PROBLEMS[event.problem]
    held = (
        f"The keys at hand may be used for another {event.remaining_s:.0f} s."
        if event.remaining_s > 0
        else "There are no keys at hand: the answer is 503 until a fetch succeeds."
    )
    sentence = (
        f"the keys of {printable(event.issuer)} could not be fetched: {printable(event.error)} (problem {event.problem}). "
        f"{entry.cures[0]} Failures in a row: {event.failures}. {_next_try(event.retry_in_s, 'request')} {held}"
    )
    return event.problem, sentence


def _introspection_failed(event: IntrospectionFailed) -> _Words:
    entry = FETCH_PROBLEMS[event.problem]
    sentence = (
        f"{printable(event.issuer)} could not be asked about an opaque token: {printable(event.error)} (problem {event.problem}). "
        f"{entry.cures[0]} Failures in a row: {event.failures}. {_next_try(event.retry_in_s, 'request')} Until it answers, tokens that are "
        "not remembered are answered 503."
    )
    return event.problem, sentence


def _refreshed(event: KeysRefreshed) -> _Words:
    changed = [
        f"{what}: {_quoted(ids)}"
        for what, ids in (("new", event.added), ("withdrawn", event.removed), ("not usable", event.skipped))
        if ids
    ]
    count = len(event.key_ids)
    sentence = f"fetched the keys of {printable(event.issuer)} (cause {event.cause}): {count} usable key{'' if count == 1 else 's'}"
    return None, ". ".join((sentence, *changed)) + "."


def _withdrawn(event: KeyWithdrawn) -> _Words:
    return None, (
        f"{printable(event.issuer)} withdrew the key {_quoted([event.key_id])} (thumbprint {printable(event.thumbprint)}). "
        "Tokens that it signed are refused from now on."
    )


def _stale(event: StaleServed) -> _Words:
    return None, (
        f"{printable(event.issuer)} does not answer, so tokens are checked with keys that are {event.age_s:.0f} s old. "
        f"They may be used for another {event.remaining_s:.0f} s; then the answer is 503."
    )


def _throttled(event: UnknownKeyThrottled) -> _Words:
    return None, (
        f"a token names a key of {printable(event.issuer)} that is not known here, and the issuer was asked so often that it is not asked "
        "about this one yet. Either the issuer rotates keys very often, or a caller sends tokens with invented key ids."
    )


def _from_cache(event: KeysLoadedFromFile) -> _Words:
    return None, (
        f"took the keys of {printable(event.issuer)} from the key file, {event.age_s:.0f} s after they were fetched: "
        f"{_quoted(event.key_ids)}."
    )


def _file_ignored(event: KeyFileRejected) -> _Words:
    return None, f"the key file of {printable(event.issuer)} is not used: {printable(event.error)}."


def _blocklist_changed(event: BlocklistChanged) -> _Words:
    version = "" if event.version is None else f" (version {event.version})"
    return None, (
        f"the block list{version} has {_entries(event.entries)} now: {event.added} new, {event.removed} gone. It counts from now on."
    )


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _blocklist_failed(event: BlocklistFailed) -> _Words:
    age = "It was never read in this process" if event.age_s is None else f"It was read {event.age_s:.0f} s ago"
    return None, (
        f"the block list is not read as a whole: {printable(event.error)} (problem {event.problem}). {age}; {_entries(event.entries)} in "
        "force, as before."
    )


def _plain_http(event: PlainHttpAllowed) -> _Words:
    return None, (
        f"plain http is allowed for {_quoted(event.origins)} (allow_http). Anyone who controls the network in between chooses the keys, or "
        "reads the secret. Use it inside a cluster only."
    )


def _renewed(event: TokenRenewed) -> _Words:
    return None, f"fetched a token{_own(event)} (cause {event.cause}), valid for {event.lifetime_s:.0f} s."


def _renewal_failed(event: RenewalFailed) -> _Words:
    held = (
        f"The token at hand is valid for another {event.remaining_s:.0f} s."
        if event.remaining_s > 0
        else "There is no valid token at hand."
    )
    entry = TOKEN_REQUESTS[event.reason] if event.problem is None else FETCH_PROBLEMS[event.problem]
    sentence = (
        f"no token could be fetched{_own(event)}: {printable(event.detail)} (reason {event.reason}). "
        f"{entry.cures[0]} Failures in a row: {event.failures}. {_next_try(event.retry_in_s, 'call')} {held}"
    )
    return entry.code, sentence


def _dropped(event: ScopesDropped) -> _Words:
    return (
        None,
        f"the token{_own(event)} lacks scopes that were asked for: {_quoted(event.missing)}. {printable(event.detail)}.",
    )


def _next_try(retry_in_s: float, trigger: str) -> str:
    when = f"first {trigger} after {round_up_seconds(retry_in_s)} s" if retry_in_s > 0 else f"next {trigger}"
    return f"Next try: at the {when}."


def _own(event: TokenRenewed | RenewalFailed | ScopesDropped) -> str:
    resource = "" if event.resource is None else f" and the resource {printable(event.resource)}"
    return f" for {printable(event.app_id)}{resource} at {printable(event.issuer)}"


def _where(method: str | None, path: str | None) -> str:
    return "" if method is None or path is None else f" for {printable(method)} {printable(path)}"


def _quoted(values: Collection[str]) -> str:
    if not values:
        return "nothing"
    shown = [f'"{printable(value)}"' for value in list(values)[:_MAX_VALUES]]
    left = len(values) - len(shown)
    return ", ".join(shown) + (f" and {left} more" if left else "")


class _Row(NamedTuple):
    level: int
    words: Callable[[Any], _Words] | None


_TABLE: Mapping[type[Event], _Row] = {
    KeysRefreshed: _Row(logging.INFO, _refreshed),
    KeyWithdrawn: _Row(logging.WARNING, _withdrawn),
    PlainHttpAllowed: _Row(logging.WARNING, _plain_http),
    KeysLoadedFromFile: _Row(logging.WARNING, _from_cache),
    KeyFileRejected: _Row(logging.WARNING, _file_ignored),
    RefreshFailed: _Row(logging.WARNING, _refresh_failed),
    IntrospectionFailed: _Row(logging.WARNING, _introspection_failed),
    BlocklistChanged: _Row(logging.WARNING, _blocklist_changed),
    BlocklistFailed: _Row(logging.ERROR, _blocklist_failed),
    StaleServed: _Row(logging.WARNING, _stale),
    KeysUnavailableEvent: _Row(logging.ERROR, _keys_missing),
    UnknownKeyThrottled: _Row(logging.WARNING, _throttled),
    TokenRefused: _Row(logging.WARNING, _refused),
    TokenAccepted: _Row(logging.NOTSET, None),  # one a request: for counting, not for reading
    TokenRenewed: _Row(logging.INFO, _renewed),
    RenewalFailed: _Row(logging.WARNING, _renewal_failed),
    ScopesDropped: _Row(logging.WARNING, _dropped),
}

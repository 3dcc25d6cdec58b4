"""Delivers events to the logger `m2mguard` and to `on_event`; never raises.

Repeats of one kind are logged once a minute, with how many were left out; `on_event` gets every one. What makes a kind is an issuer that
is configured, and codes: nothing that a caller chooses, so no caller can fill a disk.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

from m2mguard._reporting.log_lines import level_of, line_for, printable
from m2mguard.errors import AnswerableError, KeysUnavailable
from m2mguard.events import BlocklistChanged, Event, KeysRefreshed, KeysUnavailableEvent, TokenRefused

REPEAT_AFTER_S = 60.0
_MAX_KINDS = 1_000
_ALWAYS_LOGGED = (KeysRefreshed, BlocklistChanged)
_KIND = ("reason", "problem", "key_id")  # with the type and the issuer: what makes two events repeats of each other
logger: logging.Logger = logging.getLogger("m2mguard")

Route = tuple[str, str]
"""A request's method and path, as they came. The path is the decoded one, without the query."""


class Reporter:
    """Delivers events. Safe to share between threads; never raises, and never called with a lock held.

    Args:
        on_event: called with every event, on whatever thread it happened; what it raises is logged and goes no further.
        monotonic: a clock in seconds.

    Attributes:
        has_listener: whether an `on_event` was given; without one, events that are not logged need not be made.
    """

    __slots__ = ("__weakref__", "_monotonic", "_on_event", "_seen", "has_listener")

    def __init__(self, on_event: Callable[[Event], object] | None, *, monotonic: Callable[[], float]) -> None:
        self._on_event = on_event
        self.has_listener: bool = on_event is not None
        self._monotonic = monotonic
        self._seen: dict[tuple[object, ...], tuple[float, int]] = {}

    def fresh(self) -> Reporter:
        """Another reporter with the same listener, for a subject whose repeats are counted apart."""
        return Reporter(self._on_event, monotonic=self._monotonic)

    def emit(self, event: Event) -> None:
        """Log an event, and hand it on."""
        level = level_of(event)
        if level and logger.isEnabledFor(level):
            self._log(event, level)
        if self._on_event is not None:
            try:
                self._on_event(event)
            except (
                Exception
            ) as error:  # the callable is not ours, and what it does wrong must not refuse or accept a token
                left_out = self._left_out(("on_event", type(event), type(error)))
                if left_out is not None:
                    logger.exception("on_event raised for %s left_out=%d", type(event).__name__, left_out)

    def _log(self, event: Event, level: int) -> None:
        fields = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
        kind = (type(event), event.issuer, *(fields.get(name) for name in _KIND))
        is_first = kind not in self._seen
        left_out = 0 if isinstance(event, _ALWAYS_LOGGED) else self._left_out(kind)
        if left_out is None:
            return
        fields["left_out"] = left_out
        more = f" ({left_out} more of this kind since the last such line)" if left_out else ""
        logger.log(
            level,
            "%s%s",
            line_for(event, is_first=is_first),
            more,
            extra={"m2mguard_event": type(event).__name__}
            | {f"m2mguard_{name}": _safe(value) for name, value in fields.items()},
        )

    def _left_out(self, kind: tuple[object, ...]) -> int | None:
        """Number of repeats that were not logged since the last record, or None to suppress this one, too."""
        now = self._monotonic()
        last, left_out = self._seen.get(kind, (float("-inf"), 0))
        if now - last < REPEAT_AFTER_S:
            self._seen[kind] = (last, left_out + 1)
            return None
        if len(self._seen) >= _MAX_KINDS:
            self._seen.clear()
        self._seen[kind] = (now, 0)
        return left_out


def _safe(value: object) -> object:
    if isinstance(value, str):
        return printable(value)
    return tuple(printable(one) for one in value) if isinstance(value, tuple) else value


def refusal_event(error: AnswerableError, route: Route | None) -> Event | None:
    """Make the event of a refusal; None where another event already tells it."""
    method, path = (None, None) if route is None else (printable(route[0]), printable(route[1]))
    if isinstance(error, KeysUnavailable):
        if error.problem == "throttled":
            return None  # `UnknownKeyThrottled` was emitted
        return KeysUnavailableEvent(
            issuer=error.issuer,
            reason=error.reason,
            detail=error.detail,
            problem=error.problem,
            retry_after_s=error.retry_after,
            method=method,
            path=path,
        )
    return TokenRefused(
        issuer=error.issuer,
        status=error.status,
        reason=error.reason,
        detail=error.detail,
        problem=error.problem,
        claim=error.claim,
        expected=error.expected,
        got=None if error.got is None else tuple(printable(value) for value in error.got),
        app_id=None if error.app_id is None else printable(error.app_id),
        method=method,
        path=path,
    )

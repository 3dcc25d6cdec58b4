"""Where events go: the one logger, and the callable that was given as `on_event`. Neither can harm a request.

Repeats of one event are logged once a minute, with how many were left out; `on_event` gets every one.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

from m2mguard.events import (
    Event,
    KeyFileIgnored,
    KeysMissing,
    KeysRecalled,
    KeysRefreshed,
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

REPEAT_AFTER_S = 60.0
_MAX_KINDS = 1_000
_LEVELS: dict[type[Event], int] = {
    KeysRefreshed: logging.INFO,
    KeyWithdrawn: logging.WARNING,
    PlainHttpAllowed: logging.WARNING,
    KeysRecalled: logging.WARNING,
    KeyFileIgnored: logging.WARNING,
    RefreshFailed: logging.WARNING,
    StaleServed: logging.WARNING,
    KeysMissing: logging.ERROR,
    UnknownKeyThrottled: logging.WARNING,
    TokenRefused: logging.INFO,
    TokenAccepted: logging.NOTSET,  # one a request: for counting, not for reading
    TokenRenewed: logging.INFO,
    RenewalFailed: logging.WARNING,
    ScopesDropped: logging.WARNING,
}
logger: logging.Logger = logging.getLogger("m2mguard")


class Reporter:
    """Tells the operator what happened. Safe to share between threads; never raises, and never called with a lock held.

    Args:
        on_event: called with every event, on whatever thread it happened; what it raises is logged and goes no further.
        monotonic: a clock in seconds.

    Attributes:
        has_listener: whether an `on_event` was given; events that are not logged need not be made for nobody.
    """

    __slots__ = ("_monotonic", "_on_event", "_seen", "has_listener")

    def __init__(self, on_event: Callable[[Event], object] | None, *, monotonic: Callable[[], float]) -> None:
        self._on_event = on_event
        self.has_listener: bool = on_event is not None
        self._monotonic = monotonic
        self._seen: dict[tuple[object, ...], tuple[float, int]] = {}

    def emit(self, event: Event) -> None:
        """Log an event, and hand it on."""
        level = _LEVELS.get(type(event), logging.INFO)
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
        kind = (type(event), event.issuer, fields.get("reason"), fields.get("key_id"))
        left_out = 0 if isinstance(event, KeysRefreshed) else self._left_out(kind)
        if left_out is None:
            return
        fields["left_out"] = left_out
        logger.log(
            level,
            "%s %s",
            type(event).__name__,
            " ".join(f"{name}={_on_one_line(value)}" for name, value in fields.items() if value not in (None, ())),
            extra={f"m2mguard_{name}": value for name, value in fields.items()},
        )

    def _left_out(self, kind: tuple[object, ...]) -> int | None:
        """How many of a kind were left out since one was logged last; None where this one is to be left out, too."""
        now = self._monotonic()
        last, left_out = self._seen.get(kind, (float("-inf"), 0))
        if now - last < REPEAT_AFTER_S:
            self._seen[kind] = (last, left_out + 1)
            return None
        if len(self._seen) >= _MAX_KINDS:
            self._seen.clear()
        self._seen[kind] = (now, 0)
        return left_out


def _on_one_line(value: object) -> str:
    """A key id comes from the issuer, and may hold anything: it must not begin a line of its own."""
    return ascii(value)[1:-1] if isinstance(value, str) else str(value)

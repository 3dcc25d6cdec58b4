"""An `on_event` that records events and lets a test wait for them: fetch threads emit events a moment later."""

import threading
from typing import TypeVar

from m2mguard.events import Event

E = TypeVar("E", bound=Event)


class ObservedEvents:
    """Records every event from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: list[Event] = []

    def __call__(self, event: Event) -> None:
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()

    def of(self, kind: type[E]) -> list[E]:
        """The events of one kind, in order."""
        with self._changed:
            return [event for event in self._events if isinstance(event, kind)]

    def wait_for(self, kind: type[E], count: int = 1) -> list[E]:
        """Block until there are this many events of a kind; returns them."""
        with self._changed:
            enough = self._changed.wait_for(
                lambda: sum(isinstance(event, kind) for event in self._events) >= count, timeout=10
            )
        assert enough, f"{len(self.of(kind))} of {count} {kind.__name__} within 10 s"
        return self.of(kind)

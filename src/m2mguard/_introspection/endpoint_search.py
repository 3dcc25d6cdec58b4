"""The introspection endpoint's URL for many questions at once: while one of them asks the metadata, the others wait for what it finds."""

from __future__ import annotations

from m2mguard._keys.fetch import FetchFailed, FetchFailure
from m2mguard.net._discovery import DiscoveryFailed, Endpoint, Get
from m2mguard.net._flight import Flight, new_lock
from m2mguard.net._protocol import TransportError


class _Search:
    """One look at the metadata: those who wait for it, and why it failed, if it did."""

    __slots__ = ("failure", "flight")

    def __init__(self) -> None:
        self.flight: Flight = Flight(
            lambda: None, name="never started"
        )  # for those who wait: the search has its thread already
        self.failure: FetchFailure | None = None


class EndpointSearch:
    """Finds one endpoint. Safe to share between threads; blocks, so for the threads of questions. The lock is not held meanwhile.

    Args:
        endpoint: the endpoint.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.after_fork()

    def after_fork(self) -> None:
        """A child process has none of the parent's threads: nobody there searches."""
        self._lock = new_lock()
        self._search: _Search | None = None

    def find(self, get: Get, now: float, timeout_s: float) -> str:
        """The URL, within `timeout_s` seconds if another question asks for it. Otherwise `get` bounds the time.

        Raises:
            TransportError, DiscoveryFailed: as `Endpoint.find`.
            FetchFailed: the same, of another question.
        """
        with self._lock:
            search, is_ours = self._search, self._search is None
            if search is None:
                search = self._search = _Search()
        if is_ours:
            return self._find(search, get, now)
        if not search.flight.wait(timeout_s):
            raise TransportError("the issuer took too long", code="timeout")
        if search.failure is not None:
            raise FetchFailed(search.failure.problem, search.failure.detail)
        return self._endpoint.find(get, now)

    def doubt(self) -> None:
        """Ask the metadata at the next use: the endpoint may have moved."""
        self._endpoint.doubt()

    def _find(self, search: _Search, get: Get, now: float) -> str:
        try:
            return self._endpoint.find(get, now)
        except (TransportError, DiscoveryFailed) as error:
            search.failure = FetchFailure(problem=error.code, detail=cannot_be_asked(error))
            raise
        except Exception as error:  # a transport from outside may raise anything
            search.failure = FetchFailure(problem="other", detail=f"the transport failed ({type(error).__name__})")
            raise
        finally:
            with self._lock:
                self._search = None
            search.flight.finish()


def cannot_be_asked(error: TransportError | DiscoveryFailed) -> str:
    """Say in our own words why an exchange brought nothing."""
    return f"the introspection endpoint cannot be asked: {error}"

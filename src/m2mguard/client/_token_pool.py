"""All the tokens of one application: one `CachedToken` for each target, so that equal targets share one token."""

from __future__ import annotations

import weakref

from cachetools import LRUCache

from m2mguard.client._cached_token import CachedToken
from m2mguard.client._fetch import TokenFetcher
from m2mguard.client._token_request import TokenTarget
from m2mguard.net._flight import after_fork_in_child, new_lock
from m2mguard.net._runtime import Runtime

MAX_CACHED = 1_000  # a service with more organizations than that fetches again for the least recently used ones


class TokenPool:
    """Hands out cached tokens. Safe to share between threads, and across `fork`.

    Args:
        fetcher: makes the application's token requests.
        runtime: the clocks, and the reporter, which is told what happens.
    """

    def __init__(self, *, fetcher: TokenFetcher, runtime: Runtime) -> None:
        self._fetcher = fetcher
        self._runtime = runtime
        self._lock = new_lock()
        self._shared: LRUCache[TokenTarget, CachedToken] = LRUCache(MAX_CACHED)
        # These, and those that are still in use elsewhere.
        self._living: weakref.WeakSet[CachedToken] = weakref.WeakSet()
        after_fork_in_child(self._after_fork)

    def cached_token(self, target: TokenTarget) -> CachedToken:
        """The cached token of a target, the same for equal targets."""
        with self._lock:
            cached = self._shared.get(target)
            if cached is None:
                cached = CachedToken(
                    fetcher=self._fetcher,
                    target=target,
                    clocks=self._runtime.clocks,
                    reporter=self._runtime.reporter.fresh(),
                )
                self._living.add(cached)
            self._shared[target] = cached
            return cached

    def _after_fork(self) -> None:
        self._lock = new_lock()
        for cached in list(self._living):
            cached.after_fork()

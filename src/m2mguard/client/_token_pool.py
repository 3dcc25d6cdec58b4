"""All the tokens of one application: one `CachedToken` for each target, so that equal targets share one token."""

from __future__ import annotations

import weakref
from collections.abc import Callable

from cachetools import LRUCache

from m2mguard._authentication.mutual_tls import MutualTls
from m2mguard._authentication.proof import Client
from m2mguard._clocks import Clock
from m2mguard._validation import endpoint_url, number
from m2mguard.client._cached_token import CachedToken
from m2mguard.client._dpop import DpopKey, DpopSender
from m2mguard.client._fetch import TokenFetcher
from m2mguard.client._token_request import TokenTarget
from m2mguard.client._token_response import AnswerRules
from m2mguard.errors import ConfigurationError
from m2mguard.events import Event
from m2mguard.net._flight import after_fork_in_child, new_lock
from m2mguard.net._protocol import Transport
from m2mguard.net._runtime import Runtime
from m2mguard.net._transport import plain_http_origins

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

    @property
    def dpop(self) -> DpopSender | None:
        """Makes the proofs of the application's tokens; None where they are bearer tokens."""
        return self._fetcher.dpop

    def _after_fork(self) -> None:
        self._lock = new_lock()
        if self.dpop is not None:
            self.dpop.after_fork()
        for cached in list(self._living):
            cached.after_fork()


def new_pool(
    issuer: str | None,
    token_endpoint: str | None,
    client: Client,
    rules: AnswerRules,
    *,
    timeout: float,
    allow_http: bool,
    transport: Transport | None,
    on_event: Callable[[Event], object] | None,
    clock: Clock | None,
    monotonic: Clock | None,
    dpop: DpopKey | None = None,
) -> TokenPool:
    """Check the arguments of a `TokenSource`, and make its pool.

    Raises:
        ConfigurationError: an invalid value.
    """
    named = token_endpoint if issuer is None else issuer
    if named is None:
        raise ConfigurationError("Give the issuer, to find the token endpoint by discovery, or token_endpoint itself.")
    for setting, url in (("issuer", issuer), ("token_endpoint", token_endpoint)):
        if url is not None:
            endpoint_url(setting, url, allow_http=allow_http)
    if not isinstance(dpop, DpopKey | None):
        raise ConfigurationError("dpop must be a DpopKey, or None.")
    number("timeout", timeout, least=0.1, most=60)
    plain_http = plain_http_origins(issuer if token_endpoint is None else token_endpoint)
    if transport is None and isinstance(client.authentication, MutualTls):
        transport = client.authentication.transport(http_origins=plain_http)
    runtime = Runtime.from_arguments(
        clock=clock,
        monotonic=monotonic,
        transport=transport,
        on_event=on_event,
        plain_http={named: plain_http},
    )
    return TokenPool(
        fetcher=TokenFetcher(
            issuer=named,
            token_endpoint=token_endpoint,
            client=client,
            rules=rules,
            timeout_s=timeout,
            runtime=runtime,
            dpop=None if dpop is None else DpopSender(dpop, runtime.clocks.wall),
        ),
        runtime=runtime,
    )

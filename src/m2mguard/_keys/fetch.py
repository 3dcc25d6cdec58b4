"""One fetch of an issuer's keys: `jwks_uri` (by `net/_discovery` if not configured), then the key set. Decides nothing about when."""

from __future__ import annotations

import contextlib
import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from m2mguard._keys.key_caching import KeyCaching
from m2mguard._keys.key_set import KeySet, UnusableKeySet, parse_key_set
from m2mguard._keys.snapshot import KeyRequest
from m2mguard._reasons.codes import FetchProblem
from m2mguard.net._discovery import METADATA_TTL_S, DiscoveryFailed, Endpoint
from m2mguard.net._protocol import Response, TransportError
from m2mguard.net._retry_after import http_date_s, retry_after_s
from m2mguard.net._runtime import Runtime
from m2mguard.net._shared_fetch import FetchError

_ACCEPT = "application/json, application/jwk-set+json"  # Kubernetes answers 406 without the second one
UNCONDITIONAL_AFTER_S = 3600.0  # a broken cache between us and the issuer can answer 304 for this long at most
_MAX_AGE = re.compile(r"(?:^|[,\s])max-age=(\d{1,9})(?:$|[,\s])", re.IGNORECASE)
_NO_CACHE = re.compile(r"(?:^|[,\s])no-(?:cache|store)(?:$|[,\s=])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchFailure:
    """Why a fetch failed.

    Attributes:
        problem: the code.
        detail: one sentence in our own words, fit for logs and health pages.
        retry_after_s: seconds for which the issuer wants to be left alone, or 0.
    """

    problem: FetchProblem
    detail: str
    retry_after_s: float = 0.0


class FetchFailed(FetchError[FetchFailure]):
    """No usable key set could be fetched; `failure` says why."""

    def __init__(self, problem: FetchProblem, detail: str, *, retry_after_s: float = 0.0) -> None:
        super().__init__(FetchFailure(problem=problem, detail=detail, retry_after_s=retry_after_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A good key set, with what makes the next fetch cheaper.

    Attributes:
        keys: the usable keys.
        max_age: the `Cache-Control: max-age` in seconds, or None where there is none or `no-cache` is beside it.
        etag: the key set's validator, or None.
        jwks_uri: where it was found.
        received_at: when the document itself came, which a 304 does not change, on the clock for ages.
        date: the answer's `Date` in seconds since the epoch, or None.
        document: the key set as it was received.
        not_modified: whether the issuer answered 304.
    """

    keys: KeySet
    max_age: int | None
    etag: str | None
    jwks_uri: str
    received_at: float = 0.0
    date: float | None = None
    document: bytes = field(default=b"", repr=False)
    not_modified: bool = False


class _Get(Protocol):
    """Fetches a URL, within a share of the time that one fetch has in all."""

    def __call__(self, url: str, etag: str | None = None, *, share: float = 1.0) -> Response: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFetcher:
    """Fetches one issuer's key set. Immutable and safe to share between threads; blocks, so it runs on a thread of its own.

    Attributes:
        issuer: the issuer's URL.
        jwks_uri: the configured URL of the key set, or None to discover it.
        caching: time and size limits.
        runtime: the transport and the clocks.
    """

    issuer: str
    jwks_uri: str | None
    caching: KeyCaching
    runtime: Runtime
    _endpoint: Endpoint = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_endpoint", Endpoint(self.issuer, "jwks_uri", configured=self.jwks_uri))

    def fetch(
        self,
        known: Fetched | None,
        *,
        failed_since: bool,
        wanted: KeyRequest | None = None,
        on_request: Callable[[], object] = lambda: None,
    ) -> Fetched:
        """Fetch the key set, within `caching.timeout` seconds in all.

        Args:
            known: what the last good fetch brought, or None.
            failed_since: whether a fetch has failed since: then nothing that was learned before is relied on.
            wanted: what a token says about a key that we do not have, where that is the reason of the fetch. Where the URL of the key set
                is known, the metadata is then asked only if the key is not there and the metadata is older than `caching.ttl`: the
                issuer may have moved its key set, and still serve the old one.
            on_request: called before each request.

        Raises:
            FetchFailed: no answer, an answer of another status than 200 or 304, or one that holds no usable key set.
        """
        ages = self.runtime.clocks.ages
        started_at = ages()
        last: Response | None = None

        def get(url: str, etag: str | None = None, *, share: float = 1.0) -> Response:
            nonlocal last
            left = started_at + self.caching.timeout * share - ages()
            if left <= 0:
                raise FetchFailed("timeout", "the issuer took too long")
            headers = {"Accept": _ACCEPT} | ({"If-None-Match": etag} if etag else {})
            last = None
            on_request()
            last = self.runtime.transport.request(
                "GET", url, headers=headers, body=None, timeout_s=left, max_bytes=self.caching.max_bytes
            )
            if len(last.body) > self.caching.max_bytes:
                raise FetchFailed("too_long", f"the answer is longer than {self.caching.max_bytes} bytes")
            return last

        try:
            if known is None:
                self._endpoint.forget()
            elif failed_since and wanted is None:
                self._endpoint.doubt()
            jwks_uri = self._endpoint.find(
                get if known is None else functools.partial(get, share=0.5),
                started_at,
                max_age_s=METADATA_TTL_S if known is None or wanted is None else math.inf,
            )
            etag = _usable_etag(known, jwks_uri, started_at) if known is not None and not failed_since else None
            fetched = self._fetched(get(jwks_uri, etag), known if etag else None, jwks_uri, started_at)
            if (
                wanted is None
                or wanted.is_answered_by(fetched.keys)
                or self._endpoint.age_s(started_at) < self.caching.ttl
            ):
                return fetched
            return self._moved(fetched, started_at, get)
        except Exception as error:  # noqa: BLE001 - a transport from outside may raise anything: whatever it is, there is no key set
            problem, detail = _why(error)
            last = None if problem == "other" else last
        wait = 0.0 if last is None else retry_after_s(last.headers, now_s=self.runtime.clocks.wall())
        raise FetchFailed(problem, detail, retry_after_s=wait)

    def _moved(self, fetched: Fetched, now: float, get: _Get) -> Fetched:
        """The key set at the place that the metadata names now, if that is another one and has usable keys; else what was fetched."""
        # whatever fails here, the key set that we have is good
        with contextlib.suppress(TransportError, DiscoveryFailed, FetchFailed, UnusableKeySet):
            jwks_uri = self._endpoint.find(get, now, max_age_s=0)
            self._endpoint.found_at = now
            if jwks_uri != fetched.jwks_uri:
                return self._fetched(get(jwks_uri), None, jwks_uri, now)
        return fetched

    def _fetched(self, response: Response, known: Fetched | None, jwks_uri: str, started_at: float) -> Fetched:
        max_age = _max_age(response.headers.get("cache-control", ""))
        etag = response.headers.get("etag")
        date = http_date_s(response.headers.get("date", "").strip())
        if response.status == 304 and known is not None:
            return replace(
                known,
                max_age=max_age,
                etag=etag or known.etag,
                date=date,
                not_modified=True,
            )
        if response.status != 200:
            raise FetchFailed("key_set_status", f"the key set was answered with status {response.status}")
        return Fetched(
            keys=parse_key_set(response.body, max_keys=self.caching.max_keys),
            max_age=max_age,
            etag=etag,
            jwks_uri=jwks_uri,
            received_at=started_at,
            date=date,
            document=response.body,
        )


def _why(error: Exception) -> tuple[FetchProblem, str]:
    match error:
        case FetchFailed():
            return error.failure.problem, error.failure.detail
        case TransportError() | DiscoveryFailed():
            return error.code, str(error)
        case UnusableKeySet():
            return error.problem, str(error)
        case _:
            return "other", f"the transport failed ({type(error).__name__})"


def _usable_etag(known: Fetched, jwks_uri: str, now: float) -> str | None:
    """A validator is for the URL that it came from, and is used for an hour: then the key set itself is asked for."""
    if known.jwks_uri != jwks_uri or now >= known.received_at + UNCONDITIONAL_AFTER_S:
        return None
    return known.etag


def _max_age(cache_control: str) -> int | None:
    found = _MAX_AGE.search(cache_control)
    return int(found[1]) if found and not _NO_CACHE.search(cache_control) else None

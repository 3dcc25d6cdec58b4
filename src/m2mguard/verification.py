"""One token's way through the house: remembered, or taken apart, its key found, its signature and claims checked.

Everything here is pure CPU except the waits of a `KeySource`. What a route asks of the Caller is not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256

from m2mguard.caller import Caller
from m2mguard.errors import InsufficientScope, InvalidToken
from m2mguard.events import TokenAccepted
from m2mguard.health import VerdictHealth
from m2mguard.keys.jwks import KeySet
from m2mguard.net.flight import Steps, after_fork_in_child, new_lock
from m2mguard.reporting import Reporter
from m2mguard.token.bearer import bearer_token, plain_credential
from m2mguard.token.claims import Verdict, check
from m2mguard.token.jose import Compact, Header, VerificationKey, split
from m2mguard.token.verdicts import Remembered, VerdictCache, size_of
from m2mguard.trust import Trusted

VERDICT_CACHE_BYTES = 64 * 2**20
MAX_KNOWN_HEADERS = 256
Candidates = tuple[VerificationKey, ...]


class Verification:
    """Turns tokens into Callers, and remembers the good ones. Safe to share between threads and tasks, and across `fork`.

    Args:
        trusted: whose tokens are accepted, by issuer URL.
        machine_only: refuse a person's token.
        max_remembered: how many good tokens are remembered, 0 for none.
        clock: gives seconds since the epoch.
        monotonic: gives seconds on a clock that never steps.
        reporter: told of accepted tokens, where somebody listens.
    """

    def __init__(
        self,
        trusted: Mapping[str, Trusted],
        *,
        machine_only: bool,
        max_remembered: int,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        reporter: Reporter,
    ) -> None:
        self._trusted = trusted
        self._machine_only = machine_only
        self._max_remembered = max_remembered
        self._clock = clock
        self._monotonic = monotonic
        self._reporter = reporter
        self._hits = 0
        self._misses = 0
        self.forget()
        after_fork_in_child(self.forget)  # the parent's lock may be held by a thread that the child does not have

    def forget(self) -> None:
        """Forget every remembered token."""
        self._verdicts = VerdictCache(max_entries=self._max_remembered, max_bytes=VERDICT_CACHE_BYTES, lock=new_lock())
        self._known_headers: dict[bytes, Header] = {}

    def health(self) -> VerdictHealth:
        """How many tokens are remembered, and how often that has helped."""
        return VerdictHealth(remembered=len(self._verdicts), hits=self._hits, misses=self._misses)

    def of_request(self, fields: Sequence[str | bytes]) -> Caller | Steps[Caller]:
        """As `of`, for the values of a request's Authorization fields.

        Only good tokens are remembered, so what is remembered needs no look at its grammar.

        Raises:
            MissingToken, InvalidRequest, InvalidToken, InsufficientScope: as `ResourceServer.authenticate`.
        """
        credential = plain_credential(fields)
        if credential is not None:
            now_s = self._monotonic()
            found = self._verdicts.find(sha256(credential).digest(), now_s)
            if found is not None and (caller := self._recalled(found, now_s)) is not None:
                return caller
        return self.of(bearer_token(fields))

    def of(self, token: str | bytes) -> Caller | Steps[Caller]:
        """The Caller of a token, at once where its keys are fresh; else the steps that lead to it. No wait, and no lock on a hit.

        Raises:
            InvalidToken, InsufficientScope: as `ResourceServer.verify`; the steps raise KeysUnavailable, too.
        """
        if isinstance(token, str):
            token = token.encode("ascii", "replace")  # "?" stands in no token
        elif not isinstance(token, bytes):
            raise InvalidToken("malformed", "the token is neither str nor bytes")
        digest = sha256(token).digest()
        now_s = self._monotonic()
        found = self._verdicts.find(digest, now_s)
        if found is None:
            return self._first_seen(token, digest, now_s)
        caller = self._recalled(found, now_s)
        return self._seen_before(token, digest, found) if caller is None else caller

    def _recalled(self, found: Remembered, now_s: float, keys: KeySet | None = None) -> Caller | None:
        """The Caller of a remembered token, if it still holds by these keys, or by the issuer's where they are fresh; else None."""
        verdict = found.verdict
        if keys is None:
            keys = self._trusted[verdict.caller.issuer].source.fresh_keys(now_s)
        if keys is None or found.thumbprint not in keys.thumbprints:
            return None
        if not verdict.valid_from <= self._clock() < verdict.valid_until:
            return None
        self._hits += 1  # without a lock: a free-threaded interpreter may lose one now and then
        if self._reporter.has_listener:
            self._reporter.emit(TokenAccepted(issuer=verdict.caller.issuer, remembered=True))
        return verdict.caller

    def _first_seen(self, token: bytes, digest: bytes, now_s: float) -> Caller | Steps[Caller]:
        compact = split(token, self._known_headers)
        trusted = self._trusted_issuer(compact)
        keys = trusted.source.fresh_keys(now_s)
        if keys is None or not (candidates := keys.candidates(compact.header.kid, compact.header.alg)):
            return self._with_keys(compact, digest, trusted)
        return self._judged(compact, digest, trusted, candidates)

    def _with_keys(self, compact: Compact, digest: bytes, trusted: Trusted) -> Steps[Caller]:
        """The way of a token whose key has to be asked for, or is due to be refreshed."""
        kid = compact.header.kid
        keys = yield from trusted.source.key_set_for(kid)
        return self._judged(compact, digest, trusted, keys.candidates(kid, compact.header.alg))

    def _seen_before(self, token: bytes, digest: bytes, found: Remembered) -> Steps[Caller]:
        """The way of a remembered token whose keys are due to be refreshed: its signature need not be checked again."""
        trusted = self._trusted[found.verdict.caller.issuer]
        keys = yield from trusted.source.key_set_for(found.kid)
        caller = self._recalled(found, self._monotonic(), keys)
        if caller is not None:
            return caller
        compact = split(token, self._known_headers)
        return self._judged(compact, digest, trusted, keys.candidates(found.kid, compact.header.alg))

    def _judged(self, compact: Compact, digest: bytes, trusted: Trusted, candidates: Candidates) -> Caller:
        key = _signing_key(compact, candidates)
        verdict = check(compact.claims, compact.header.typ, trusted.profile, self._clock())
        if self._machine_only and not verdict.caller.is_machine:
            raise InsufficientScope("not_a_machine", "the token belongs to a person, and this API is for machines")
        self._remember(digest, compact, verdict, key.thumbprint)
        return verdict.caller

    def _remember(self, digest: bytes, compact: Compact, verdict: Verdict, thumbprint: str) -> None:
        self._misses += 1
        segment, header = compact.header_segment, compact.header
        if segment not in self._known_headers:  # good tokens only, so that nobody else can fill it
            if len(self._known_headers) >= MAX_KNOWN_HEADERS:
                self._known_headers = {}  # another one, since a thread may be about to read from this
            self._known_headers[segment] = header
        self._verdicts.remember(Remembered(verdict, header.kid, thumbprint, digest, size_of(compact.payload)))
        if self._reporter.has_listener:
            self._reporter.emit(TokenAccepted(issuer=verdict.caller.issuer, remembered=False))

    def _trusted_issuer(self, compact: Compact) -> Trusted:
        """Choose by the unverified `iss` among the configured issuers. Nothing is fetched for any other."""
        issuer = compact.claims.get("iss")
        trusted = self._trusted[issuer] if isinstance(issuer, str) and issuer in self._trusted else None
        if trusted is None:
            raise InvalidToken("unknown_issuer", "iss is none of the configured issuers")
        if compact.header.alg not in trusted.issuer.algorithms:
            raise InvalidToken("algorithm", "the header's alg is not among those accepted from this issuer")
        return trusted


def _signing_key(compact: Compact, candidates: Candidates) -> VerificationKey:
    """The key whose signature the token carries. A key decides which algorithm it verifies, not the token (RFC 8725 section 3.1)."""
    alg = compact.header.alg
    reason, detail = "algorithm", "the key of the token's kid is not for the algorithm that the header names"
    if not candidates:
        reason, detail = "unknown_key", "the token names no key (kid), and the issuer has none, or several, for its alg"
    for key in candidates:
        if alg in key.algorithms:
            if key.verify(alg, compact.signing_input, compact.signature):
                return key
            reason, detail = "signature", "the signature is not that of the issuer's key"
    raise InvalidToken(reason, detail)

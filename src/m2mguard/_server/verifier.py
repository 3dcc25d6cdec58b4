"""Verifies one token: cache look-up, parsing, key look-up, signature, claims.

Everything here is pure CPU except the waits of a `KeySource`. What a route asks of its Caller is checked elsewhere (`requirement`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

from m2mguard._keys.key_set import KeySet
from m2mguard._keys.signing_key import Candidates, find_signing_key, key_request, signing_key
from m2mguard._keys.snapshot import KeyRequest
from m2mguard._server.trusted_issuer import TrustedIssuer
from m2mguard._token.bearer import bearer_token, dpop_token, plain_credential
from m2mguard._token.claims import Verdict, app_id_claim, check_claims, named_app_id
from m2mguard._token.jws import Header, ParsedToken, VerificationKey, parse_compact
from m2mguard._token.verified_tokens import CacheEntry, VerifiedTokenCache, size_of
from m2mguard.blocklist._block import NAMES
from m2mguard.blocklist._watched import FIRST_WAIT_S, Blocklist
from m2mguard.caller import Caller
from m2mguard.errors import AuthError, InvalidToken
from m2mguard.events import TokenAccepted
from m2mguard.health import VerdictHealth
from m2mguard.net._flight import Flight, Resumable, Wait, after_fork_in_child, new_lock
from m2mguard.net._runtime import Runtime

VERDICT_CACHE_BYTES = 64 * 2**20
MAX_KNOWN_HEADERS = 256
_DOTS_OF_A_JWT = 2


class _Token(NamedTuple):
    """A token to be verified: its hash, its parts, and the issuer it names. Nothing in it is verified yet."""

    digest: bytes
    parsed: ParsedToken
    trusted: TrustedIssuer

    def key_request(self, tried: Candidates = ()) -> KeyRequest:
        """What it says about its key, and which keys were tried already."""
        claims, profile = self.parsed.claims, self.trusted.profile
        app_ids = (claims.get(app_id_claim(profile, is_machine=is_machine)) for is_machine in (True, False))
        is_known = any(app_id in self.trusted.applications for app_id in app_ids)
        return key_request(self.parsed.header, claims, is_known=is_known, tried=tried)


class Verifier:
    """Turns tokens into Callers, and caches the good ones. Safe to share between threads and tasks, and across `fork`.

    Args:
        trusted: whose tokens are accepted, by issuer URL.
        max_cached: how many good tokens are kept in the cache, 0 for none.
        runtime: the clocks, and the reporter, which is told of accepted tokens if somebody listens.
        blocklist: what is refused although its token is good; None, the default: nothing.
        accepts_dpop: whether a token may come with the scheme DPoP, default False. Its proof is checked elsewhere (`dpop_check`).
    """

    def __init__(
        self,
        trusted: Mapping[str, TrustedIssuer],
        *,
        max_cached: int,
        runtime: Runtime,
        blocklist: Blocklist | None = None,
        accepts_dpop: bool = False,
    ) -> None:
        self._trusted = trusted
        self._introspector = next((one.introspector for one in trusted.values() if one.introspector is not None), None)
        self._max_cached = max_cached
        self._blocklist = blocklist
        self._accepts_dpop = accepts_dpop
        self._now = runtime.clocks.wall
        self._ages = runtime.clocks.ages
        self._reporter = runtime.reporter
        self._hits = 0
        self._misses = 0
        self.forget()
        after_fork_in_child(self.forget)  # the parent's lock may be held by a thread that the child does not have

    def forget(self) -> None:
        """Forget every cached token."""
        self._cache = VerifiedTokenCache[CacheEntry](
            max_entries=self._max_cached, max_bytes=VERDICT_CACHE_BYTES, lock=new_lock()
        )
        self._known_headers: dict[bytes, Header] = {}

    def health(self) -> VerdictHealth:
        """How many tokens are cached, and how many look-ups found one."""
        return VerdictHealth(remembered=len(self._cache), hits=self._hits, misses=self._misses)

    def authenticate(self, fields: Sequence[str | bytes]) -> Caller | Resumable[Caller]:
        """As `verify`, for the values of a request's Authorization fields, with the scheme Bearer or, if accepted, DPoP.

        Raises:
            MissingToken, InvalidRequest, InvalidToken, InsufficientScope: as `ResourceServer.authenticate`.
        """
        credential = plain_credential(fields)
        if credential is None:
            token = dpop_token(fields) if self._accepts_dpop else None
            return self._verify(bearer_token(fields) if token is None else token)
        return self._verify(credential, unchecked=fields)

    def verify(self, token: str | bytes) -> Caller | Resumable[Caller]:
        """The Caller of a token, at once if its keys are fresh, else resumable work that ends with it. No wait, and no lock on a hit.

        Raises:
            InvalidToken, InsufficientScope: as `ResourceServer.verify`; the work raises KeysUnavailable, too.
        """
        if isinstance(token, str):
            token = token.encode("ascii", "replace")  # "?" is in no token
        elif not isinstance(token, bytes):
            raise InvalidToken("malformed", problem="not_text")
        return self._verify(token)

    def _verify(self, token: bytes, *, unchecked: Sequence[str | bytes] | None = None) -> Caller | Resumable[Caller]:
        """Look a token up in the cache, or verify it.

        Args:
            token: the token.
            unchecked: the fields that it was taken from, if their grammar is still to be checked. A cached token was checked before.
        """
        if self._blocklist is not None and (first_look := self._blocklist.begin()) is not None:
            return self._verify_after_look(first_look, token, unchecked)
        return self._verify_now(token, unchecked)

    def _verify_after_look(
        self, first_look: Flight, token: bytes, unchecked: Sequence[str | bytes] | None
    ) -> Resumable[Caller]:
        """As `_verify`, for the first tokens of a process, which wait for the block list."""
        yield Wait(first_look, FIRST_WAIT_S)
        work = self._verify_now(token, unchecked)
        return work if isinstance(work, Caller) else (yield from work)

    def _verify_now(self, token: bytes, unchecked: Sequence[str | bytes] | None) -> Caller | Resumable[Caller]:
        digest, now_s = sha256(token).digest(), self._ages()
        entry = self._cache.get(digest, now_s)
        if entry is not None:
            return self._from_cache(entry, now_s) or self._revalidate(token, entry)
        if unchecked is not None and (checked := bearer_token(unchecked)) != token:
            return self._verify(checked)  # there is more than one space before it, or white space after it
        if self._introspector is not None and token.count(b".") != _DOTS_OF_A_JWT:
            return self._check_opaque(self._introspector.verify(token, digest))
        return self._verify_new(token, digest, now_s)

    def _from_cache(self, entry: CacheEntry, now_s: float, keys: KeySet | None = None) -> Caller | None:
        """The Caller of a cached token whose time is not over and whose key is among these (default: the issuer's fresh ones), or None."""
        verdict = entry.verdict
        if keys is None:
            keys = self._trusted[verdict.caller.issuer].source.fresh_keys(now_s)
        if keys is None or entry.key_identity not in keys.identities:
            return None
        if not verdict.valid_from <= self._now() < verdict.valid_until:
            return None
        self._check_blocks(verdict.caller, entry.key_ids)
        self._hits += 1  # without a lock: a free-threaded interpreter may lose one now and then
        if self._reporter.has_listener:
            self._reporter.emit(TokenAccepted(issuer=verdict.caller.issuer, remembered=True))
        return verdict.caller

    def _verify_new(self, raw: bytes, digest: bytes, now_s: float) -> Caller | Resumable[Caller]:
        parsed = parse_compact(raw, self._known_headers)
        token = _Token(digest, parsed, self._trusted_issuer(parsed))
        keys = token.trusted.source.fresh_keys(now_s)
        if keys is not None and (key := signing_key(parsed, keys.candidates(parsed.header.kid, parsed.header.alg))):
            return self._check(token, key)
        return self._verify_after_refresh(token, keys)

    def _verify_after_refresh(self, token: _Token, fresh: KeySet | None) -> Resumable[Caller]:
        """Verify a token whose key must be asked for, or whose issuer's keys are due to be refreshed.

        Args:
            token: the token.
            fresh: fresh keys, none of which has signed it; None if the keys are not fresh.
        """
        work = find_signing_key(token.trusted.source, token.parsed, token.key_request, since=self._ages(), fresh=fresh)
        return self._check(token, (yield from work))

    def _revalidate(self, raw: bytes, entry: CacheEntry) -> Resumable[Caller]:
        """Verify a cached token whose keys are due to be refreshed: its signature need not be checked again."""
        trusted = self._trusted[entry.verdict.caller.issuer]
        keys = yield from trusted.source.key_set_for(key_request(entry.header, entry.verdict.caller.claims))
        caller = self._from_cache(entry, self._ages(), keys)
        if caller is not None:
            return caller
        parsed = parse_compact(raw, self._known_headers)
        return (yield from self._verify_after_refresh(_Token(entry.digest, parsed, self._trusted_issuer(parsed)), None))

    def _check(self, token: _Token, key: VerificationKey) -> Caller:
        """Check the claims of a token whose signature is good."""
        parsed, trusted = token.parsed, token.trusted
        try:
            verdict = check_claims(parsed.claims, parsed.header.typ, trusted.profile, self._now())
        except AuthError as error:
            error.issuer = trusted.issuer.url
            error.app_id = named_app_id(parsed.claims, trusted.profile)
            raise
        trusted.applications.add(verdict.caller.app_id)
        entry = self._put(token, verdict, key)
        self._check_blocks(verdict.caller, entry.key_ids)
        if self._reporter.has_listener:
            self._reporter.emit(TokenAccepted(issuer=verdict.caller.issuer, remembered=False))
        return verdict.caller

    def _check_opaque(self, work: Caller | Resumable[Caller]) -> Caller | Resumable[Caller]:
        """The Caller of an opaque token that is not blocked."""
        if self._blocklist is None:
            return work
        if isinstance(work, Caller):
            self._check_blocks(work, ())
            return work
        return self._check_answered(work)

    def _check_answered(self, work: Resumable[Caller]) -> Resumable[Caller]:
        caller = yield from work
        self._check_blocks(caller, ())
        return caller

    def _check_blocks(self, caller: Caller, key_ids: tuple[str | None, ...]) -> None:
        """Refuse a good token that the block list names."""
        if self._blocklist is None:
            return
        names = self._trusted[caller.issuer].issuer.names
        block = self._blocklist.index.find(caller, key_ids, names, self._now())
        if block is not None:
            error = InvalidToken("blocked", f"an operator has blocked the {NAMES[block.subject[0]]}: {block.reason}")
            error.issuer, error.app_id = caller.issuer, caller.app_id
            raise error

    def _put(self, token: _Token, verdict: Verdict, key: VerificationKey) -> CacheEntry:
        self._misses += 1
        parsed = token.parsed
        segment, header = parsed.header_segment, parsed.header
        if segment not in self._known_headers:  # good tokens only, so that no unknown caller can fill it
            if len(self._known_headers) >= MAX_KNOWN_HEADERS:
                self._known_headers = {}  # a new dict, since a thread may be reading from this one
            self._known_headers[segment] = header
        identity = key.identity(header.alg)
        entry = CacheEntry(verdict, header, identity, token.digest, size_of(parsed.payload), key.ids)
        self._cache.put(entry)
        return entry

    def _trusted_issuer(self, parsed: ParsedToken) -> TrustedIssuer:
        """Choose by the unverified `iss` among the configured issuers. Nothing is fetched for any other."""
        issuer = parsed.claims.get("iss")
        trusted = self._trusted[issuer] if isinstance(issuer, str) and issuer in self._trusted else None
        if trusted is None:
            raise InvalidToken("unknown_issuer", claim="iss", expected=tuple(self._trusted))
        if parsed.header.alg not in trusted.issuer.algorithms:
            accepted = tuple(sorted(trusted.issuer.algorithms))
            raise InvalidToken("algorithm", problem="not_accepted", claim="alg", expected=accepted)
        return trusted

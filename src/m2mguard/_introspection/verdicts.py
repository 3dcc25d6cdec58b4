"""What is remembered of answers: good verdicts and refusals, apart, so that invented tokens push out no good caller. Both are bounded."""

from __future__ import annotations

import copy
from typing import Final

from m2mguard._token.claims import Verdict
from m2mguard._token.verified_tokens import CachedVerdict, VerifiedTokenCache
from m2mguard.errors import AuthError
from m2mguard.net._flight import new_lock

MAX_BYTES: Final = 32 * 2**20
MAX_REFUSALS: Final = 4_096
REFUSED_FOR_S: Final = 10.0


class Active(CachedVerdict):
    """A good verdict about an opaque token.

    Attributes:
        ask_again_at: from when on the issuer is asked again, on the clock for ages.
    """

    __slots__ = ("ask_again_at",)

    def __init__(self, verdict: Verdict, *, ask_again_at: float, digest: bytes, size_bytes: int) -> None:
        super().__init__(verdict, digest, size_bytes)
        self.ask_again_at: float = ask_again_at

    def is_usable(self, now: float, wall: float) -> bool:
        """Whether it may be used without asking: never beyond the token's `exp`, leeway or not (RFC 7662 section 4)."""
        return now < self.ask_again_at and self.verdict.valid_from <= wall < self.verdict.caller.expires_at


class RememberedAnswers:
    """Good verdicts, least recently used out first, and refusals, oldest out first. Safe to share between threads and tasks.

    Args:
        max_entries: how many good verdicts are kept, 0 for none.
    """

    def __init__(self, *, max_entries: int) -> None:
        self._active = VerifiedTokenCache[Active](max_entries=max_entries, max_bytes=MAX_BYTES, lock=new_lock())
        self._refused: dict[bytes, tuple[float, AuthError]] = {}
        self._lock = new_lock()

    def active(self, digest: bytes, now: float) -> Active | None:
        """What was found of a token, usable or not. Takes no lock."""
        return self._active.get(digest, now)

    def refusal(self, digest: bytes, now: float) -> AuthError | None:
        """Why a token was refused in the last seconds, as an error of its own."""
        until, error = self._refused.get(digest, (now, None))
        return None if error is None or now >= until else fresh(error)

    def keep(self, found: Active) -> None:
        """Keep a good verdict."""
        self._active.put(found)

    def refuse(self, digest: bytes, error: AuthError, now: float) -> None:
        """Keep a refusal for a few seconds."""
        with self._lock:
            self._refused.pop(digest, None)
            while len(self._refused) >= MAX_REFUSALS:
                del self._refused[next(iter(self._refused))]
            self._refused[digest] = (now + REFUSED_FOR_S, error)

    @property
    def counts(self) -> tuple[int, int]:
        """How many good verdicts and how many refusals are kept."""
        return len(self._active), len(self._refused)


def fresh(error: AuthError) -> AuthError:
    """A copy of an error, so that tracebacks of other callers are not shared."""
    return copy.copy(error)

"""A signed answer of the introspection endpoint (RFC 9701 section 5): whose it is, and that it was made for us, now."""

from __future__ import annotations

from dataclasses import dataclass

from m2mguard._clocks import Clocks
from m2mguard._introspection.answer import Members
from m2mguard._keys.fetch import FetchFailed
from m2mguard._keys.key_source import KeySource
from m2mguard._keys.signing_key import find_signing_key, key_request
from m2mguard._reasons.codes import IntrospectionProblem
from m2mguard._token.claim_values import numeric_date
from m2mguard._token.jws import parse_compact
from m2mguard._token.token_profile import media_type
from m2mguard.errors import InvalidToken, KeysUnavailable
from m2mguard.net._flight import run_sync

_TYP = "token-introspection+jwt"
_CLOCK_S = 60.0  # besides the leeway: an answer is made for one question, so an old one is somebody else's


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAnswers:
    """Verifies the signed answers of one issuer. Immutable, safe to share; blocks while keys are fetched, so on a question's thread.

    Attributes:
        source: the issuer's keys, the same as for its tokens.
        issuer_names: the values of `iss` that are accepted.
        algorithms: those that are accepted from this issuer.
        client_id: for whom an answer must be made.
        leeway: seconds of difference between the clocks.
        clocks: the time.
    """

    source: KeySource
    issuer_names: frozenset[str]
    algorithms: frozenset[str]
    client_id: str
    leeway: float
    clocks: Clocks

    def members(self, document: bytes, *, asked_at: float) -> Members:
        """The answer within (`token_introspection`).

        Args:
            document: the answer as it was received.
            asked_at: when the question began, in seconds since the epoch.

        Raises:
            FetchFailed: another's answer, an old one, one for somebody else, or none; or the keys are not available.
        """
        try:
            parsed = parse_compact(document.strip())
            header, claims = parsed.header, parsed.claims
            if header.typ is None or media_type(header.typ) != _TYP or header.alg not in self.algorithms:
                raise _refused("introspection_signature", "is of another type, or signed by another algorithm")
            run_sync(
                find_signing_key(
                    self.source,
                    parsed,
                    lambda tried: key_request(header, claims, tried=tried),
                    since=self.clocks.ages(),
                )
            )
            return self._checked(claims, asked_at)
        except InvalidToken as error:
            raise _refused("introspection_signature", f"is not signed by the issuer ({error.reason})") from None
        except KeysUnavailable as error:
            raise FetchFailed(
                "introspection_signature",
                "the issuer's keys are not available, so its signed answer cannot be verified",
                retry_after_s=error.retry_after,
            ) from None

    def _checked(self, claims: Members, asked_at: float) -> Members:
        issuer, audience, answer = claims.get("iss"), claims.get("aud"), claims.get("token_introspection")
        if not isinstance(issuer, str) or issuer not in self.issuer_names:
            raise _refused("introspection_signature", "names another issuer")
        if self.client_id not in (audience if isinstance(audience, list) else [audience]):
            raise _refused("introspection_audience", "was made for another client (aud)")
        tolerance, issued_at = self.leeway + _CLOCK_S, numeric_date(claims, "iat")
        if issued_at is None or not asked_at - tolerance <= issued_at <= self.clocks.wall() + tolerance:
            raise _refused("introspection_answer", "was not made for this question: its iat is missing, old or ahead")
        if not isinstance(answer, dict):
            raise _refused("introspection_answer", "holds no answer (token_introspection)")
        return answer


def _refused(problem: IntrospectionProblem, what: str) -> FetchFailed:
    return FetchFailed(problem, f"the introspection endpoint's signed answer {what}")

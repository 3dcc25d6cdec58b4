"""Checks the DPoP proof of a request with a bound token (RFC 9449): for this server's own URL, with its nonce if asked for, used once."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final, TypeVar

from m2mguard._token.dpop_proof import GoodProof, KnownKeys, ProofRules, ProvenRequest, check_age, check_proof
from m2mguard._token.target_uri import RequestPath, target_uri
from m2mguard.caller import Caller
from m2mguard.dpop._replay import ReplayStoreFull, ReplayStoreUnavailable, UsedProof
from m2mguard.dpop._settings import Dpop, in_use
from m2mguard.errors import AnswerableError, ConfigurationError, InvalidDpopProof, KeysUnavailable, UseDpopNonce
from m2mguard.exemptions import RequestHead
from m2mguard.paths import WEBSOCKET

MAX_KNOWN_KEYS: Final = 1_024
RETRY_AFTER_S: Final = 2.0
E = TypeVar("E", bound=AnswerableError)


class DpopCheck:
    """Checks proofs for one resource server. Safe to share between threads and event loops, and across `fork`.

    Args:
        settings: what is asked for.
        resource_url: the API's URL, whose origin proofs must name.
        leeway_s: the difference of the clocks.
        clock: gives seconds since the epoch.

    Raises:
        ConfigurationError: there is no `resource_url`.
    """

    def __init__(
        self, settings: Dpop, resource_url: str | None, *, leeway_s: float, clock: Callable[[], float]
    ) -> None:
        origin = None if resource_url is None else target_uri(resource_url)
        if origin is None:
            raise ConfigurationError(
                'dpop needs resource_url, the URL of this API as its clients know it: resource_url="https://shopping.example". '
                "Proofs are compared with it, since a Host field is the sender's to choose."
            )
        self.required: bool = settings.required
        self.algorithms: tuple[str, ...] = tuple(settings.algorithms)
        self._rules = ProofRules(
            frozenset(settings.algorithms), origin, settings.stripped_prefix, settings.max_age, leeway_s
        )
        self._nonces, self._store = in_use(settings)
        self._now = clock
        self._known: KnownKeys = {}
        self._note_name = f"m2mguard.dpop.{id(self)}"

    def check(self, caller: Caller, thumbprint: str, token: bytes, head: RequestHead) -> UsedProof:
        """Check the proof of a request in all but whether it was used before. Pure CPU.

        Args:
            caller: of the token, which is verified.
            thumbprint: the `jkt` that the token is bound to.
            token: the token.
            head: of the request.

        Raises:
            InvalidDpopProof: there is not exactly one good proof.
            UseDpopNonce: the proof has no nonce of ours.
        """
        proof, now = self._check(thumbprint, token, head), self._now()
        if self._nonces is not None and (proof.nonce is None or not self._nonces.is_good(proof.nonce, now)):
            raise UseDpopNonce("dpop_nonce", nonce=self._nonces.current(now))
        check_age(proof, self._rules, now)
        expires_at = proof.issued_at + self._rules.max_age_s + self._rules.leeway_s
        return UsedProof(proof.token_id, (caller.issuer, caller.app_id), expires_at, now)

    def check_open(self, thumbprint: str, token: bytes, head: RequestHead) -> None:
        """As `check`, for a request that was accepted before and is still being answered: its proof is used and may be old by now."""
        self._check(thumbprint, token, head)

    def use(self, caller: Caller, proof: UsedProof, head: RequestHead | None) -> None:
        """Remember that a proof is used. May block, if a store of the user's does.

        A request that is authenticated twice, as by a middleware and a route below it, has used its proof once.

        Raises:
            InvalidDpopProof: it was used before.
            KeysUnavailable: that cannot be told.
        """
        if self._is_noted(proof, head):
            return
        try:
            is_first = self._store.first_use(proof)
        except Exception as error:  # noqa: BLE001 - whatever a store raises: it cannot be told
            raise _untold(error, caller) from None
        _check_first(is_first, caller)
        self._note(proof, head)

    async def ause(self, caller: Caller, proof: UsedProof, head: RequestHead | None) -> None:
        """As `use`, awaiting instead of blocking."""
        if self._is_noted(proof, head):
            return
        try:
            is_first = await self._store.afirst_use(proof)
        except Exception as error:  # noqa: BLE001 - as above
            raise _untold(error, caller) from None
        _check_first(is_first, caller)
        self._note(proof, head)

    def _is_noted(self, proof: UsedProof, head: RequestHead | None) -> bool:
        notes = getattr(head, "notes", None)
        return notes is not None and notes.get(self._note_name) == proof.token_id

    def _note(self, proof: UsedProof, head: RequestHead | None) -> None:
        notes = getattr(head, "notes", None)
        if notes is not None:
            notes[self._note_name] = proof.token_id

    def _check(self, thumbprint: str, token: bytes, head: RequestHead) -> GoodProof:
        if len(self._known) >= MAX_KNOWN_KEYS:
            self._known = {}  # a new dict, since a thread may be reading from this one
        method = "GET" if head.method == WEBSOCKET else head.method  # RFC 6455 section 4.1
        asked = ProvenRequest(method, _path_of(head), sha256(token).digest(), thumbprint)
        return check_proof(_only_proof(head), asked, self._rules, self._known)


def _only_proof(head: RequestHead) -> bytes:
    fields = [value for name, value in head.fields if len(name) == 4 and name.lower() == "dpop"]
    if len(fields) != 1:
        raise InvalidDpopProof("dpop_proof", problem="several_proofs" if fields else "no_proof")
    return fields[0].strip(" \t").encode("latin-1", "replace")


def _path_of(head: RequestHead) -> RequestPath:
    asked = head.path
    path, raw_path = asked["path"], asked.get("raw_path")
    mount: bytes = getattr(head, "script_name", b"")  # WSGI takes it off the path
    decoded = path if isinstance(path, bytes) else path.encode("utf-8", "surrogatepass")
    return RequestPath(None if raw_path is None else raw_path.partition(b"?")[0].decode("latin-1"), mount + decoded)


def _check_first(is_first: object, caller: Caller) -> None:
    if is_first is not True:
        raise _of(caller, InvalidDpopProof("dpop_replayed"))


def _untold(error: Exception, caller: Caller) -> KeysUnavailable:
    if isinstance(error, ReplayStoreFull):
        return _of(caller, KeysUnavailable("replay_store", retry_after=RETRY_AFTER_S, problem="store_full"))
    detail = f"what remembers used DPoP proofs raised {type(error).__name__}"
    if isinstance(error, ReplayStoreUnavailable):
        detail = f"what remembers used DPoP proofs: {error}"
    return _of(caller, KeysUnavailable("replay_store", detail, RETRY_AFTER_S, problem="store_failed"))


def _of(caller: Caller, error: E) -> E:
    error.app_id, error.issuer = caller.app_id, caller.issuer
    return error

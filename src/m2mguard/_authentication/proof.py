"""What one token request carries to prove who asks, and who makes it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from m2mguard._reasons.codes import TokenRequestReason
from m2mguard._validation import text


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What one token request carries. The repr shows none of it.

    Attributes:
        headers: header fields.
        parameters: form parameters.
        secrets: what must never be shown, in every form in which an endpoint could send it back.
    """

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


class ProofUnavailable(Exception):
    """There is no proof at this moment.

    Args:
        reason: for `TokenEndpointUnavailable`.
        sentence: in our own words; it must hold no secret.
    """

    def __init__(self, reason: TokenRequestReason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason: TokenRequestReason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofRequest:
    """For which request a proof is made.

    Attributes:
        client_id: who asks.
        issuer: the issuer's URL; the token endpoint's where no issuer is given.
        now_s: seconds since the epoch.
    """

    client_id: str
    issuer: str
    now_s: float


class Authentication(Protocol):
    """One way to prove it. Safe to share between threads."""

    def proof(self, request: ProofRequest) -> Proof:
        """Make the proof for one token request. May block.

        Raises:
            ProofUnavailable: none can be made now.
        """
        ...


class EndpointAuthentication(ABC):
    """An `Authentication` for any endpoint of an issuer: what it sends says who asks, and nothing of what is asked for."""

    __slots__ = ()

    @abstractmethod
    def proof(self, request: ProofRequest) -> Proof:
        """As `Authentication.proof`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """The application that asks: its id, and its way to prove it.

    Args:
        client_id: its id at the issuer.
        authentication: makes the proof.

    Raises:
        ConfigurationError: the id is empty, or has white space around it.
    """

    client_id: str
    authentication: Authentication = field(repr=False)

    def __post_init__(self) -> None:
        text("client_id", self.client_id)

    def proof(self, *, issuer: str, now_s: float) -> Proof:
        """Make the proof for one token request. May block.

        Raises:
            ProofUnavailable: none can be made now.
        """
        return self.authentication.proof(ProofRequest(client_id=self.client_id, issuer=issuer, now_s=now_s))

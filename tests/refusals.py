"""Helpers for refused tokens and requests."""

from collections.abc import Callable

import pytest

from m2mguard import InvalidToken, Requirement, ResourceServer
from m2mguard.errors import AnswerableError

ACCEPTED = "accepted"


def reason_of(server: ResourceServer, token: str | bytes, requirement: Requirement | None = None) -> str:
    """The reason why a server refuses a token with 401; fails if the server accepts the token."""
    with pytest.raises(InvalidToken) as caught:
        server.verify(token, requirement)
    return caught.value.reason


def refusal_of(call: Callable[[], object]) -> AnswerableError | None:
    """The refusal that a call raises, or None."""
    try:
        call()
    except AnswerableError as refusal:
        return refusal
    return None


def outcome_of(call: Callable[[], object]) -> object:
    """`ACCEPTED`, or the status and the reason of the refusal that a call raises."""
    refusal = refusal_of(call)
    return ACCEPTED if refusal is None else (refusal.status, refusal.reason)

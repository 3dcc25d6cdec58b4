"""What every request must meet, and the challenge that says so."""

from __future__ import annotations

from collections.abc import Collection

from m2mguard._server.answers import Answer
from m2mguard._server.requirement import Requirement
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.errors import AnswerableError, ConfigurationError


def requirement_of(scopes: Collection[str], requires: Requirement | None) -> Requirement:
    """What every request must meet. Raises ConfigurationError if both are given."""
    if requires is None:
        return Requirement(scopes=scopes)
    if scopes:
        raise ConfigurationError(
            "give scopes, or requires=Requirement(scopes=[...]) with more conditions, and not both."
        )
    if not isinstance(requires, Requirement):
        raise ConfigurationError('requires must be a Requirement, such as Requirement(scopes=["read:orders"]).')
    return requires


class ScopesInChallenges(BearerAuthMiddleware):
    """The middleware, with the scopes in the challenge of a 401 as well, as the MCP specification asks."""

    def _answer(self, error: AnswerableError) -> Answer:
        requires = self._requires or Requirement()
        return self._server.answer(error, scopes=(*requires.scopes, *requires.any_scope))

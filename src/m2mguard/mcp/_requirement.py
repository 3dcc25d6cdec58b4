"""What every request must meet, and the challenge that says so."""

from __future__ import annotations

from collections.abc import Collection

from m2mguard._server.answers import Answer
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer
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
    return requires


def answer_with_scopes(server: ResourceServer, error: AnswerableError, requirement: Requirement) -> Answer:
    """The answer to the caller, with the scopes in the challenge of a 401 as well, as the MCP specification asks."""
    return server.answer(error, scopes=(*requirement.scopes, *requirement.any_scope))


class ScopesInChallenges(BearerAuthMiddleware):
    """The middleware, which answers with `answer_with_scopes`."""

    def _answer(self, error: AnswerableError) -> Answer:
        return answer_with_scopes(self._server, error, self._requires or Requirement())

"""The helper for refused tokens."""

import pytest

from m2mguard import InvalidToken, Requirement, ResourceServer


def reason_of(server: ResourceServer, token: str | bytes, requirement: Requirement | None = None) -> str:
    """The reason why a server refuses a token with 401; fails if the server accepts the token."""
    with pytest.raises(InvalidToken) as caught:
        server.verify(token, requirement)
    return caught.value.reason

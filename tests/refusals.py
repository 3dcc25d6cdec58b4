"""The one helper for refused tokens."""

import pytest

from m2mguard import InvalidToken, ResourceServer


def reason_of(server: ResourceServer, token: str | bytes) -> str:
    """The reason for which a server refuses a token with 401; fails if it does not."""
    with pytest.raises(InvalidToken) as caught:
        server.verify(token)
    return caught.value.reason

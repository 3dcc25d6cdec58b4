"""A helper for failed exchanges: each has a code and a message of ours, without a host or the error of a library."""

import pytest

from m2mguard.net import TransportError


def error_of(get, url, **arguments) -> TransportError:
    """Make an exchange that fails; checks its message and returns its error."""
    with pytest.raises(TransportError) as caught:
        get(url, **arguments)
    message = str(caught.value)
    assert "127.0.0.1" not in message
    assert "localhost" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value

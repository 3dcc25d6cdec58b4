"""What every failed exchange keeps to: a code, and a sentence in our own words that names no host and carries no error of a library."""

import pytest

from m2mguard.net import TransportError


def fails(get, url, **arguments) -> TransportError:
    with pytest.raises(TransportError) as caught:
        get(url, **arguments)
    words = str(caught.value)
    assert "127.0.0.1" not in words
    assert "localhost" not in words
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return caught.value

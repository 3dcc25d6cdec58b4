"""A token may be sent only to one origin, in any notation of its URL."""

import pytest

from m2mguard.client._origin import Origin


@pytest.mark.parametrize(
    ("api_url", "request_to", "matches"),
    [
        ("https://shopping.example", ("https", "shopping.example", None), True),
        ("https://shopping.example", ("https", "Shopping.Example", 443), True),
        ("https://Shopping.Example:443/v1", ("https", "shopping.example", None), True),
        ("https://shopping.example:8443", ("https", "shopping.example", 8443), True),
        ("http://localhost:8000", ("http", "localhost", 8000), True),
        ("http://[::1]:8000", ("http", "::1", 8000), True),
        ("https://shopping.example", ("https", "shopping.example", 8443), False),
        ("https://shopping.example:8443", ("https", "shopping.example", None), False),
        ("https://shopping.example", ("http", "shopping.example", 443), False),
        ("https://shopping.example", ("http", "shopping.example", None), False),
        ("https://shopping.example", ("https", "shopping.example.evil", None), False),
        ("https://shopping.example", ("https", "evil-shopping.example", None), False),
        ("https://shopping.example", ("https", "v1.shopping.example", None), False),
        ("https://shopping.example", ("https", None, None), False),
        ("http://localhost:8000", ("http", "127.0.0.1", 8000), False),
    ],
)
def test_an_origin_matches_only_its_scheme_host_and_port(api_url, request_to, matches):
    assert Origin(api_url).matches(*request_to) is matches

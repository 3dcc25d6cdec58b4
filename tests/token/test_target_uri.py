"""The URI of a DPoP proof against that of a request: RFC 3986 section 6.2, RFC 9449 section 4.3."""

import pytest

from m2mguard._token.target_uri import RequestPath, is_target, target_uri

ORIGIN = target_uri("https://shopping.example/v1")


def fits(htu: str, sent: str | None, decoded: str | None = None, *, prefix: str = "") -> bool:
    assert ORIGIN
    found = target_uri(htu)
    path = RequestPath(sent, (decoded or sent or "").encode())
    return found is not None and is_target(found, ORIGIN, path, prefix)


@pytest.mark.parametrize(
    ("htu", "sent", "expected"),
    [
        ("https://shopping.example/orders", "/orders", True),
        ("HTTPS://Shopping.EXAMPLE:443/orders", "/orders", True),
        ("https://shopping.example/orders?page=2#top", "/orders", True),
        ("https://shopping.example", "/", True),
        ("https://shopping.example/", "/", True),
        ("https://shopping.example?q", "/", True),
        ("https://shopping.example/a/./b/../orders", "/a/orders", True),
        ("https://shopping.example/a/..", "/", True),
        ("https://shopping.example/%7eme/%6Frders", "/~me/orders", True),
        ("https://shopping.example/~me", "/%7Eme", True),
        ("https://shopping.example/a%2fb", "/a%2Fb", True),
        ("https://shopping.example/a%2fb", "/a/b", False),
        ("https://shopping.example/a%24b", "/a$b", False),
        ("https://shopping.example/b", "/a/../b", False),
        ("https://shopping.example/a/../b", "/a/../b", False),
        ("https://shopping.example/b", "/%2e/b", False),
        ("https://shopping.example/orders", "/Orders", False),
        ("https://shopping.example/orders", "//orders", False),
        ("https://shopping.example//orders", "//orders", True),
        ("https://shopping.example:444/orders", "/orders", False),
        ("http://shopping.example/orders", "/orders", False),
        ("https://shopping.example.evil/orders", "/orders", False),
        ("https://user@shopping.example/orders", "/orders", False),
        ("https://shopping.example/%zz", "/%zz", False),
        ("https://shopping.example/orders", "/%", False),
        ("wss://shopping.example/orders", "/orders", False),
        ("/orders", "/orders", False),
        ("", "/", False),
        ("https://shopping.example/\u00e9", "/\u00e9", False),
        ("https://shopping.example:x/orders", "/orders", False),
        ("https://[/orders", "/orders", False),
        ("https://shopping.example/orders\n", "/orders", False),
        ("https://shopping.example/" + "a" * 5000, "/" + "a" * 5000, False),
    ],
)
def test_a_uri_is_compared_after_normalisation(htu, sent, expected):
    assert fits(htu, sent) is expected


@pytest.mark.parametrize(
    ("htu", "decoded", "expected"),
    [
        ("https://shopping.example/a%20b", "/a b", True),
        ("https://shopping.example/%C3%A9", "/\u00e9", True),
        ("https://shopping.example/a%2Fb", "/a/b", True),  # the application cannot tell them apart either
        ("https://shopping.example/b", "/a/../b", False),
        ("https://shopping.example/orders", "/order", False),
    ],
)
def test_a_decoded_path_is_compared_decoded(htu, decoded, expected):
    assert fits(htu, None, decoded) is expected


@pytest.mark.parametrize(("prefix", "expected"), [("/shop", True), ("", False), ("/other", False)])
def test_what_a_proxy_took_off_the_path_is_put_in_front_again(prefix, expected):
    assert fits("https://shopping.example/shop/orders", "/orders", prefix=prefix) is expected
    assert fits("https://shopping.example/shop/orders", None, "/orders", prefix=prefix) is expected

"""Where threads run at once, `dict.get` may make a thread wait for others that read the same map: CPython 3.13 takes the map's lock in it,
and once more if the key is an equal one of another thread. A subscript does not wait, so it is what reads a map that threads share.
"""

import sys

from m2mguard import Requirement, ResourceServer
from m2mguard.testing import SHOPPING_API


def maps_asked_by_get(call):
    """The maps whose `get` is called meanwhile, but for those of the token itself, which no other thread knows."""
    asked = []

    def notice(frame, event, function):
        asked_of = getattr(function, "__self__", None)
        if event == "c_call" and function.__name__ == "get" and "iss" not in asked_of:
            asked.append((frame.f_code.co_qualname, asked_of))

    sys.setprofile(notice)
    try:
        call()
    finally:
        sys.setprofile(None)
    return asked


def test_a_map_that_is_read_by_get_is_noticed():
    assert [found for _, found in maps_asked_by_get(lambda: {"a": 1}.get("a"))] == [{"a": 1}]


def test_no_shared_map_is_read_by_get_for_a_remembered_token(m2m_issuer):
    server = ResourceServer(m2m_issuer.url, audience=SHOPPING_API)
    header = [b"Bearer " + m2m_issuer.mint(scopes=["read:orders"]).encode()]
    requirement = Requirement(scopes=["read:orders"])
    server.authenticate(header, requirement)
    assert maps_asked_by_get(lambda: server.authenticate(header, requirement)) == []


def test_no_shared_map_is_read_by_get_for_a_token_that_is_seen_first(m2m_issuer):
    server = ResourceServer(m2m_issuer.url, audience=SHOPPING_API)
    server.verify(m2m_issuer.mint())
    another = m2m_issuer.mint()
    assert maps_asked_by_get(lambda: server.verify(another)) == []

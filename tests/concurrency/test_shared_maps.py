"""`dict.get` may wait for other threads that read the same dict: in free-threaded CPython 3.13 it locks the dict, and again if the key is
an equal object of another thread. A subscript does not wait, so the library reads dicts that threads share with subscripts only.
"""

import sys

from m2mguard import Requirement, ResourceServer
from m2mguard.testing import SHOPPING_API


def dicts_read_by_get(call):
    """The dicts whose `get` is called during the call, without those of the token itself, which no other thread uses."""
    read = []

    def profile(frame, event, function):
        owner = getattr(function, "__self__", None)
        if event == "c_call" and function.__name__ == "get" and "iss" not in owner:
            read.append((frame.f_code.co_qualname, owner))

    sys.setprofile(profile)
    try:
        call()
    finally:
        sys.setprofile(None)
    return read


def test_a_call_of_get_is_detected():
    assert [found for _, found in dicts_read_by_get(lambda: {"a": 1}.get("a"))] == [{"a": 1}]


def test_a_cached_token_reads_no_shared_dict_by_get(m2m_issuer):
    server = ResourceServer(m2m_issuer.url, audience=SHOPPING_API)
    header = [b"Bearer " + m2m_issuer.mint(scopes=["read:orders"]).encode()]
    requirement = Requirement(scopes=["read:orders"])
    server.authenticate(header, requirement)
    assert dicts_read_by_get(lambda: server.authenticate(header, requirement)) == []


def test_a_new_token_reads_no_shared_dict_by_get(m2m_issuer):
    server = ResourceServer(m2m_issuer.url, audience=SHOPPING_API)
    server.verify(m2m_issuer.mint())
    another = m2m_issuer.mint()
    assert dicts_read_by_get(lambda: server.verify(another)) == []

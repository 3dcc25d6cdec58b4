"""Several blocks around one server: the last to begin counts, in whatever order they end, and nothing of them stays."""

import gc
import threading
import weakref

import pytest

from m2mguard import ResourceServer
from m2mguard.errors import MissingToken
from m2mguard.testing import LocalIssuer, TestServer, calling_as, fake_caller, trusting
from tests.refusals import reason_of

AUDIENCE = "https://mine.api"


@pytest.fixture
def server():
    return ResourceServer("https://tenant.example/oidc", audience=AUDIENCE)


def caller_of(server):
    try:
        return server.authenticate([]).app_id
    except MissingToken:
        return None


@pytest.mark.parametrize(
    ("ending", "seen"),
    [
        (["c", "b", "a"], ["b", "a", None]),
        (["a", "b", "c"], ["c", "c", None]),
        (["b", "a", "c"], ["c", "c", None]),
        (["a", "c", "b"], ["c", "b", None]),
    ],
    ids=["cba", "abc", "bac", "acb"],
)
def test_blocks_end_in_any_order(server, ending, seen):
    blocks = {name: calling_as(server, fake_caller(name)) for name in "abc"}
    for name, block in blocks.items():
        block.__enter__()
        assert caller_of(server) == name
    found = []
    for name in ending:
        blocks[name].__exit__(None, None, None)
        found.append(caller_of(server))
    assert found == seen


def test_a_block_of_another_thread_may_end_later(server):
    began, may_end = threading.Event(), threading.Event()

    def other():
        with calling_as(server, fake_caller("app-other")):
            began.set()
            may_end.wait(10)

    thread = threading.Thread(target=other)
    before = vars(server).copy()
    with calling_as(server, fake_caller("app-mine")):
        thread.start()
        began.wait(10)
        assert caller_of(server) == "app-other"
    assert caller_of(server) == "app-other"
    may_end.set()
    thread.join()
    assert vars(server) == before


def test_the_same_block_twice_is_two_blocks(server):
    caller = fake_caller("app-mine")
    with calling_as(server, caller):
        with calling_as(server, caller):
            assert caller_of(server) == "app-mine"
        assert caller_of(server) == "app-mine"
    assert caller_of(server) is None


def test_what_changes_between_two_blocks_is_kept(server):
    with calling_as(server, fake_caller("app-mine")):
        pass
    changed = ResourceServer("https://other.example/oidc", audience=AUDIENCE)
    vars(server).update(vars(changed))
    with calling_as(server, fake_caller("app-mine")):
        pass
    assert vars(server) == vars(changed)


def test_other_servers_are_untouched(server):
    other = ResourceServer("https://tenant.example/oidc", audience=AUDIENCE)
    with calling_as(server, fake_caller("app-mine")):
        assert (caller_of(server), caller_of(other)) == ("app-mine", None)


def test_a_caller_inside_trusting_is_of_the_local_issuer(server):
    before = vars(server).copy()
    with LocalIssuer(served=False) as issuer, trusting(server, issuer):
        token = issuer.mint("app-real", audience=AUDIENCE)
        with calling_as(server, fake_caller("app-fake")) as caller:
            assert (caller.issuer, server.verify(token).app_id) == (issuer.url, "app-fake")
        assert server.verify(token).app_id == "app-real"
        assert issuer.count() == 1
    assert vars(server) == before


def test_trusting_inside_a_callers_block_wants_real_tokens(server):
    with LocalIssuer(served=False) as issuer, calling_as(server, fake_caller("app-fake")):
        with trusting(server, issuer):
            assert caller_of(server) is None
            assert server.verify(issuer.mint("app-real", audience=AUDIENCE)).app_id == "app-real"
        assert caller_of(server) == "app-fake"


def test_the_inner_of_two_issuers_is_trusted(server):
    with LocalIssuer(served=False) as outer, LocalIssuer(served=False, path="/inner") as inner:
        with trusting(server, outer), trusting(server, inner):
            server.verify(inner.mint(audience=AUDIENCE))
            assert (
                reason_of(server, outer.mint(audience=AUDIENCE)) == "unknown_key"
            )  # its name is that of the app's issuer
            outer_token = outer.mint(audience=AUDIENCE)
        assert reason_of(server, outer_token) == "unknown_issuer"


def test_a_test_server_keeps_its_issuer_and_clock():
    with TestServer() as server, LocalIssuer(served=False, path="/other") as other:
        with trusting(server, other):
            server.verify(other.mint())
            assert reason_of(server, server.token()) == "unknown_key"
        server.verify(server.token())


def test_a_server_is_not_kept_alive():
    server = ResourceServer("https://tenant.example/oidc", audience=AUDIENCE)
    with calling_as(server, fake_caller("app-mine")):
        pass
    remembered = weakref.ref(server)
    del server
    gc.collect()
    assert remembered() is None

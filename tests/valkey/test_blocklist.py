"""A block list in a real Valkey server: known everywhere at once, sealed, never worse off for what happens to the server."""

import os
import secrets
import threading
import time

import pytest

from m2mguard import ResourceServer
from m2mguard.blocklist import ValkeyBlocklist
from m2mguard.blocklist._items import KEPT_S, blocks_of
from m2mguard.blocklist._sealed import seal
from m2mguard.blocklist._shared_list import SharedList, Unusable
from m2mguard.blocklist._valkey_list import PREFIX
from m2mguard.errors import ConfigurationError
from m2mguard.events import BlocklistChanged, BlocklistFailed
from m2mguard.net._batches import NoAnswer
from m2mguard.net._valkey import ValkeyServer
from tests.blocklist.conftest import answer_of_child, block, until
from tests.security.forge import ACCEPTED, mint, outcome, server
from tests.valkey_servers import running_store, silent_server

KEY = secrets.token_bytes(32)
BLOCKED = (401, "blocked")
LIST = f"{PREFIX}list"


@pytest.fixture
def make(opened):
    """A list at a server, as a process has it."""
    return lambda url, **settings: opened(ValkeyBlocklist(url, **{"key": KEY, "interval": 0.2, **settings}))


def operator(valkey, key=KEY):
    """The list as `m2mguard block` has it."""
    return SharedList(ValkeyServer(valkey.url, timeout_s=5), key, PREFIX)


def put(valkey, *blocks, key=KEY):
    return operator(valkey, key).change(lambda _: blocks, now=lambda: 1_800_000_000.0)


def test_the_first_request_knows_the_list_and_changes_are_heard(valkey, make):
    put(valkey, block())
    events = []
    api = server(blocklist=make(valkey.url, interval=60), on_event=events.append)
    assert outcome(api, mint()) == BLOCKED
    put(valkey)
    until(lambda: outcome(api, mint()) == ACCEPTED)
    assert [(one.added, one.removed) for one in events if isinstance(one, BlocklistChanged)] == [(1, 0), (0, 1)]


def test_without_messages_it_is_seen_within_the_interval(valkey, make, monkeypatch):
    monkeypatch.setattr(ValkeyServer, "wait_for_message", lambda self, _, seconds: time.sleep(seconds))
    api = server(blocklist=make(valkey.url))
    assert outcome(api, mint()) == ACCEPTED
    put(valkey, block())
    until(lambda: outcome(api, mint()) == BLOCKED)


@pytest.mark.parametrize("damage", ["flushed", "set back"])
def test_a_server_that_lost_its_list_gets_it_back(valkey, make, damage):
    events = []
    put(valkey, block(app_id="app-billing"))
    old = valkey.client.hgetall(LIST)
    put(valkey, block())
    blocklist = make(valkey.url)
    api = server(blocklist=blocklist, on_event=events.append)
    assert outcome(api, mint()) == BLOCKED
    if damage == "flushed":
        valkey.client.flushall()
    else:
        valkey.client.hset(LIST, mapping=old)
    until(lambda: [one for one in events if isinstance(one, BlocklistFailed)])
    assert outcome(api, mint()) == BLOCKED
    assert [one.problem for one in events if isinstance(one, BlocklistFailed)] == ["blocklist_set_back"]
    until(lambda: outcome(server(blocklist=make(valkey.url)), mint()) == BLOCKED)  # a process that starts now
    until(lambda: blocklist.health().last_problem is None)


def forged(valkey):
    other = SharedList(ValkeyServer(valkey.url, timeout_s=5), secrets.token_bytes(32), PREFIX)
    valkey.client.delete(LIST)
    other.change(lambda _: [block(app_id="app-billing")], now=lambda: 1_900_000_000.0)


def truncated(valkey):
    whole = valkey.client.hget(LIST, "sealed")
    valkey.client.hset(LIST, mapping={"sealed": whole[:-10], "mark": "9"})


def changed(valkey):
    whole = valkey.client.hget(LIST, "sealed")
    valkey.client.hset(LIST, mapping={"sealed": whole.replace(b"app-orders", b"app-renamd"), "mark": "9"})


def of_another_purpose(valkey):
    """What this key has sealed under another name."""
    other = SharedList(ValkeyServer(valkey.url, timeout_s=5), KEY, "other:")
    sealed = other.change(lambda _: [], now=lambda: 1_900_000_000.0).sealed
    valkey.client.hset(LIST, mapping={"sealed": sealed, "mark": "9"})


def nothing_at_all(valkey):
    valkey.client.hset(LIST, mapping={"mark": "", "sealed": ""})


def of_another_library(valkey):
    """Sealed by our key, and in a form that this version does not know."""
    sealed = seal(KEY, f"block list {PREFIX}", b'{"format": 3, "version": 1, "items": []}')
    valkey.client.hset(LIST, mapping={"mark": "9", "sealed": sealed})


def of_another_type(valkey):
    valkey.client.delete(LIST)
    valkey.client.set(LIST, "x")


@pytest.mark.parametrize(
    "damage", [forged, truncated, changed, of_another_purpose, nothing_at_all, of_another_library, of_another_type]
)
def test_what_is_not_sealed_by_our_key_is_not_used(valkey, make, damage):
    events = []
    put(valkey, block())
    api = server(blocklist=make(valkey.url), on_event=events.append)
    billing = mint({"sub": "app-billing", "client_id": "app-billing"})
    assert [outcome(api, mint()), outcome(api, billing)] == [BLOCKED, ACCEPTED]
    damage(valkey)
    until(lambda: [one for one in events if isinstance(one, BlocklistFailed)])
    assert [outcome(api, mint()), outcome(api, billing)] == [BLOCKED, ACCEPTED]
    (health,) = {api.health().blocklist.last_problem} - {None}
    assert health in ("blocklist_unusable", "blocklist_unreadable")
    valkey.client.delete(LIST)
    put(valkey, block(app_id="app-billing"))
    until(lambda: outcome(api, billing) == BLOCKED)


def test_a_list_that_is_begun_on_an_emptied_server_loses_no_entry(valkey, make):
    put(valkey, block())
    blocklist = make(valkey.url, interval=60)
    api, billing = server(blocklist=blocklist), mint({"sub": "app-billing", "client_id": "app-billing"})
    assert outcome(api, mint()) == BLOCKED
    valkey.client.flushall()
    put(valkey, block(app_id="app-billing"))
    until(lambda: outcome(api, billing) == BLOCKED)
    assert outcome(api, mint()) == BLOCKED
    until(lambda: {one.app_id for one in blocks_of(operator(valkey).read().items)} == {"app-orders", "app-billing"})


def test_what_was_freed_stays_free_when_an_old_list_is_restored(valkey, make):
    put(valkey, block())
    old = valkey.client.hgetall(LIST)
    put(valkey)
    api = server(blocklist=make(valkey.url))
    assert outcome(api, mint()) == ACCEPTED
    valkey.client.hset(LIST, mapping=old)
    until(lambda: blocks_of(operator(valkey).read().items) == [])
    assert outcome(api, mint()) == ACCEPTED
    put(valkey, block())
    until(lambda: outcome(api, mint()) == BLOCKED)


def test_an_outage_changes_no_verdict_and_delays_no_request(tmp_path, make):
    with running_store(tmp_path) as valkey:
        put(valkey, block())
        blocklist = make(valkey.url)
        api = server(blocklist=blocklist)
        billing = mint({"sub": "app-billing", "client_id": "app-billing"})
        assert [outcome(api, mint()), outcome(api, billing)] == [BLOCKED, ACCEPTED]

        def slowest():
            slow = 0.0
            for _ in range(300):
                begin = time.perf_counter()
                assert [outcome(api, mint()), outcome(api, billing)] == [BLOCKED, ACCEPTED]
                slow = max(slow, time.perf_counter() - begin)
                time.sleep(0.002)
            return slow

        with valkey.frozen():
            until(lambda: blocklist.health().last_problem == "blocklist_unreadable")
            assert slowest() < 0.4  # less than one time-out
        until(lambda: blocklist.health().last_problem is None)
        valkey.stop()
        until(lambda: blocklist.health().last_problem == "blocklist_unreadable")
        assert slowest() < 0.4
        assert blocklist.health().entries == 1
        valkey.start()
        until(lambda: blocklist.health().last_problem is None)
        until(lambda: operator(valkey).read() is not None)  # it had no disk: a process has written it back
        assert [outcome(api, mint()), outcome(api, billing)] == [BLOCKED, ACCEPTED]


def test_a_process_that_starts_in_an_outage_waits_once(make):
    with silent_server() as url:
        api = server(blocklist=make(url, timeout=0.2))
        begin = time.perf_counter()
        assert [outcome(api, mint()) for _ in range(20)] == [ACCEPTED] * 20
        assert time.perf_counter() - begin < 3
        assert api.readiness().status == 200
        required = server(blocklist=make(url, timeout=0.2, required=True))
        assert required.readiness().status == 503


def test_entries_that_have_ended_a_day_ago_are_left_out_by_the_next_change(valkey):
    put(valkey, block(expires_at=2_000_000_000.0), block(token_id="token-1", expires_at=1_800_000_001.0))
    left = operator(valkey).change(lambda blocks: blocks, now=lambda: 1_800_000_001.0 + KEPT_S)
    assert [one.block.subject for one in left.items.values()] == [("app_id", "app-orders")]


def test_two_operators_at_once_lose_nothing(valkey):
    put(valkey)
    again = []

    def add(blocks):
        if not again:
            again.append(put(valkey, block(app_id="app-billing")))
        return [*blocks, block()]

    found = operator(valkey).change(add, now=lambda: 1_800_000_000.0)
    assert {one.app_id for one in blocks_of(found.items)} == {"app-billing", "app-orders"}


def test_each_process_leaves_a_notice(valkey, make):
    version = put(valkey, block()).version
    blocklists = [make(valkey.url) for _ in range(3)]
    for one in blocklists:
        assert outcome(server(blocklist=one), mint()) == BLOCKED
    valkey.client.set(f"{PREFIX}process:forged", b"0" * 64 + b"\n{}")
    until(lambda: [one.version for one in operator(valkey).notices()[0]] == [version] * 3)
    notices, count = operator(valkey).notices()
    assert count == 1
    assert {one.pid for one in notices} == {os.getpid()}
    assert len({one.process for one in notices}) == 3
    assert all(one.age_s < 5 and one.error is None for one in notices)
    assert operator(valkey, secrets.token_bytes(32)).notices() == ([], 4)


def test_a_notice_tells_an_error(valkey, make):
    put(valkey, block())
    assert outcome(server(blocklist=make(valkey.url)), mint()) == BLOCKED
    valkey.client.hset(LIST, mapping={"mark": "7", "sealed": "x"})
    until(
        lambda: ["seal is not that of our key" in (one.error or "") for one in operator(valkey).notices()[0]] == [True]
    )


def test_a_forked_process_is_another_one(valkey, make):
    put(valkey)
    blocklist = make(valkey.url)
    api = server(blocklist=blocklist)
    assert outcome(api, mint()) == ACCEPTED
    put(valkey, block())
    assert answer_of_child(lambda: outcome(api, mint())) == repr(BLOCKED)
    pids = {one.pid for one in operator(valkey).notices()[0]}
    assert len(pids) == 2
    assert os.getpid() in pids


def test_a_process_that_is_forked_in_the_middle_of_a_look_reads_for_itself(valkey, make):
    put(valkey)
    blocklist = make(valkey.url)
    api = server(blocklist=blocklist)
    assert outcome(api, mint()) == ACCEPTED
    blocklist.close()
    until(lambda: not any(thread.name == "m2mguard-blocked-valkey" for thread in threading.enumerate()))
    put(valkey, block())
    assert blocklist._read().blocks == [block()]  # it is known, and not in force yet
    assert answer_of_child(lambda: outcome(api, mint())) == repr(BLOCKED)


def test_no_key_and_no_password_is_shown(valkey, make):
    shown = repr(make(valkey.url.replace("//", "//shop:canary@"), key=b"canary" * 8))
    assert "canary" not in shown
    assert "127.0.0.1" in shown


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"key": b"short"}, "key must be at least 32 secret bytes"),
        ({"key": "x" * 40}, "key must be at least 32 secret bytes"),
        ({"interval": 0}, "interval"),
        ({"timeout": 11}, "timeout"),
        ({"prefix": ""}, "prefix"),
    ],
)
def test_an_invalid_setting_is_named(settings, named):
    with pytest.raises(ConfigurationError, match=named):
        ValkeyBlocklist("valkey://127.0.0.1", **{"key": KEY, **settings})
    assert ValkeyBlocklist("valkey://127.0.0.1", key=KEY)


def test_variables_name_a_list(valkey, tmp_path):
    variables = {"M2MGUARD_ISSUER": "https://issuer.example", "M2MGUARD_AUDIENCE": "https://shopping.api"}
    key = {"M2MGUARD_BLOCKLIST_KEY": "A" * 43}
    named = ResourceServer.from_env(
        {**variables, **key, "M2MGUARD_BLOCKLIST": valkey.url, "M2MGUARD_BLOCKLIST_REQUIRED": "true"}
    ).settings.blocklist
    assert (type(named), named.required) == (ValkeyBlocklist, True)
    path = str(tmp_path / "blocked.json")
    assert str(ResourceServer.from_env({**variables, "M2MGUARD_BLOCKLIST": path}).settings.blocklist.path) == path
    for wrong, expected in (
        ({"M2MGUARD_BLOCKLIST": valkey.url}, "needs its key"),
        ({**key, "M2MGUARD_BLOCKLIST": path}, "has no key"),
        (key, "no effect without M2MGUARD_BLOCKLIST"),
        ({"M2MGUARD_BLOCKLIST": valkey.url, "M2MGUARD_BLOCKLIST_KEY": "!"}, "secret bytes in base64url"),
    ):
        with pytest.raises(ConfigurationError, match=expected):
            ResourceServer.from_env({**variables, **wrong})


def test_a_server_that_does_not_let_us_write_is_named(valkey, monkeypatch):
    valkey.client.set(LIST, "x")
    with pytest.raises(NoAnswer, match="refuses a command"):
        operator(valkey).read()
    valkey.client.delete(LIST)
    valkey.client.execute_command("ACL", "SETUSER", "reader", "on", ">pw", "~*", "&*", "+@all", "-eval")
    reader = SharedList(ValkeyServer(valkey.url.replace("//", "//reader:pw@"), timeout_s=5), KEY, PREFIX)
    with pytest.raises(NoAnswer, match="refuses a command"):
        reader.change(lambda _: [block()])
    monkeypatch.setattr(SharedList, "write", lambda *_, **__: None)
    with pytest.raises(NoAnswer, match="somebody else writes the list all the time"):
        operator(valkey).change(lambda _: [block()])


@pytest.mark.parametrize(
    "document",
    [
        b"{",
        b"[]",
        b'{"format": 1, "version": 1, "items": []}',
        b'{"format": 2, "version": "1", "items": []}',
        b'{"format": 2, "version": 1, "items": {}}',
        b'{"format": 2, "version": 1, "items": [{}]}',
        b'{"format": 2, "version": 1, "items": [7]}',
        b'{"format": 2, "version": 1, "items": [{"stamp": 1, "blocks": true, "block": {"appid": "a"}}]}',
    ],
)
def test_a_sealed_document_in_another_form_is_no_list(valkey, document):
    with pytest.raises(Unusable):
        operator(valkey).opened(seal(KEY, f"block list {PREFIX}", document))
    good = b'{"format": 2, "version": 1, "items": []}'
    assert operator(valkey).opened(seal(KEY, f"block list {PREFIX}", good)).items == {}

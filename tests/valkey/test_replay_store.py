"""Used DPoP proofs in a real Valkey server: once for all processes together, bounded, and 503 whenever that cannot be told."""

import asyncio
import logging
import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio

from m2mguard import ResourceServer
from m2mguard.dpop import ReplayStoreFull, ReplayStoreUnavailable, UsedProof, ValkeyReplayStore
from m2mguard.errors import ConfigurationError, KeysUnavailable
from tests.manual_clock import ManualClock
from tests.refusals import ACCEPTED
from tests.security.forge import NOW
from tests.security.test_dpop import USED, call, guard, proof, result
from tests.valkey_servers import running_store, silent_server

SHOP, BANK = ("https://issuer.example", "app-shop"), ("https://issuer.example", "app-bank")


def used(number: int, application: tuple[str, str] = SHOP, seconds: float = 90.0) -> UsedProof:
    return UsedProof(number.to_bytes(32), application, expires_at=1_000.0 + seconds, now=1_000.0)


def eventually(first_use) -> bool:
    """The first answer after an outage."""
    deadline = time.monotonic() + 10
    while True:
        try:
            return first_use()
        except ReplayStoreUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_a_proof_is_used_once_in_all_processes(valkey):
    one, other = ValkeyReplayStore(valkey.url), ValkeyReplayStore(valkey.url)
    assert one.first_use(used(1)) is True
    assert (one.first_use(used(1)), other.first_use(used(1))) == (False, False)
    assert other.first_use(used(2)) is True
    assert asyncio.run(one.afirst_use(used(2))) is False
    assert asyncio.run(one.afirst_use(used(3))) is True
    assert trio.run(other.afirst_use, used(3)) is False
    assert trio.run(other.afirst_use, used(4)) is True


def test_of_many_threads_at_once_exactly_one_passes(valkey):
    stores = [ValkeyReplayStore(valkey.url, timeout=10) for _ in range(2)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda number: stores[number % 2].first_use(used(number // 10)), range(400)))
    assert answers.count(True) == 40


def test_many_tasks_share_one_connection(valkey):
    store = ValkeyReplayStore(valkey.url, timeout=10)
    before = valkey.client.info("stats")["total_connections_received"]

    async def all_at_once():
        return await asyncio.gather(*(store.afirst_use(used(number % 500)) for number in range(1_000)))

    answers = asyncio.run(all_at_once())
    assert answers.count(True) == 500
    assert valkey.client.info("stats")["total_connections_received"] - before == 2  # the store's, and this client's


def test_two_servers_names_do_not_meet(valkey):
    assert ValkeyReplayStore(valkey.url, prefix="shop:").first_use(used(1))
    assert ValkeyReplayStore(valkey.url, prefix="bank:").first_use(used(1))
    assert all(name.startswith((b"shop:", b"bank:")) for name in valkey.client.keys("*"))


def test_an_application_has_its_share(valkey):
    store = ValkeyReplayStore(valkey.url, max_proofs_per_application=2)
    assert store.first_use(used(1))
    assert store.first_use(used(2))
    with pytest.raises(ReplayStoreFull):
        store.first_use(used(3))
    assert store.first_use(used(1)) is False
    assert store.first_use(used(3, BANK))


def test_room_is_free_again_when_proofs_are_too_old(valkey):
    store = ValkeyReplayStore(valkey.url, max_proofs_per_application=1)
    assert store.first_use(used(1, seconds=0.3))
    with pytest.raises(ReplayStoreFull):
        store.first_use(used(2))
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            assert store.first_use(used(2, seconds=0.1)) is True
            break
        except ReplayStoreFull:
            time.sleep(0.02)
    else:
        raise AssertionError("a proof that is too old still takes room")
    while valkey.client.dbsize() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert valkey.client.dbsize() == 0


def test_a_full_server_is_full(tmp_path):
    with running_store(tmp_path, maxmemory="1", **{"maxmemory-policy": "noeviction"}) as valkey:
        store = ValkeyReplayStore(valkey.url)
        with pytest.raises(ReplayStoreFull):
            store.first_use(used(1))
        valkey.client.config_set("maxmemory", "0")
        assert store.first_use(used(1))


def test_a_server_that_forgets_is_told_once(tmp_path, caplog):
    with running_store(tmp_path, **{"maxmemory-policy": "allkeys-lru"}) as valkey:
        store = ValkeyReplayStore(valkey.url)
        assert [store.first_use(used(1)), store.first_use(used(1))] == [True, False]
    (record,) = [one for one in caplog.records if one.levelno == logging.WARNING]
    assert "maxmemory-policy allkeys-lru" in record.getMessage()


def test_a_server_that_keeps_is_not_told(valkey, caplog):
    assert ValkeyReplayStore(valkey.url).first_use(used(1))
    assert not caplog.records


def test_a_server_without_scripts_for_us_is_unavailable(tmp_path, caplog):
    with running_store(tmp_path) as valkey:
        valkey.client.execute_command("ACL", "SETUSER", "shop", "on", ">canary-pw", "~*", "+@all", "-eval")
        store = ValkeyReplayStore(valkey.url.replace("//", "//shop:canary-pw@"))
        with pytest.raises(ReplayStoreUnavailable, match=r"Valkey refuses a command \(NoPermissionError\)"):
            store.first_use(used(1))
        valkey.client.execute_command("ACL", "SETUSER", "shop", "+eval", "-info")
        assert store.first_use(used(1))


def test_after_an_outage_it_goes_on(tmp_path):
    with running_store(tmp_path) as valkey:
        store = ValkeyReplayStore(valkey.url)
        assert store.first_use(used(1))
        valkey.stop()
        with pytest.raises(ReplayStoreUnavailable, match="Valkey cannot be reached"):
            store.first_use(used(2))
        begin = time.perf_counter()
        for _ in range(20):
            with pytest.raises(ReplayStoreUnavailable, match="Valkey cannot be reached"):
                store.first_use(used(2))
        assert time.perf_counter() - begin < 0.5  # nobody waits for a server that is down
        valkey.start()
        assert eventually(lambda: store.first_use(used(3)))


def test_a_frozen_server_costs_one_wait(valkey):
    store = ValkeyReplayStore(valkey.url, timeout=0.3)
    assert store.first_use(used(1))
    with valkey.frozen():
        for _ in range(3):
            with pytest.raises(ReplayStoreUnavailable):
                store.first_use(used(2))
    assert eventually(lambda: store.first_use(used(3)))
    assert store.first_use(used(1)) is False


def test_a_server_that_never_answers_is_unavailable():
    with silent_server() as url:
        store = ValkeyReplayStore(url, timeout=0.05)
        with pytest.raises(ReplayStoreUnavailable, match="no answer"):
            store.first_use(used(1))
        with pytest.raises(ReplayStoreUnavailable, match="no answer"):
            asyncio.run(store.afirst_use(used(1)))


def test_a_password_is_needed_and_never_shown(tmp_path):
    with running_store(tmp_path) as valkey:
        valkey.client.config_set("requirepass", "canary-pw")
        good = ValkeyReplayStore(valkey.url.replace("//", "//:canary-pw@"))
        assert good.first_use(used(1))
        bad = ValkeyReplayStore(valkey.url.replace("//", "//:canary-other@"))
        with pytest.raises(ReplayStoreUnavailable, match="refuses the user name or the password") as caught:
            bad.first_use(used(2))
    shown = f"{good!r} {bad!r} {caught.value!r} {good._server!r}"
    assert "canary" not in shown
    assert "127.0.0.1" in shown


def _in_child(store, answers):
    answers.put([store.first_use(used(1)), store.first_use(used(2))])


def test_a_forked_process_has_a_connection_of_its_own(valkey):
    store = ValkeyReplayStore(valkey.url)
    assert store.first_use(used(1))
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=_in_child, args=(store, answers))
    child.start()
    assert answers.get(timeout=20) == [False, True]
    child.join()
    assert [store.first_use(used(2)), store.first_use(used(3))] == [False, True]


def test_an_api_is_given_the_url_by_a_variable(valkey):
    variables = {
        "M2MGUARD_ISSUER": "https://issuer.example",
        "M2MGUARD_AUDIENCE": "https://shopping.api",
        "M2MGUARD_RESOURCE_URL": "https://shopping.example",
        "M2MGUARD_DPOP": "accepted",
    }
    store = ResourceServer.from_env({**variables, "M2MGUARD_DPOP_REPLAY_STORE": valkey.url}).settings.dpop.replay_store
    assert store.first_use(used(1))
    assert not ValkeyReplayStore(valkey.url).first_use(used(1))
    for name, value, expected in (
        ("DPOP_REPLAY_STORE", "http://canary.example", "M2MGUARD_DPOP_REPLAY_STORE: url must begin with"),
        ("DPOP", "canary", 'M2MGUARD_DPOP: give "accepted" or "required"'),
        ("DPOP_NONCE_KEY", "canary!", "M2MGUARD_DPOP_NONCE_KEY: give the secret bytes in base64url"),
    ):
        with pytest.raises(ConfigurationError, match=expected) as caught:
            ResourceServer.from_env({**variables, f"M2MGUARD_{name}": value})
        assert "canary" not in str(caught.value)


def test_two_processes_of_one_api_accept_a_proof_once(valkey):
    clock = ManualClock(NOW)
    apis = [guard(replay_store=ValkeyReplayStore(valkey.url), clock=clock) for _ in range(2)]
    given = proof()
    assert [result(api, given) for api in apis] == [ACCEPTED, USED]
    assert result(apis[1], proof()) == ACCEPTED


def test_an_outage_is_a_503_that_says_why(tmp_path):
    with running_store(tmp_path) as valkey:
        api = guard(replay_store=ValkeyReplayStore(valkey.url))
        assert result(api, proof()) == ACCEPTED
        valkey.stop()
        with pytest.raises(KeysUnavailable) as caught:
            call(api, proof())
    error = caught.value
    assert (error.reason, error.problem) == ("replay_store", "store_failed")
    assert error.detail == "what remembers used DPoP proofs: Valkey cannot be reached (ConnectionError)"


@pytest.mark.parametrize(
    ("url", "settings", "named"),
    [
        ("http://127.0.0.1", {}, "url must begin with"),
        ("", {}, "url"),
        ("valkey://canary@h:99999999/0", {}, "url is not a URL of a Valkey server"),
        ("valkey://canary@[::1", {}, "url is not a URL of a Valkey server"),
        ("valkey://127.0.0.1", {"timeout": 0}, "timeout"),
        ("valkey://127.0.0.1", {"prefix": ""}, "prefix"),
        ("valkey://127.0.0.1", {"max_proofs_per_application": 0}, "max_proofs_per_application"),
    ],
)
def test_an_invalid_setting_is_named(url, settings, named):
    with pytest.raises(ConfigurationError, match=named) as caught:
        ValkeyReplayStore(url, **settings)
    assert "canary" not in str(caught.value)
    assert ValkeyReplayStore("valkey://127.0.0.1")

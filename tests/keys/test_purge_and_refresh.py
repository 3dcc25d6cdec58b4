"""`purge` and `refresh` override every fetch in flight."""

import json
import threading

import anyio
import pytest

from m2mguard import InvalidToken, KeysUnavailable
from m2mguard.events import KeysRefreshed, RefreshFailed
from m2mguard.testing import faults
from tests.key_threads import join_key_threads


def withdraw_current(issuer):
    """Replace the current key; returns a token that it signed."""
    token, kid = issuer.mint(), issuer.current_key.kid
    issuer.rotate()
    issuer.withdraw(kid)
    return token


def test_after_a_purge_a_cached_token_of_a_withdrawn_key_is_refused(issuer, server):
    server.verify(issuer.mint())
    token = withdraw_current(issuer)
    server.purge()
    with pytest.raises(InvalidToken):
        server.verify(token)


def test_a_fetch_in_flight_at_a_purge_does_not_restore_a_withdrawn_key(issuer, server, events):
    """The issuer sent its answer before the key was withdrawn."""
    old_set = issuer.jwks
    issuer.misbehave("jwks", faults.Fault(body=json.dumps(old_set).encode()), times=1)
    with issuer.hold("jwks") as gate:
        server.warm_up(timeout=0)
        gate.wait_for(1)
        token = withdraw_current(issuer)
        server.purge()
        gate.release()
    join_key_threads()
    assert not server.health().ready
    assert events.of(KeysRefreshed) == []
    with pytest.raises(InvalidToken):
        server.verify(token)


def test_a_caller_that_waits_at_a_purge_gets_the_result_of_a_new_fetch(issuer, server):
    outcome = []
    with issuer.hold("jwks") as gate:
        caller = threading.Thread(target=lambda: outcome.append(server.verify(issuer.mint()).app_id))
        caller.start()
        gate.wait_for(1)
        server.purge()
        gate.wait_for(2)  # the caller starts another fetch at once
        gate.release()
        caller.join()
    assert outcome == ["app-orders"]
    assert issuer.count("jwks") == 2


def test_a_purge_ends_the_back_off(issuer, server, clock):
    issuer.misbehave("jwks", faults.status(503), times=1)
    with pytest.raises(KeysUnavailable):
        server.verify(issuer.mint())
    server.purge()
    server.verify(issuer.mint())
    assert server.health().issuers[0].last_error is None


def test_a_server_works_after_many_concurrent_purges_and_requests(issuer, server):
    tokens = [issuer.mint() for _ in range(8)]
    wrong = []

    def use(token):
        for _ in range(25):
            try:
                server.verify(token)
            except KeysUnavailable:
                pass  # the purges go on for longer than it waits
            except InvalidToken as error:
                wrong.append(error.reason)

    threads = [threading.Thread(target=use, args=(token,)) for token in tokens]
    threads += [threading.Thread(target=lambda: [server.purge() for _ in range(30)])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    join_key_threads()
    assert wrong == []
    assert server.verify(tokens[0]).app_id == "app-orders"


def test_a_refresh_sees_earlier_changes_although_a_fetch_is_in_flight(issuer, server):
    server.warm_up()
    with issuer.hold("jwks") as gate:
        early = threading.Thread(target=server.refresh)
        early.start()
        gate.wait_for(1)
        token = withdraw_current(issuer)
        late = threading.Thread(target=server.refresh)
        late.start()
        gate.wait_for(2)
        gate.release()
        early.join()
        late.join()
    join_key_threads()
    assert issuer.count("jwks") == 3
    assert server.health().issuers[0].key_ids == (issuer.current_key.kid,)
    with pytest.raises(InvalidToken):
        server.verify(token)


def test_a_late_answer_of_an_earlier_fetch_does_not_replace_newer_keys(issuer, server):
    """The answer to the first refresh is from before the rotation and arrives after the answer to the second."""
    server.warm_up()
    old_set = json.dumps(issuer.jwks).encode()
    issuer.misbehave("jwks", faults.Fault(delay_s=0.4, body=old_set), times=1)
    early = threading.Thread(target=server.refresh)
    early.start()
    issuer.wait_for_requests("jwks", 2)
    withdraw_current(issuer)
    server.refresh()
    early.join()
    join_key_threads()
    assert server.health().issuers[0].key_ids == (issuer.current_key.kid,)


def test_a_refresh_that_fails_keeps_the_keys_and_is_reported(issuer, server, events):
    token = issuer.mint()
    server.verify(token)
    issuer.misbehave("jwks", faults.status(500))
    assert server.refresh().ready
    assert events.wait_for(RefreshFailed)[0].cause == "requested"
    server.verify(token)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_awarm_up_and_arefresh_do_the_same(issuer, server, backend):
    async def main():
        assert (await server.awarm_up()).ready
        issuer.rotate()
        return await server.arefresh()

    health = anyio.run(main, backend=backend)
    assert issuer.current_key.kid in health.issuers[0].key_ids
    assert issuer.count("jwks") == 2

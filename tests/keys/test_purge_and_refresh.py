"""`purge` and `refresh`: an operator's call overrides every fetch in flight."""

import json
import threading

import anyio
import pytest

from m2mguard import InvalidToken, KeysUnavailable
from m2mguard.events import KeysRefreshed, RefreshFailed
from m2mguard.testing import faults


def end_of_fetching():
    for thread in threading.enumerate():
        if thread.name.startswith("m2mguard-keys"):
            thread.join(10)


def withdraw_current(issuer):
    token, kid = issuer.mint(), issuer.current_key.kid
    issuer.rotate()
    issuer.withdraw(kid)
    return token


def test_after_a_purge_a_remembered_token_of_a_withdrawn_key_is_refused_at_once(issuer, server):
    server.verify(issuer.mint())
    token = withdraw_current(issuer)
    server.purge()
    with pytest.raises(InvalidToken):
        server.verify(token)


def test_a_flight_under_way_at_a_purge_does_not_bring_a_withdrawn_key_back(issuer, server, events):
    """Its answer was on the wire before the key was withdrawn."""
    old_set = issuer.jwks
    issuer.misbehave("jwks", faults.Fault(body=json.dumps(old_set).encode()), times=1)
    with issuer.hold("jwks") as gate:
        server.warm_up(timeout=0)
        gate.wait_for(1)
        token = withdraw_current(issuer)
        server.purge()
        gate.release()
    end_of_fetching()
    assert not server.health().ready
    assert events.of(KeysRefreshed) == []
    with pytest.raises(InvalidToken):
        server.verify(token)


def test_a_caller_that_waits_at_a_purge_is_served_by_a_fetch_begun_after_it(issuer, server):
    outcome = []
    with issuer.hold("jwks") as gate:
        caller = threading.Thread(target=lambda: outcome.append(server.verify(issuer.mint()).app_id))
        caller.start()
        gate.wait_for(1)
        server.purge()
        gate.wait_for(2)  # it looked again, at once
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


def test_many_purges_and_requests_at_once_leave_a_server_that_works(issuer, server):
    tokens = [issuer.mint() for _ in range(8)]
    wrong = []

    def use(token):
        for _ in range(25):
            try:
                server.verify(token)
            except KeysUnavailable:
                pass  # purged again and again for longer than it waits
            except InvalidToken as error:
                wrong.append(error.reason)

    threads = [threading.Thread(target=use, args=(token,)) for token in tokens]
    threads += [threading.Thread(target=lambda: [server.purge() for _ in range(30)])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    end_of_fetching()
    assert wrong == []
    assert server.verify(tokens[0]).app_id == "app-orders"


def test_a_refresh_sees_what_was_changed_before_it_although_a_flight_is_under_way(issuer, server):
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
    end_of_fetching()
    assert issuer.count("jwks") == 3
    assert server.health().issuers[0].key_ids == (issuer.current_key.kid,)
    with pytest.raises(InvalidToken):
        server.verify(token)


def test_an_earlier_answer_that_comes_later_does_not_replace_a_later_one(issuer, server):
    """The first refresh is overtaken: its answer is from before the rotation, and lands after the second's."""
    server.warm_up()
    old_set = json.dumps(issuer.jwks).encode()
    issuer.misbehave("jwks", faults.Fault(delay_s=0.4, body=old_set), times=1)
    early = threading.Thread(target=server.refresh)
    early.start()
    issuer.wait_for_requests("jwks", 2)
    withdraw_current(issuer)
    server.refresh()
    early.join()
    end_of_fetching()
    assert server.health().issuers[0].key_ids == (issuer.current_key.kid,)


def test_a_refresh_that_fails_keeps_the_keys_and_is_reported(issuer, server, events):
    token = issuer.mint()
    server.verify(token)
    issuer.misbehave("jwks", faults.status(500))
    assert server.refresh().ready
    assert events.wait_for(RefreshFailed)[0].cause == "requested"
    server.verify(token)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_awaiting_twins_do_the_same(issuer, server, backend):
    async def main():
        assert (await server.awarm_up()).ready
        issuer.rotate()
        return await server.arefresh()

    health = anyio.run(main, backend=backend)
    assert issuer.current_key.kid in health.issuers[0].key_ids
    assert issuer.count("jwks") == 2

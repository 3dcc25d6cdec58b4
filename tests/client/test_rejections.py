"""A token that an API rejected: which callers get another, when, and with how many requests."""

import threading

import pytest

from m2mguard.client import TokenEndpointUnavailable
from m2mguard.events import RenewalFailed, TokenRenewed
from m2mguard.testing import faults
from tests.client.conftest import LIFETIME_S


def test_a_rejected_token_is_replaced_by_one_request_for_all_callers(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(31)
    another = source.replace(token)
    assert another not in (None, token)
    assert events.next(TokenRenewed).cause == "rejected"
    assert source.replace(token) is another  # another caller with the same rejection
    assert source.token() is another
    assert issuer.count("token") == 2


async def test_a_rejected_token_is_replaced_in_async_code_too(issuer, source, clock):
    token = await source.atoken()
    clock.advance(31)
    another = await source.areplace(token)
    assert another not in (None, token)
    assert await source.areplace(token) is another
    assert issuer.count("token") == 2


def test_a_rejection_during_a_renewal_gets_the_renewed_token(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(0.95 * LIFETIME_S)
    with issuer.hold("token") as gate:
        source.token()
        gate.wait_for(1)
        steps = source._cached.replacement(token)
        joined = next(steps)
    with pytest.raises(StopIteration) as ended:
        steps.send(joined.flight.wait(10))
    assert ended.value.value is source.token() is not token
    assert issuer.count("token") == 2


def test_a_new_token_is_not_replaced(issuer, source, clock):
    token = source.token()
    clock.advance(29)
    assert source.replace(token) is None
    assert issuer.count("token") == 1


def test_a_token_that_was_renewed_in_the_meantime_is_not_replaced(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(LIFETIME_S)
    assert source.token() != token
    clock.advance(31)
    assert source.replace(token) is None
    assert issuer.count("token") == 2


def test_a_rejected_token_is_kept_if_the_endpoint_fails(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(31)
    issuer.misbehave("token", faults.status(500))
    assert source.replace(token) is None
    assert events.next(RenewalFailed).cause == "rejected"
    assert source.replace(token) is None
    assert source.token() is token
    assert issuer.count("token") == 2


def test_an_api_that_rejects_all_costs_one_request_in_30_seconds(issuer, source, clock):
    source.token()
    for _ in range(60):
        source.replace(source.token())
        clock.advance(1)
    assert issuer.count("token") <= 3


def test_reject_does_not_wait_and_the_next_call_gets_another_token(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(31)
    with issuer.hold("token") as gate:
        source.reject(token)  # returns although the endpoint does not answer
        gate.wait_for(1)
    another = source.token()
    assert another != token
    assert events.next(TokenRenewed).cause == "rejected"
    assert issuer.count("token") == 2


async def test_the_next_call_in_async_code_gets_another_too(source, clock):
    token = await source.atoken()
    clock.advance(31)
    source.reject(token)
    assert await source.atoken() != token


def test_all_rejections_of_one_token_share_one_request(issuer, source, clock):
    token = source.token()
    clock.advance(31)
    for _ in range(50):
        source.reject(token)
    another = source.token()
    source.reject(token)  # late: the token is no longer the current one
    assert source.replace(token) is another
    assert issuer.count("token") == 2


def test_reject_and_replace_share_one_request(issuer, source, clock):
    token = source.token()
    clock.advance(31)
    source.reject(token)
    another = source.replace(token)
    assert another not in (None, token)
    assert source.token() is another
    assert issuer.count("token") == 2


def test_a_slow_endpoint_delays_the_next_call_by_at_most_a_second(issuer, source, clock):
    token = source.token()
    clock.advance(31)
    with issuer.hold("token") as gate:
        source.reject(token)
        gate.wait_for(1)
        steps = source._cached.token()
        wait = next(steps)
        assert wait.timeout_s == 1
        with pytest.raises(StopIteration) as ended:
            steps.send(False)
        assert ended.value.value is token  # another API may still accept it
    assert wait.flight.wait(10)
    assert source.token() != token


@pytest.mark.parametrize("age_s", [0, 29])
def test_a_new_token_is_not_rejected(issuer, source, clock, age_s):
    token = source.token()
    clock.advance(age_s)
    source.reject(token)
    assert source.token() is token
    assert issuer.count("token") == 1


def test_rejecting_an_old_token_or_one_of_another_source_does_nothing(issuer, source, clock):
    other = source.for_target(resource="https://shopping.api").token()
    token = source.token()
    clock.advance(31)
    source.reject(other)
    assert source.token() is token
    clock.advance(LIFETIME_S)
    renewed = source.token()
    clock.advance(31)
    source.reject(token)
    assert source.token() is renewed
    assert issuer.count("token") == 3


def test_reject_does_nothing_before_the_first_token(issuer, source):
    other = source.for_target(resource="https://shopping.api").token()
    source.reject(other)
    assert issuer.count("token") == 1


def test_while_the_endpoint_fails_a_rejected_token_is_used_without_waiting(issuer, source, clock, events):
    """The token is replaced when the endpoint works again."""
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(31)
    issuer.misbehave("token", faults.status(500), times=1)
    source.reject(token)
    assert events.next(RenewalFailed).cause == "rejected"
    assert source.token() is token
    source.reject(token)
    assert issuer.count("token") == 2
    clock.advance(1)
    assert source.token() is token  # it is renewed without another rejection
    assert events.next(TokenRenewed).cause == "rejected"
    another = source.token()
    assert another != token
    assert source.replace(token) is another  # a late caller with the same rejection
    assert issuer.count("token") == 3


def test_reject_raises_nothing_if_no_thread_can_start(source, clock, monkeypatch, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(31)

    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        source.reject(token)
    assert events.next(RenewalFailed).reason == "no_answer"
    assert source.token() is token


def test_an_expired_token_is_not_served_if_its_replacement_failed(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(31)
    issuer.misbehave("token", faults.status(500))
    source.reject(token)
    events.next(RenewalFailed)
    clock.advance(LIFETIME_S)
    with pytest.raises(TokenEndpointUnavailable):
        source.token()

"""Many callers, few questions: one for each token at a time, a bounded number at once, and answers that are remembered."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.lowlevel
import pytest

from m2mguard import InvalidToken, KeysUnavailable
from m2mguard._introspection import introspector as module
from m2mguard._introspection.verdicts import MAX_REFUSALS, RememberedAnswers
from m2mguard.events import IntrospectionFailed, TokenAccepted
from m2mguard.net._flight import CannotStart
from m2mguard.testing import faults
from tests.held_flight import HeldFlight


def test_200_threads_make_one_request(api, issuer):
    token = issuer.mint_opaque()
    with issuer.hold("introspection") as gate, ThreadPoolExecutor(200) as pool:
        calls = [pool.submit(api.verify, token) for _ in range(200)]
        gate.wait_for(1)
        gate.release()
        assert {call.result().app_id for call in calls} == {"app-orders"}
    assert issuer.count("introspection") == 1


def test_those_who_wait_for_one_refusal_get_an_error_each(api, issuer):
    with issuer.hold("introspection") as gate, ThreadPoolExecutor(3) as pool:
        calls = [pool.submit(api.verify, "invented") for _ in range(3)]
        gate.wait_for(1)
        gate.release()
        errors = [call.exception() for call in calls]
    assert {error.reason for error in errors} == {"inactive"}
    assert len({id(error) for error in errors}) == 3


def test_the_remembered_refusal_is_nobodys_error(api, issuer):
    with pytest.raises(InvalidToken) as refused:
        api.verify("invented")
    [(_, kept)] = api._verifier._introspector._answers._refused.values()
    assert kept is not refused.value
    assert (kept.__traceback__, kept.__context__) == (None, None)


async def test_200_tasks_make_one_request_and_the_loop_goes_on(api, issuer):
    token, callers = issuer.mint_opaque(), []

    async def call() -> None:
        callers.append(await api.averify(token))

    with issuer.hold("introspection") as gate:
        async with anyio.create_task_group() as tasks:
            for _ in range(200):
                tasks.start_soon(call)
            while issuer.count("introspection") < 1:
                await anyio.lowlevel.checkpoint()  # the loop is not blocked while the question is in flight
            gate.release()
    assert {caller.app_id for caller in callers} == {"app-orders"}
    assert issuer.count("introspection") == 1


async def test_a_cancelled_caller_ends_its_own_wait_only(api, issuer):
    token, callers = issuer.mint_opaque(), []

    async def call() -> None:
        callers.append(await api.averify(token))

    with issuer.hold("introspection") as gate:
        async with anyio.create_task_group() as tasks:
            async with anyio.create_task_group() as cancelled:
                cancelled.start_soon(call)
                while issuer.count("introspection") < 1:
                    await anyio.lowlevel.checkpoint()
                tasks.start_soon(call)
                await anyio.lowlevel.checkpoint()
                cancelled.cancel_scope.cancel()
            gate.release()
    assert [caller.app_id for caller in callers] == ["app-orders"]
    assert issuer.count("introspection") == 1


@pytest.mark.parametrize("fault", [None, faults.status(500)], ids=["found", "not found"])
def test_many_new_tokens_find_the_endpoint_by_one_request(make_api, issuer, fault):
    api = make_api(introspection={"endpoint": None})
    tokens = [issuer.mint_opaque() for _ in range(10)]
    if fault is not None:
        issuer.misbehave("discovery", fault)
    with issuer.hold("discovery") as gate, ThreadPoolExecutor(10) as pool:
        calls = [pool.submit(api.verify, token) for token in tokens]
        gate.wait_for(1)
        while api.health().issuers[0].introspection.in_flight < 10:
            assert not any(call.done() for call in calls)
        gate.release()
        outcomes = {getattr(call.exception(), "problem", None) for call in calls}
    assert outcomes == {None if fault is None else "metadata_status"}
    # a question that begins to look when the first has found the endpoint, or not, asks for itself where it was not found
    assert issuer.count("discovery") == 1 or fault is not None


@pytest.mark.parametrize(("ttl", "lifetime", "until"), [(60, 600, 60), (60, 20, 20), (300, 600, 300), (0, 600, 0)])
def test_an_answer_is_used_until_ttl_or_exp(make_api, issuer, clock, ttl, lifetime, until):
    api, token = make_api(introspection={"ttl": ttl}), issuer.mint_opaque(lifetime=lifetime)
    caller = api.verify(token)
    if until:
        clock.advance(until - 1)
        assert api.verify(token) is caller
        assert issuer.count("introspection") == 1
        clock.advance(1)
    with pytest.raises(InvalidToken) if lifetime == until else contextlib.nullcontext():
        api.verify(token)
    assert issuer.count("introspection") == 2


def test_an_answer_is_as_old_as_its_question(make_api, issuer, clock):
    """A token that is revoked while the answer is in flight is refused a ttl after the question began."""
    api, token = make_api(), issuer.mint_opaque()
    with issuer.hold("introspection") as gate, ThreadPoolExecutor(1) as pool:
        call = pool.submit(api.verify, token)
        gate.wait_for(1)
        clock.advance(3)
        gate.release()
        call.result()
    clock.advance(56)
    api.verify(token)
    assert issuer.count("introspection") == 1
    clock.advance(1)
    api.verify(token)
    assert issuer.count("introspection") == 2


@pytest.mark.parametrize("kind", ["inactive", "audience", "not_a_machine"])
def test_a_refusal_is_remembered_for_10_seconds(make_api, issuer, clock, kind):
    api = make_api()
    token = {
        "inactive": lambda: "invented",
        "audience": lambda: issuer.mint_opaque(audience="https://other.api"),
        "not_a_machine": lambda: issuer.mint_opaque(user_id="alice"),
    }[kind]()
    errors = []
    for _ in range(3):
        with pytest.raises((InvalidToken, module.AuthError)) as refused:
            api.verify(token)
        errors.append(refused.value)
    assert {error.reason for error in errors} == {kind}
    assert len({id(error) for error in errors}) == 3  # tracebacks of other callers are not shared
    assert [vars(error) for error in errors[1:]] == [vars(errors[0])] * 2
    assert issuer.count("introspection") == 1
    clock.advance(9)
    with pytest.raises(module.AuthError):
        api.verify(token)
    clock.advance(1)
    with pytest.raises(module.AuthError):
        api.verify(token)
    assert issuer.count("introspection") == 2


def test_invented_tokens_push_out_no_good_caller(make_api, issuer):
    api, good = make_api(verdict_cache_size=1), issuer.mint_opaque()
    api.verify(good)
    for number in range(50):
        with pytest.raises(InvalidToken):
            api.verify(f"invented-{number}")
    questions = issuer.count("introspection")
    api.verify(good)
    assert issuer.count("introspection") == questions
    health = api.health().issuers[0].introspection
    assert (health.remembered, health.refused) == (1, 50)


def test_refusals_are_bounded_and_the_oldest_go_first():
    answers, error = RememberedAnswers(max_entries=1), InvalidToken("inactive")
    for number in range(MAX_REFUSALS + 1):
        answers.refuse(number.to_bytes(32), error, 0.0)
    assert answers.counts == (0, MAX_REFUSALS)
    assert answers.refusal((0).to_bytes(32), 1.0) is None
    assert answers.refusal((1).to_bytes(32), 1.0) is not None
    assert answers.refusal((1).to_bytes(32), 10.0) is None


def test_a_cache_of_none_asks_each_time(make_api, issuer):
    api, token = make_api(verdict_cache_size=0), issuer.mint_opaque()
    api.verify(token)
    api.verify(token)
    assert issuer.count("introspection") == 2


def test_beyond_the_budget_is_503_and_known_tokens_have_a_share(make_api, issuer, clock):
    api, known = make_api(introspection={"max_concurrent": 4}), issuer.mint_opaque()
    api.verify(known)
    clock.advance(60)
    with issuer.hold("introspection") as gate, ThreadPoolExecutor(8) as pool:
        strangers = [pool.submit(api.verify, f"invented-{number}") for number in range(3)]
        gate.wait_for(3)
        with pytest.raises(KeysUnavailable) as beyond:
            api.verify("one-more")
        assert (beyond.value.status, beyond.value.problem) == (503, "introspection_budget")
        assert api.answer(beyond.value).headers["Retry-After"] == "1"
        expected = pool.submit(api.verify, known)
        gate.wait_for(4)
        with pytest.raises(KeysUnavailable):
            api.verify("yet-another")
        joined = pool.submit(api.verify, "invented-0")  # needs no place of its own
        gate.release()
        assert expected.result().app_id == "app-orders"
        for call in (*strangers, joined):
            assert isinstance(call.exception(), InvalidToken)
    assert issuer.count("introspection") == 5
    with pytest.raises(InvalidToken):
        api.verify("one-more")


@pytest.mark.parametrize("is_good", [True, False])
def test_purge_forgets_answers_and_what_is_on_its_way(api, issuer, is_good):
    token = issuer.mint_opaque() if is_good else "invented"

    def verify():
        try:
            return api.verify(token).app_id
        except InvalidToken as error:
            return error.reason

    verify()
    api.purge()
    with issuer.hold("introspection") as gate, ThreadPoolExecutor(2) as pool:
        before = pool.submit(verify)
        gate.wait_for(1)
        api.purge()
        after = pool.submit(verify)  # does not join the question from before
        gate.wait_for(2)
        gate.release()
        assert before.result() == after.result()
    assert issuer.count("introspection") == 3
    verify()
    assert issuer.count("introspection") == 3


def test_a_question_that_hangs_is_given_up(make_api, issuer, clock, events, monkeypatch):
    """Only a name look-up can last longer than the time-out; its place is then free again."""
    monkeypatch.setattr(module, "Flight", HeldFlight)
    api = make_api(introspection={"max_concurrent": 1, "timeout": 5})
    introspector = api._verifier._introspector
    work = introspector.verify(b"a-token", b"digest")
    wait = next(work)
    assert wait.timeout_s == 6
    clock.advance(6)
    with pytest.raises(KeysUnavailable) as unavailable:
        work.send(False)
    assert unavailable.value.problem == "overdue"
    assert [event.problem for event in events.of(IntrospectionFailed)] == ["overdue"]
    clock.advance(5)
    next(introspector.verify(b"another", b"other"))
    clock.advance(6)
    with pytest.raises(KeysUnavailable):  # nobody waited for the other: it is given up on the way
        next(introspector.verify(b"a-third", b"third"))
    assert len(events.of(IntrospectionFailed)) == 2
    clock.advance(5)
    next(introspector.verify(b"a-third", b"third"))


def test_a_question_that_ends_at_the_last_moment_counts(make_api, issuer, monkeypatch):
    monkeypatch.setattr(module, "Flight", HeldFlight)
    introspector = make_api()._verifier._introspector
    work = introspector.verify(issuer.mint_opaque().encode(), b"digest")
    next(work).flight.run()
    with pytest.raises(StopIteration) as ended:
        work.send(False)  # the waiter's time was over
    assert ended.value.value.app_id == "app-orders"


@pytest.mark.parametrize("is_good", [True, False])
def test_an_answer_that_comes_between_look_up_and_question_is_used(api, issuer, monkeypatch, is_good):
    introspector, token = api._verifier._introspector, issuer.mint_opaque() if is_good else "invented"

    def verify():
        try:
            return api.verify(token).app_id
        except InvalidToken as error:
            return error.reason

    def another_caller_is_answered() -> None:
        monkeypatch.undo()
        verify()

    monkeypatch.setattr(introspector, "_give_up_overdue", another_caller_is_answered)
    assert verify() == ("app-orders" if is_good else "inactive")
    assert issuer.count("introspection") == 1


def test_no_thread_for_a_question_is_an_outage(api, issuer, monkeypatch):
    def no_thread(self) -> None:
        self.finish()
        raise CannotStart

    with monkeypatch.context() as patched:
        patched.setattr(module.Flight, "start", no_thread)
        with pytest.raises(KeysUnavailable) as unavailable:
            api.verify(issuer.mint_opaque())
    assert unavailable.value.problem == "not_started"


def test_accepted_tokens_are_counted(api, issuer, events):
    token = issuer.mint_opaque()
    api.verify(token)
    api.verify(token)
    assert [event.remembered for event in events.of(TokenAccepted)] == [False, True]

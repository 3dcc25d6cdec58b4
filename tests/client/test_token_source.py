"""A source at a local issuer acting as Logto: first fetch, renewal, outages, refusals, scopes, targets."""

import threading

import pytest

from m2mguard import Issuer, ResourceServer
from m2mguard.client import TokenEndpointUnavailable, TokenRequestRefused, TokenSource
from m2mguard.events import RenewalFailed, ScopesDropped, TokenRenewed
from m2mguard.net import HttpTransport
from m2mguard.testing import MANAGEMENT_API, SHOPPING_API, Fault, LocalIssuer, faults
from tests.client.conftest import APP_ID, APP_SECRET, LIFETIME_S

RENEW_BEFORE_S = 0.12 * LIFETIME_S  # the earliest that jitter allows


def test_a_token_is_what_the_api_accepts(issuer, source):
    token = source.token()
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    caller = server.authenticate([token.authorization])
    assert (caller.app_id, caller.scopes) == (APP_ID, token.scopes) == (APP_ID, {"read:orders"})
    assert token.expires_at == pytest.approx(caller.expires_at, abs=5)


async def test_it_is_awaited_alike_on_asyncio_and_trio(issuer, source):
    token = await source.atoken()
    assert await source.atoken() is token
    assert issuer.count("token") == 1


def test_nothing_happens_before_the_first_use(issuer, source):
    assert issuer.count() == 0


def test_one_request_serves_until_the_token_is_due(issuer, source, clock, events):
    token = source.token()
    clock.advance(LIFETIME_S - RENEW_BEFORE_S - 1)
    assert source.token() is token
    assert issuer.count("token") == 1
    assert events.next(TokenRenewed) == TokenRenewed(
        issuer=issuer.url, app_id=APP_ID, resource=SHOPPING_API, cause="first", lifetime_s=LIFETIME_S
    )


def test_renewal_happens_behind_the_calls_back(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(0.95 * LIFETIME_S)
    with issuer.hold("token") as gate:
        assert source.token() is token
        gate.wait_for(1)
        assert source.token() is token  # while the endpoint is being asked
        assert issuer.count("token") == 2
    assert events.next(TokenRenewed).cause == "renewal"
    renewed = source.token()
    assert renewed != token
    clock.advance(0.2 * LIFETIME_S)  # past the end of the first
    assert source.token() is renewed
    assert issuer.count("token") == 2


def test_expiry_is_counted_from_the_moment_the_request_began(issuer, make_source, clock, events):
    class Slow(HttpTransport):
        def request(self, *args, **kwargs):
            clock.advance(4)
            return super().request(*args, **kwargs)

    source = make_source(transport=Slow())
    token = source.token()
    events.next(TokenRenewed)
    issuer.stop()
    clock.advance(LIFETIME_S - 5)
    assert source.token() is token
    events.next(RenewalFailed)
    clock.advance(1)
    with pytest.raises(TokenEndpointUnavailable):
        source.token()


def test_an_outage_is_not_noticed_before_the_token_ends(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    issuer.misbehave("token", faults.status(503))
    clock.advance(0.9 * LIFETIME_S)
    for second in range(int(0.1 * LIFETIME_S)):
        before = source._keeper._launched
        assert source.token() is token, second
        if source._keeper._launched > before:
            assert events.next(RenewalFailed).reason == "status"
        clock.advance(1)
    assert issuer.count("token") < 25  # with the back-off of 1 to 60 s, halved at most; 360 calls
    clock.advance(61)
    with pytest.raises(TokenEndpointUnavailable, match="status 503"):
        source.token()
    issuer.behave()
    clock.advance(61)
    assert source.token() != token


def test_during_an_outage_calls_fail_at_once_and_without_a_request_each(issuer, source, events):
    issuer.misbehave("token", faults.status(500))
    for _ in range(50):
        with pytest.raises(TokenEndpointUnavailable) as raised:
            source.token()
        assert raised.value.retry_after > 0
    assert issuer.count("token") == 1
    assert events.next(RenewalFailed).remaining_s == 0


def test_a_failed_first_request_is_made_again_after_the_back_off(issuer, source, clock):
    issuer.misbehave("token", faults.disconnect(), times=1)
    with pytest.raises(TokenEndpointUnavailable, match="no_answer"):
        source.token()
    clock.advance(1)
    assert source.token().scopes == {"read:orders"}


@pytest.mark.parametrize(
    "fault",
    [
        faults.html(),
        faults.truncated(),
        faults.huge(300_000),
        faults.redirect("https://elsewhere.example/token"),
        faults.status(404),
    ],
    ids=["html", "truncated", "huge", "redirect", "not found"],
)
def test_a_broken_answer_is_no_token_and_takes_none_away(issuer, source, clock, events, fault: Fault):
    token = source.token()
    events.next(TokenRenewed)
    issuer.misbehave("token", fault)
    clock.advance(0.95 * LIFETIME_S)
    assert source.token() is token
    events.next(RenewalFailed)
    assert source.token() is token


def test_an_issuer_that_hangs_is_waited_for_no_longer_than_the_time_out(issuer, make_source):
    source = make_source(timeout=0.2)
    issuer.misbehave("token", faults.hang())
    with pytest.raises(TokenEndpointUnavailable, match="no_answer"):
        source.token()
    issuer.behave()


def test_a_request_that_never_ends_is_given_up_and_another_is_started(make_source, clock, events):
    class Stuck(HttpTransport):
        """A name look-up that hangs: no time-out can end it, only its own will."""

        def request(self, *args, **kwargs):
            if clock.now > began:
                return super().request(*args, **kwargs)
            released.wait(10)
            raise OSError("given up")

    began = clock.now
    released = threading.Event()
    source = make_source(transport=Stuck(), timeout=0.1)
    try:
        with pytest.raises(TokenEndpointUnavailable, match="in time"):
            source.token()
        clock.advance(2)
        with pytest.raises(TokenEndpointUnavailable, match="did not end in time"):
            source.token()
        clock.advance(1)
        assert source.token().scopes == {"read:orders"}
    finally:
        released.set()


def test_a_request_that_was_given_up_does_not_take_the_place_of_a_later_one(issuer, make_source, clock):
    released = threading.Event()
    flights = []

    class Slow(HttpTransport):
        def request(self, *args, **kwargs):
            flights.append(threading.current_thread())
            answer = super().request(*args, **kwargs)
            if len(flights) == 1:
                released.wait(10)
            return answer

    source = make_source(transport=Slow(), timeout=0.2)
    with pytest.raises(TokenEndpointUnavailable, match="in time"):
        source.token()
    clock.advance(2)
    with pytest.raises(TokenEndpointUnavailable, match="did not end in time"):
        source.token()
    clock.advance(1)
    token = source.token()
    released.set()
    flights[0].join(10)
    assert source.token() is token
    assert issuer.count("token") == 2


def test_where_no_thread_can_be_had_there_is_no_token_and_nothing_is_done_on_the_callers_own(
    issuer, source, clock, monkeypatch
):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(TokenEndpointUnavailable, match="no thread"):
            source.token()
    assert issuer.count("token") == 0
    clock.advance(1)
    assert source.token().scopes == {"read:orders"}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_transport_that_breaks_off_leaves_nobody_waiting(make_source):
    class Interrupted(HttpTransport):
        def request(self, *args, **kwargs):
            raise SystemExit  # as a greenlet that is killed

    with pytest.raises(TokenEndpointUnavailable, match="broke off"):
        make_source(transport=Interrupted()).token()


def test_a_refusal_is_remembered_and_asked_about_once_a_minute_at_the_most(issuer, make_source, clock, events):
    source = make_source(app_secret="wrong")
    for _ in range(50):
        with pytest.raises(TokenRequestRefused, match="the secret is wrong"):
            source.token()
        clock.advance(0.5)
    assert issuer.count("token") == 1
    clock.advance(60)
    with pytest.raises(TokenRequestRefused):
        source.token()
    assert issuer.count("token") == 2
    assert events.next(RenewalFailed).reason == "wrong_secret"


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"app_id": "nobody"}, "unknown_client"),
        ({"app_secret": "wrong"}, "wrong_secret"),
        ({"resource": f"{SHOPPING_API}/"}, "resource"),
        ({"organization_id": "org-none"}, "organization"),
    ],
)
def test_each_mistake_has_its_own_reason(make_source, changed, reason):
    with pytest.raises(TokenRequestRefused) as raised:
        make_source(**changed).token()
    assert raised.value.reason == reason


def test_a_refusal_takes_no_valid_token_away(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    issuer.misbehave("token", Fault(status=401, body=b'{"error": "invalid_client"}'))
    clock.advance(0.95 * LIFETIME_S)
    assert source.token() is token
    failed = events.next(RenewalFailed)
    assert (failed.reason, failed.remaining_s) == ("wrong_secret", pytest.approx(0.05 * LIFETIME_S))
    assert source.token() is token


def test_scopes_that_were_dropped_are_told_once(issuer, make_source, clock, events, caplog):
    source = make_source(scopes=["read:orders", "write:orders", "delete:orders"])
    assert source.token().scopes == {"read:orders"}
    events.next(TokenRenewed)
    assert events.next(ScopesDropped).missing == ("delete:orders", "write:orders")
    clock.advance(0.95 * LIFETIME_S)
    source.token()
    events.next(TokenRenewed)
    assert events.queue.empty()
    [warning] = [record for record in caplog.records if "ScopesDropped" in record.getMessage()]
    assert warning.levelname == "WARNING"
    assert "delete:orders" in warning.getMessage()
    assert "give the application a role" in warning.getMessage()


def test_logto_says_nothing_of_scopes_where_it_granted_none_and_that_is_told_too(make_source, events):
    assert make_source(scopes=["delete:orders"]).token().scopes == frozenset()
    events.next(TokenRenewed)
    assert events.next(ScopesDropped).missing == ("delete:orders",)


def test_a_token_that_was_granted_all_scopes_tells_of_none(source, events):
    source.token()
    events.next(TokenRenewed)
    assert events.queue.empty()


def test_an_organization_token_needs_no_resource(make_source):
    token = make_source(resource=None, organization_id="org-blue", scopes=["read:members"]).token()
    assert token.scopes == {"read:members"}


def test_everything_that_shapes_the_token_gets_its_own(issuer, source):
    sources = [
        source,
        source.asking_for(resource=SHOPPING_API, scopes=[]),
        source.asking_for(resource=MANAGEMENT_API, scopes=["read:orders"]),
        source.asking_for(resource=SHOPPING_API, scopes=["read:orders"], organization_id="org-blue"),
        source.asking_for(resource=SHOPPING_API, scopes=["read:orders"], parameters={"colour": "blue"}),
    ]
    tokens = [one.token() for one in sources]
    assert len({token.value for token in tokens}) == issuer.count("token") == 5
    assert [one.token() for one in sources] == tokens


def test_equal_wishes_share_one_token(issuer, source):
    token = source.token()
    assert source.asking_for(resource=SHOPPING_API, scopes={"read:orders"}).token() is token
    assert issuer.count("token") == 1


def test_what_is_left_out_is_not_taken_over(issuer, source):
    assert source.asking_for(resource=SHOPPING_API).token().scopes == frozenset()
    assert b"scope" not in issuer.requests[-1].body


@pytest.mark.parametrize("authentication", ["client_secret_basic", "client_secret_post"])
def test_the_general_source_finds_the_endpoint_by_discovery_once(issuer, clock, events, authentication):
    source = TokenSource(
        issuer.url,
        client_id=APP_ID,
        client_secret=APP_SECRET,
        resource=SHOPPING_API,
        client_authentication=authentication,
        monotonic=clock,
        on_event=events,
    )
    source.token()
    source.asking_for(resource=MANAGEMENT_API).token()
    assert (issuer.count("discovery"), issuer.count("token")) == (1, 2)
    assert ("authorization" in issuer.requests[-1].headers) == (authentication == "client_secret_basic")


def general(issuer: LocalIssuer, clock, **changed) -> TokenSource:
    arguments = {"client_id": APP_ID, "client_secret": APP_SECRET, "resource": SHOPPING_API, "monotonic": clock}
    return TokenSource(issuer.url, **(arguments | changed))


def test_discovery_that_fails_is_no_token_and_what_was_found_once_is_kept(issuer, clock, events):
    issuer.misbehave("discovery", faults.members(token_endpoint="https://elsewhere.example/token"))
    source = general(issuer, clock, on_event=events)
    with pytest.raises(TokenEndpointUnavailable, match="another origin"):
        source.token()
    assert issuer.count("token") == 0
    events.next(RenewalFailed)
    issuer.behave()
    clock.advance(1)
    token = source.token()
    events.next(TokenRenewed)
    issuer.misbehave("discovery", faults.status(500))
    clock.advance(LIFETIME_S)
    assert source.token() != token
    assert events.next(TokenRenewed).cause == "expired"


def test_discovery_and_request_share_one_time_out(issuer, clock):
    class Slow(HttpTransport):
        def request(self, *args, **kwargs):
            clock.advance(3)
            return super().request(*args, **kwargs)

    source = general(issuer, clock, transport=Slow(), timeout=3)
    with pytest.raises(TokenEndpointUnavailable, match="the issuer took too long"):
        source.token()
    assert (issuer.count("discovery"), issuer.count("token")) == (1, 0)


def test_metadata_is_asked_for_anew_after_an_hour(issuer, clock):
    source = general(issuer, clock)
    source.token()
    clock.advance(3599)
    source.asking_for(resource=MANAGEMENT_API).token()
    assert issuer.count("discovery") == 1
    clock.advance(1)
    source.token()
    assert issuer.count("discovery") == 2


def test_metadata_is_asked_for_anew_after_a_failure_since_the_endpoint_may_have_moved(issuer, clock):
    source = general(issuer, clock)
    source.token()
    issuer.misbehave("token", faults.status(404), times=1)
    other = source.asking_for(resource=MANAGEMENT_API)
    with pytest.raises(TokenEndpointUnavailable, match="404"):
        other.token()
    clock.advance(1)
    other.token()
    assert issuer.count("discovery") == 2


def test_a_given_token_endpoint_needs_no_discovery(issuer, clock):
    source = general(issuer, clock, token_endpoint=issuer.token_endpoint)
    assert source.token().scopes == frozenset()
    assert issuer.count("discovery") == 0


def test_without_a_word_on_scopes_the_general_source_takes_them_as_granted(issuer, clock, events):
    granting = general(issuer, clock, scopes=["delete:orders"], on_event=events)
    assert granting.token().scopes == {"delete:orders"}
    dropping = general(issuer, clock, scopes=["delete:orders"], silent_scope="dropped")
    assert dropping.token().scopes == frozenset()


def test_a_token_that_expired_on_its_way_is_no_token(issuer, make_source, clock):
    class Late(HttpTransport):
        def request(self, *args, **kwargs):
            answer = super().request(*args, **kwargs)
            clock.advance(LIFETIME_S)
            return answer

    source = make_source(transport=Late())
    for _ in range(3):
        with pytest.raises(TokenEndpointUnavailable, match="expired before it arrived"):
            source.token()
    assert issuer.count("token") == 1


def test_a_transport_from_outside_may_raise_anything(make_source):
    class Broken:
        def request(self, *args, **kwargs):
            raise KeyError(APP_SECRET)

    with pytest.raises(TokenEndpointUnavailable, match=r"the transport failed \(KeyError\)") as raised:
        make_source(transport=Broken()).token()
    assert APP_SECRET not in str(raised.value)


def test_a_rejected_token_is_replaced_by_one_request_for_all_who_met_it(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(31)
    another = source.replace(token)
    assert another not in (None, token)
    assert events.next(TokenRenewed).cause == "rejected"
    assert source.replace(token) is another  # who met it a moment later
    assert source.token() is another
    assert issuer.count("token") == 2


async def test_a_rejected_token_is_replaced_in_async_code_too(issuer, source, clock):
    token = await source.atoken()
    clock.advance(31)
    another = await source.areplace(token)
    assert another not in (None, token)
    assert await source.areplace(token) is another
    assert issuer.count("token") == 2


def test_who_joins_a_renewal_on_account_of_a_rejection_gets_what_it_brings(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(0.95 * LIFETIME_S)
    with issuer.hold("token") as gate:
        source.token()
        gate.wait_for(1)
        steps = source._keeper.replacement(token)
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


def test_a_rejected_token_stays_where_the_endpoint_has_no_other(issuer, source, clock, events):
    token = source.token()
    events.next(TokenRenewed)
    clock.advance(31)
    issuer.misbehave("token", faults.status(500))
    assert source.replace(token) is None
    assert events.next(RenewalFailed).cause == "rejected"
    assert source.replace(token) is None
    assert source.token() is token
    assert issuer.count("token") == 2


def test_an_api_that_rejects_everything_costs_one_token_request_in_half_a_minute(issuer, source, clock):
    source.token()
    for _ in range(60):
        source.replace(source.token())
        clock.advance(1)
    assert issuer.count("token") <= 3

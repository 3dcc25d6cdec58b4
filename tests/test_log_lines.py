"""The log line of an event: what happened, the route, the sender, the value found and expected, and advice."""

import logging
import re

import pytest

from m2mguard import Issuer, KeyCaching, KeysUnavailable, M2MGuardError, Requirement, ResourceServer
from m2mguard import events as e
from m2mguard._cli.why_command import find_entries
from m2mguard._reporting.log_lines import MAX_LOGGED_CHARACTERS, level_of, line_for, printable
from m2mguard.testing import REMOVED, SHOPPING_API, LocalIssuer, SigningKey, faults

ROUTE = ("GET", "/orders/7")
FOREIGN_KEY = SigningKey.generate("ES256", kid="foreign")


@pytest.fixture
def server(issuer):
    return ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)


@pytest.fixture
def logged(caplog, server):
    """Send a request; returns the one record of its refusal."""
    caplog.set_level(logging.INFO, logger="m2mguard")

    def send(*fields, requirement=None, server=server, route=ROUTE):
        server.warm_up()
        caplog.clear()
        with pytest.raises(M2MGuardError):
            server.authenticate([*fields], requirement, route=route)
        [record] = [one for one in caplog.records if one.m2mguard_event == "TokenRefused"]
        return record

    return send


def test_the_line_for_an_expired_token_has_times_sender_and_advice(logged, issuer):
    record = logged(f"Bearer {issuer.mint('app-orders', lifetime=-600)}")
    assert record.levelname == "WARNING"
    assert record.message.startswith(
        'm2mguard: 401 for GET /orders/7: the token has expired (reason expired). exp: got "20'
    )
    assert f'Sent by "app-orders" of {issuer.url}. Caller: get a new token' in record.message
    assert record.message.endswith(" To read more, run: m2mguard why expired")


def test_the_line_for_an_audience_names_a_difference_of_a_slash(logged, issuer):
    record = logged(f"Bearer {issuer.mint(audience=SHOPPING_API + '/')}")
    assert f'aud: got "{SHOPPING_API}/", expected "{SHOPPING_API}"; only a slash at the end differs.' in record.message
    assert (record.m2mguard_claim, record.m2mguard_expected) == ("aud", (SHOPPING_API,))
    assert record.m2mguard_got == (f"{SHOPPING_API}/",)


def test_the_line_for_a_missing_scope_names_the_scopes(logged, issuer):
    requirement = Requirement(scopes=["write:orders"])
    record = logged(f"Bearer {issuer.mint('app-orders', scopes=['read:orders'])}", requirement=requirement)
    assert "m2mguard: 403 for GET /orders/7: the token lacks a scope" in record.message
    assert 'scope: got "read:orders", expected "write:orders".' in record.message
    assert 'Sent by "app-orders" of' in record.message


def test_the_line_for_an_unknown_issuer_does_not_name_that_issuer(logged, server):
    with LocalIssuer(algorithm="ES256") as other:
        record = logged(f"Bearer {other.mint()}")
        assert other.url not in record.message
    assert "(reason unknown_issuer). iss: expected" in record.message
    assert record.m2mguard_app_id is None


def test_the_line_for_a_missing_claim_names_the_claim(logged, issuer):
    record = logged(f"Bearer {issuer.mint(claims={'jti': REMOVED})}")
    assert 'a required claim is missing: jti (reason claim). jti: got nothing, expected "jti"' in record.message


def test_a_missing_token_is_logged_as_information(logged):
    assert logged().levelname == "INFO"
    assert logged("Basic YTpi").levelname == "INFO"
    assert logged("Bearer a b").levelname == "WARNING"


def test_the_line_without_a_route_starts_with_the_status(logged):
    assert logged(route=None).message.startswith("m2mguard: 401: the request has no Authorization field")


def test_unavailable_keys_are_logged_as_an_error_with_cause_and_advice(caplog, issuer):
    issuer.misbehave("jwks", faults.status(500))
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API, caching=KeyCaching(timeout=2))
    with pytest.raises(KeysUnavailable) as caught:
        server.authenticate([f"Bearer {issuer.mint()}"], route=ROUTE)
    assert (caught.value.reason, caught.value.problem) == ("keys_unavailable", "key_set_status")
    assert caught.value.issuer == issuer.url
    [failed, missing] = [
        one for one in caplog.records if one.m2mguard_event in ("RefreshFailed", "KeysUnavailableEvent")
    ]
    assert (failed.levelname, missing.levelname) == ("WARNING", "ERROR")
    assert failed.message.startswith(
        f"m2mguard: the keys of {issuer.url} could not be fetched: the key set was answered"
    )
    assert missing.message.startswith("m2mguard: 503 for GET /orders/7: the issuer's keys are not available")
    assert "The last fetch failed: the key set was answered with an error or a redirect (problem key_set_status)" in (
        missing.message
    )
    assert "The answer says: try again in 1 s." in missing.message
    assert " There are no keys at hand: the answer is 503 until a fetch succeeds. " in failed.message
    assert "Next try: at the first request after 1 s." in failed.message


def test_a_failed_refresh_says_for_how_long_the_keys_at_hand_may_be_used(caplog, issuer, server):
    server.warm_up()
    issuer.misbehave("jwks", faults.status(500))
    server.refresh()
    [failed] = [one for one in caplog.records if one.m2mguard_event == "RefreshFailed"]
    assert 3500 < failed.m2mguard_remaining_s <= 3600
    assert re.search(r" The keys at hand may be used for another 3[56]\d\d s\. To read more", failed.message)


def test_values_chosen_by_an_attacker_cause_no_additional_lines(caplog, issuer, server):
    """A thousand paths, key ids, issuers and types cause one line for each reason."""
    server.warm_up()
    caplog.clear()
    for number in range(1_000):
        forged = [
            issuer.mint(f"app-{number}", key=FOREIGN_KEY, header={"kid": f"key-{number}"}, claims={"iat": 1}),
            issuer.mint(claims={"iss": f"https://{number}.example"}),
            issuer.mint(header={"alg": f"X{number}"}),
            f"{number}",
        ]
        for token in forged:
            with pytest.raises(M2MGuardError):
                server.authenticate([f"Bearer {token}"], route=("GET", f"/orders/{number}"))
    reasons = [record.m2mguard_reason for record in caplog.records if record.m2mguard_event == "TokenRefused"]
    assert sorted(reasons) == ["algorithm", "malformed", "unknown_issuer", "unknown_key"]


def test_application_ids_of_refused_tokens_cause_no_additional_lines(caplog, issuer, server):
    """Some issuers issue tokens for any audience to anyone."""
    for number in range(50):
        with pytest.raises(M2MGuardError):
            server.authenticate([f"Bearer {issuer.mint(f'app-{number}', audience=f'https://{number}.example')}"])
    records = [record for record in caplog.records if record.m2mguard_event == "TokenRefused"]
    assert [record.m2mguard_app_id for record in records] == ["app-0"]


def test_a_path_cannot_start_a_new_line_or_fill_the_disk(logged):
    record = logged(route=("GET\r\nERROR", "/a\nERROR forged\x1b[31m\u2028" + "x" * 100_000))
    assert "\n" not in record.message
    assert "\x1b" not in record.message
    assert record.message.isascii()
    assert len(record.message) < 1_000
    assert len(record.m2mguard_path) <= MAX_LOGGED_CHARACTERS


def test_values_of_a_verified_token_are_escaped_and_shortened(logged, issuer):
    record = logged(f"Bearer {issuer.mint(audience=[chr(10) + 'x' * 5_000] + [str(n) for n in range(50)])}")
    assert "\n" not in record.message
    assert "and 43 more" in record.message
    assert len(record.message) < 1_500


EVENTS = [
    e.KeysRefreshed(issuer="i", cause="cold", key_ids=("a",), added=("a",), removed=("b",), skipped=("key 1: x",), not_modified=False),
    e.BlocklistChanged(added=2, removed=1, entries=7, version=3),
    e.BlocklistChanged(added=2, removed=1, entries=7, version=None),
    e.BlocklistFailed(problem="blocklist_unreadable", error="x", entries=7, age_s=3.2),
    e.BlocklistFailed(problem="blocklist_entry", error="x", entries=0, age_s=None),
    e.PlainHttpAllowed(origins=("http://logto:3001",)),
    e.KeyWithdrawn(issuer="i", key_id="a", thumbprint="t"),
    e.RefreshFailed(issuer="i", cause="cold", problem="tls_name", error="x", failures=2, retry_in_s=1.5, remaining_s=0),
    e.IntrospectionFailed(issuer="i", problem="introspection_credentials", error="x", failures=2, retry_in_s=1.5),
    e.IntrospectionFailed(issuer="i", problem="introspection_status", error="x", failures=2, retry_in_s=0),
    e.KeysUnavailableEvent(
        issuer="i", reason="introspection_unavailable", detail="x", problem="introspection_budget", retry_after_s=1
    ),
    e.KeysLoadedFromFile(issuer="i", key_ids=("a",), age_s=7),
    e.KeyFileRejected(issuer="i", error="x"),
    e.StaleServed(issuer="i", age_s=400, remaining_s=3000),
    e.KeysUnavailableEvent(issuer="i", reason="keys_unavailable", detail="x", retry_after_s=1),
    e.KeysUnavailableEvent(issuer="i", reason="keys_unavailable", detail="x", problem="timeout", retry_after_s=1),
    e.UnknownKeyThrottled(issuer="i"),
    e.TokenRefused(status=401, reason="expired", detail="x"),
    e.TokenRefused(status=401, reason="from elsewhere", detail="x"),  # type: ignore[arg-type]
    e.TokenRenewed(issuer="i", app_id="a", resource=None, cause="first", lifetime_s=600),
    e.RenewalFailed(
        issuer="i", app_id="a", resource="r", cause="first", reason="no_answer", problem="timeout", detail="x", failures=1,
        retry_in_s=1, remaining_s=0,
    ),
    e.RenewalFailed(
        issuer="i", app_id="a", resource="r", cause="first", reason="resource", detail="x", failures=1, retry_in_s=1, remaining_s=9
    ),
    e.ScopesDropped(issuer="i", app_id="a", resource="r", missing=("read",), detail="x"),
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=[f"{n}-{type(one).__name__}" for n, one in enumerate(EVENTS)])
def test_every_event_has_a_log_line(event):
    line = line_for(event, is_first=False)
    assert line.startswith("m2mguard: ")
    assert line.endswith(".")
    assert "None" not in line
    assert "\n" not in line
    assert level_of(event) >= logging.INFO


@pytest.mark.parametrize(
    ("retry_in_s", "words"),
    [
        (0.0, "at the next request."),
        (0.2, "at the first request after 1 s."),
        (59.1, "at the first request after 60 s."),
    ],
)
def test_no_line_says_that_the_next_try_is_in_zero_seconds(retry_in_s, words):
    failed = e.RefreshFailed(
        issuer="i", cause="cold", problem="tls", error="x", failures=2, retry_in_s=retry_in_s, remaining_s=0
    )
    assert f" Next try: {words} " in line_for(failed, is_first=False)


def test_the_command_that_a_line_names_knows_the_code():
    for event in EVENTS:
        _, named, code = line_for(event, is_first=True).partition(" To read more, run: m2mguard why ")
        assert bool(named) is (level_of(event) > logging.INFO)
        assert not named or find_entries(code), code


def test_every_kind_of_event_is_tested():
    kinds = {kind for kind in vars(e).values() if isinstance(kind, type) and issubclass(kind, e.Event)}
    assert kinds - {type(event) for event in EVENTS} == {e.Event, e.TokenEvent, e.TokenAccepted}


def test_a_custom_event_is_logged_with_its_name():
    class Other(e.Event):
        pass

    assert line_for(Other(), is_first=True) == "m2mguard: Other"
    assert level_of(Other()) == logging.INFO


@pytest.mark.parametrize("value", ["a\tb", "\u202e", "\x00", "é", "\ud800"])
def test_characters_that_are_no_printable_ascii_are_escaped(value):
    assert printable(value).isascii()
    assert printable(value).isprintable()

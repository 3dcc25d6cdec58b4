"""The log for operators: one logger, structured fields, limited repeats, and no value of an unverified token."""

import logging

import pytest

from m2mguard import Issuer, M2MGuardError, ResourceServer
from m2mguard._reporting.reporter import REPEAT_AFTER_S, Reporter
from m2mguard.events import KeysRefreshed, KeyWithdrawn, StaleServed, TokenAccepted, TokenRefused
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, faults

REFUSED = TokenRefused(issuer="https://issuer.example", status=401, reason="expired", detail="exp has passed")


@pytest.fixture(autouse=True)
def debug_level(caplog):
    caplog.set_level(logging.DEBUG, logger="m2mguard")


def test_an_event_is_one_record_with_its_fields(caplog, clock):
    Reporter(None, monotonic=clock).emit(REFUSED)
    [record] = caplog.records
    assert (record.name, record.levelname) == ("m2mguard", "WARNING")
    assert record.message.startswith("m2mguard: 401: exp has passed (reason expired). ")
    assert (record.m2mguard_event, record.m2mguard_reason, record.m2mguard_status) == ("TokenRefused", "expired", 401)
    assert (record.m2mguard_issuer, record.m2mguard_left_out) == ("https://issuer.example", 0)


def test_repeats_are_logged_once_a_minute_with_their_number(caplog, clock):
    received = []
    reporter = Reporter(received.append, monotonic=clock)
    for _ in range(100):
        reporter.emit(REFUSED)
    assert len(caplog.records) == 1
    clock.advance(REPEAT_AFTER_S)
    reporter.emit(REFUSED)
    assert [record.m2mguard_left_out for record in caplog.records] == [0, 99]
    assert len(received) == 101  # `on_event` gets every event


def test_another_reason_or_issuer_is_no_repeat(caplog, clock):
    reporter = Reporter(None, monotonic=clock)
    reporter.emit(REFUSED)
    reporter.emit(TokenRefused(issuer="https://issuer.example", status=401, reason="signature", detail=""))
    reporter.emit(TokenRefused(issuer="https://other.example", status=401, reason="expired", detail=""))
    assert len(caplog.records) == 3


def test_every_refresh_is_logged(caplog, clock):
    reporter = Reporter(None, monotonic=clock)
    event = KeysRefreshed(cause="cold", key_ids=("a",), added=("a",), removed=(), skipped=(), not_modified=False)
    reporter.emit(event)
    reporter.emit(event)
    assert len(caplog.records) == 2


def test_accepted_tokens_are_not_logged(caplog, clock):
    Reporter(None, monotonic=clock).emit(TokenAccepted(remembered=True))
    assert caplog.records == []


def test_the_memory_for_repeats_is_bounded(clock):
    reporter = Reporter(None, monotonic=clock)
    for number in range(5000):
        reporter.emit(KeyWithdrawn(key_id=f"key-{number}", thumbprint="x"))
    assert len(reporter._seen) <= 1000


def test_a_key_id_cannot_start_a_new_line(caplog, clock):
    Reporter(None, monotonic=clock).emit(KeyWithdrawn(key_id="a\nERROR forged\x1b[31m", thumbprint="x"))
    assert "\n" not in caplog.records[0].message
    assert "\x1b" not in caplog.records[0].message


def test_an_error_of_on_event_is_logged_once_a_minute_and_not_raised(caplog, clock):
    def raises(event):
        raise ZeroDivisionError

    reporter = Reporter(raises, monotonic=clock)
    for _ in range(10):
        reporter.emit(TokenAccepted(remembered=True))
    clock.advance(REPEAT_AFTER_S)
    reporter.emit(TokenAccepted(remembered=True))
    assert [record.message for record in caplog.records] == [
        "on_event raised for TokenAccepted left_out=0", "on_event raised for TokenAccepted left_out=9",
    ]  # fmt: skip


def test_on_event_gets_events_that_the_logger_does_not_log(caplog, clock):
    received = []
    caplog.set_level(logging.CRITICAL, logger="m2mguard")
    Reporter(received.append, monotonic=clock).emit(StaleServed(age_s=1, remaining_s=1))
    assert caplog.records == []
    assert len(received) == 1


def test_no_value_of_an_unverified_token_is_logged(caplog):
    """Sends tokens that fail before their signature is verified, each with a canary that must not appear in any record."""
    received = []
    secret = "canary-5f1e"
    with LocalIssuer(algorithm="ES256") as issuer:
        server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API, on_event=received.append)
        foreign_key = SigningKey.generate("ES256", kid=secret)
        tokens = [
            issuer.mint(secret, key=foreign_key),
            issuer.mint(secret, lifetime=-3600, key=foreign_key),
            issuer.mint(audience=f"https://{secret}", key=foreign_key),
            issuer.mint(claims={"iss": f"https://{secret}"}),
            issuer.mint(claims={"jti": [secret]}),
            issuer.mint(header={"typ": secret}, key=foreign_key),
            issuer.mint(header={"alg": secret}),
            issuer.mint_user_token(secret),
            secret,
        ]
        for token in tokens:
            _refuse_or_accept(server, token)
        issuer.misbehave("jwks", faults.status(503))
        server.purge()
        for token in tokens:
            _refuse_or_accept(server, token)
        for header in (f"Bearer {secret} {secret}", f"Basic {secret}", f"Bearer {tokens[1]}"):
            with pytest.raises(M2MGuardError):
                server.authenticate([header])
    assert len(received) > 15
    texts = [record.message + str(vars(record)) for record in caplog.records] + [repr(event) for event in received]
    assert len(texts) > 15
    for text in texts:
        assert secret not in text
        assert not any(part in text for token in tokens for part in token.split(".") if len(part) > 20)


def _refuse_or_accept(server, token):
    try:
        server.verify(token)
    except M2MGuardError as refusal:
        text = str(refusal) + repr(refusal)
    else:
        text = ""
    assert "canary" not in text

"""What operators get to read: one logger, structured fields, no repeats by the thousand, and nothing of a token."""

import logging

import pytest

from m2mguard import Issuer, M2MGuardError, ResourceServer
from m2mguard._reporting.reporter import REPEAT_AFTER_S, Reporter
from m2mguard.events import KeysRefreshed, KeyWithdrawn, StaleServed, TokenAccepted, TokenRefused
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey, faults

REFUSED = TokenRefused(issuer="https://issuer.example", status=401, reason="expired", detail="exp has passed")


@pytest.fixture(autouse=True)
def everything(caplog):
    caplog.set_level(logging.DEBUG, logger="m2mguard")


def test_an_event_is_one_record_with_its_fields(caplog, clock):
    Reporter(None, monotonic=clock).emit(REFUSED)
    [record] = caplog.records
    assert (record.name, record.levelname) == ("m2mguard", "WARNING")
    assert record.message.startswith("m2mguard: 401: exp has passed (reason expired). ")
    assert (record.m2mguard_event, record.m2mguard_reason, record.m2mguard_status) == ("TokenRefused", "expired", 401)
    assert (record.m2mguard_issuer, record.m2mguard_left_out) == ("https://issuer.example", 0)


def test_repeats_are_logged_once_a_minute_with_how_many_were_left_out(caplog, clock):
    heard = []
    reporter = Reporter(heard.append, monotonic=clock)
    for _ in range(100):
        reporter.emit(REFUSED)
    assert len(caplog.records) == 1
    clock.advance(REPEAT_AFTER_S)
    reporter.emit(REFUSED)
    assert [record.m2mguard_left_out for record in caplog.records] == [0, 99]
    assert len(heard) == 101  # `on_event` hears of every one


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


def test_what_is_remembered_of_repeats_is_bounded(clock):
    reporter = Reporter(None, monotonic=clock)
    for number in range(5000):
        reporter.emit(KeyWithdrawn(key_id=f"key-{number}", thumbprint="x"))
    assert len(reporter._seen) <= 1000


def test_a_key_id_cannot_begin_a_line_of_its_own(caplog, clock):
    Reporter(None, monotonic=clock).emit(KeyWithdrawn(key_id="a\nERROR forged\x1b[31m", thumbprint="x"))
    assert "\n" not in caplog.records[0].message
    assert "\x1b" not in caplog.records[0].message


def test_an_on_event_that_raises_is_logged_once_a_minute_and_goes_no_further(caplog, clock):
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


def test_a_silenced_logger_costs_nothing_and_on_event_still_hears(caplog, clock):
    heard = []
    caplog.set_level(logging.CRITICAL, logger="m2mguard")
    Reporter(heard.append, monotonic=clock).emit(StaleServed(age_s=1, remaining_s=1))
    assert caplog.records == []
    assert len(heard) == 1


def test_no_value_of_a_token_that_was_not_verified_reaches_a_record(caplog):
    """Every way to be refused before a signature is found good, with values that would be found again wherever they went."""
    heard = []
    secret = "canary-5f1e"
    with LocalIssuer(algorithm="ES256") as issuer:
        server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API, on_event=heard.append)
        stranger = SigningKey.generate("ES256", kid=secret)
        tokens = [
            issuer.mint(secret, key=stranger),
            issuer.mint(secret, lifetime=-3600, key=stranger),
            issuer.mint(audience=f"https://{secret}", key=stranger),
            issuer.mint(claims={"iss": f"https://{secret}"}),
            issuer.mint(claims={"jti": [secret]}),
            issuer.mint(header={"typ": secret}, key=stranger),
            issuer.mint(header={"alg": secret}),
            issuer.mint_user_token(secret),
            secret,
        ]
        for token in tokens:
            _outcome(server, token)
        issuer.misbehave("jwks", faults.status(503))
        server.purge()
        for token in tokens:
            _outcome(server, token)
        for header in (f"Bearer {secret} {secret}", f"Basic {secret}", f"Bearer {tokens[1]}"):
            with pytest.raises(M2MGuardError):
                server.authenticate([header])
    assert len(heard) > 15
    told = [record.message + str(vars(record)) for record in caplog.records] + [repr(event) for event in heard]
    assert len(told) > 15
    for text in told:
        assert secret not in text
        assert not any(part in text for token in tokens for part in token.split(".") if len(part) > 20)


def _outcome(server, token):
    try:
        server.verify(token)
    except M2MGuardError as refusal:
        words = str(refusal) + repr(refusal)
    else:
        words = ""
    assert "canary" not in words

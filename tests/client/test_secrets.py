"""A known secret and a known token must not appear in logs, events, errors, tracebacks or reprs."""

import base64
import logging
import pydoc
import traceback
from urllib.parse import quote_plus

import pytest

from m2mguard.client import TokenRequestError, TokenSource
from m2mguard.events import Event, TokenRenewed
from m2mguard.testing import MANAGEMENT_API, SHOPPING_API, Application, Fault, LocalIssuer, faults

APP_ID = "app-with-a-secret"
SECRET = "c4n4ry/s3cr3t+&="
PAIR = f"{quote_plus(APP_ID)}:{quote_plus(SECRET)}"
SECRET_FORMS = (
    SECRET,
    quote_plus(SECRET),
    base64.b64encode(PAIR.encode()).decode(),
    base64.b64encode(SECRET.encode()).decode(),
)
TOKEN = "c4n4ry.t0k3n.v4lu3"
ECHO = b'{"error": "c4n4ry/s3cr3t+&=", "error_description": "c4n4ry/s3cr3t+&= is not the secret of c4n4ry.t0k3n.v4lu3"}'


@pytest.fixture
def issuer():
    """An issuer with an application whose secret these tests search for."""
    with LocalIssuer(
        applications={APP_ID: Application(secret=SECRET, scopes={SHOPPING_API: ("read:orders",)})}
    ) as running:
        yield running


def assert_clean(*texts: object) -> None:
    for text in texts:
        for hidden in (*SECRET_FORMS, TOKEN):
            assert hidden not in f"{text!s} {text!r}"


def drained(events) -> list[Event]:
    found = []
    while not events.queue.empty():
        found.append(events.queue.get())
    return found


def test_a_successful_request_shows_no_secret_and_no_token(issuer, make_source, events, caplog):
    caplog.set_level(logging.DEBUG)
    issuer.misbehave("token", faults.members(access_token=TOKEN, scope="read:orders"))
    source = make_source(app_id=APP_ID, app_secret=SECRET, scopes=["read:orders", "write:orders"])
    token = source.token()
    assert token.value == TOKEN
    assert token.authorization == f"Bearer {TOKEN}"
    seen = [events.next(TokenRenewed), *drained(events)]
    assert_clean(token, f"{token}", source, *seen, *caplog.records, caplog.text)
    assert_clean(*vars(source).values(), source._cached._held, source._cached._fetcher, source._cached._fetcher.client)
    assert APP_ID in caplog.text  # something was logged at all


FAULTS = {
    "wrong secret": Fault(status=401, body=ECHO),
    "refused with the secret in the description": Fault(status=400, body=ECHO),
    "server error": Fault(status=500, body=ECHO),
    "no json": Fault(body=SECRET.encode()),
    "no bearer": Fault(members={"token_type": SECRET, "access_token": TOKEN}),
    "odd token": Fault(members={"access_token": f"{TOKEN} {SECRET}"}),
    "odd lifetime": Fault(members={"access_token": TOKEN, "expires_in": SECRET}),
    "redirect": Fault(status=307, headers={"Location": f"http://127.0.0.1:1/{quote_plus(SECRET)}"}),
    "retry after": Fault(status=429, headers={"Retry-After": SECRET}),
    "disconnect": faults.disconnect(),
    "truncated": faults.truncated(),
}


@pytest.mark.parametrize("authentication", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_failed_request_shows_no_secret_and_no_token(issuer, events, caplog, fault, authentication):
    caplog.set_level(logging.DEBUG)
    issuer.misbehave("token", fault)
    source = TokenSource(
        issuer.url,
        client_id=APP_ID,
        client_secret=SECRET,
        client_authentication=authentication,
        resource=MANAGEMENT_API,
        on_event=events,
    )
    with pytest.raises(TokenRequestError) as raised:
        source.token()
    assert raised.value.__context__ is None  # the error of the fetch is not attached
    assert_clean(raised.value, *raised.value.args, "".join(traceback.format_exception(raised.value)))
    frames = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(raised.value.__traceback__)]
    assert not [name for name in frames if name.endswith(("fetching.py", "token_request.py", "token_response.py"))]
    assert_clean(*drained(events), *caplog.records, caplog.text, source)


def test_no_local_variable_of_a_traceback_contains_the_secret(issuer, make_source):
    issuer.misbehave("token", faults.status(500))
    with pytest.raises(TokenRequestError) as raised:
        make_source(app_id=APP_ID, app_secret=SECRET).token()
    ours = [
        frame for frame, _ in traceback.walk_tb(raised.value.__traceback__) if "m2mguard" in frame.f_code.co_filename
    ]
    assert ours
    assert_clean(*(value for frame in ours for value in frame.f_locals.values()))


def test_help_shows_no_environment_variable(monkeypatch):
    monkeypatch.setenv("M2MGUARD_CANARY", SECRET)
    text = pydoc.render_doc(TokenSource, renderer=pydoc.plaintext)
    assert "client_secret" in text
    assert "M2MGUARD_CANARY" not in text
    assert SECRET not in text

"""Planted canaries: neither tokens nor our own secret are in a log line, an event, an exception, a repr, or health."""

import logging
import traceback

import pytest

from m2mguard import M2MGuardError, ResourceServer
from m2mguard.client import ClientSecret
from m2mguard.net import HttpTransport
from m2mguard.testing import SHOPPING_API, faults
from m2mguard.testing.faults import Fault

SECRET = "c4nary-of-the-secret"
TOKEN = "c4nary.of-the-token"
ECHO = Fault(status=400, body=f'{{"error": "{TOKEN}", "error_description": "{SECRET}"}}'.encode())


class Chatty(HttpTransport):
    """Its errors repeat what was sent, as those of some libraries do."""

    def request(self, method, url, *, headers, body, **arguments):
        raise RuntimeError(f"{headers} {body}")


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("trouble", ["none", "echo", "html", "401", "hang", "chatty"])
def test_no_token_and_no_secret_is_shown(issuer, events, caplog, trouble, method):
    caplog.set_level(logging.DEBUG)
    fault = {"echo": ECHO, "html": faults.html(), "401": faults.status(401), "hang": faults.hang()}.get(trouble)
    if fault is not None:
        issuer.misbehave("introspection", fault)
    api = ResourceServer(
        issuer.introspecting(authentication=ClientSecret(SECRET, method), timeout=0.2 if trouble == "hang" else 30),
        SHOPPING_API,
        on_event=events,
        transport=Chatty() if trouble == "chatty" else None,
    )
    shown = []
    for verify in (api.verify, lambda token: api.authenticate([f"Bearer {token}"], route=("GET", "/orders"))):
        with pytest.raises(M2MGuardError) as refused:
            verify(TOKEN)
        error = refused.value
        shown += [repr(error), str(error), repr(vars(error)), *traceback.format_exception(error)]
        shown += [repr(api.answer(error))]
    shown += [caplog.text, repr(events._events), repr(api.health()), repr(api.settings), repr(vars(api))]
    shown += [repr(vars(record)) for record in caplog.records]
    assert len(caplog.records) >= 1
    hidden = [SECRET, TOKEN, "c4nary"]
    # the traceback shows this file's own source, where the canaries are written as names
    assert [one for one in hidden for text in shown if one in text] == []

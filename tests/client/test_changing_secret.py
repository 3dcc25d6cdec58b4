"""A client secret that may change: a callable returns it for each token request."""

import functools
import threading

import pytest

from m2mguard import ConfigurationError
from m2mguard.client import TokenEndpointUnavailable, TokenRequestRefused, TokenSource
from m2mguard.events import RenewalFailed, TokenRenewed
from m2mguard.testing import SHOPPING_API, Fault
from tests.client.conftest import APP_ID, APP_SECRET, LIFETIME_S

CANARY = "c4n4ry-of-a-mounted-secret"


class MountedSecret:
    """A secret from a mounted file: it may change or be missing. Records the threads that read it."""

    def __init__(self, content: object = APP_SECRET) -> None:
        self.content = content
        self.threads: list[threading.Thread] = []

    def __call__(self):
        self.threads.append(threading.current_thread())
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


def test_the_secret_is_read_for_each_request_on_its_thread(issuer, make_source, clock, events):
    mounted = MountedSecret()
    source = make_source(app_secret=mounted)
    assert mounted.threads == []
    source.token()
    source.token()
    assert len(mounted.threads) == issuer.count("token") == 1
    clock.advance(LIFETIME_S)
    source.token()
    assert len(mounted.threads) == issuer.count("token") == 2
    assert threading.main_thread() not in mounted.threads


def test_the_secret_is_read_again_after_a_refusal(issuer, make_source, clock):
    mounted = MountedSecret("the old one")
    source = make_source(app_secret=mounted)
    with pytest.raises(TokenRequestRefused) as raised:
        source.token()
    assert raised.value.reason == "wrong_secret"
    mounted.content = APP_SECRET
    clock.advance(60)
    assert source.token().scopes == {"read:orders"}
    assert issuer.count("token") == 2


@pytest.mark.parametrize("authentication", ["client_secret_basic", "client_secret_post"])
def test_a_general_source_shares_the_callable_among_its_targets(issuer, clock, authentication):
    mounted = MountedSecret()
    source = TokenSource(
        issuer.url,
        client_id=APP_ID,
        client_secret=mounted,
        client_authentication=authentication,
        resource=SHOPPING_API,
        clock=clock,
        monotonic=clock,
    )
    source.token()
    source.for_target(resource=SHOPPING_API, scopes=["read:orders"]).token()
    assert len(mounted.threads) == issuer.count("token") == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "must be a non-empty string"),
        ("", "must be a non-empty string"),
        (CANARY.encode(), "must be a non-empty string"),
        (7, "must be a non-empty string"),
        (f"{CANARY}\n", "white space around it"),
        (ValueError(CANARY), "raised ValueError"),
        (FileNotFoundError(2, "No such file", CANARY), "raised FileNotFoundError"),
        (ConfigurationError(CANARY), "raised ConfigurationError"),
        (TokenEndpointUnavailable("no_answer", CANARY), "raised TokenEndpointUnavailable"),
    ],
)
def test_a_missing_or_invalid_secret_causes_no_request(issuer, make_source, clock, caplog, content, message):
    mounted = MountedSecret(content)
    source = make_source(app_secret=mounted)
    with pytest.raises(TokenEndpointUnavailable, match=message) as raised:
        source.token()
    assert raised.value.reason == "client_secret"
    assert raised.value.__context__ is None
    assert CANARY not in f"{raised.value!r} {raised.value} {caplog.text}"
    assert issuer.count() == 0
    mounted.content = APP_SECRET
    clock.advance(1)
    assert source.token().scopes == {"read:orders"}


def test_a_secret_missing_at_renewal_does_not_remove_a_valid_token(make_source, clock, events):
    mounted = MountedSecret()
    source = make_source(app_secret=mounted)
    token = source.token()
    events.next(TokenRenewed)
    mounted.content = OSError(CANARY)
    clock.advance(0.95 * LIFETIME_S)
    assert source.token() is token
    failed = events.next(RenewalFailed)
    assert failed.reason == "client_secret"
    assert CANARY not in repr(failed)


def test_a_callable_that_hangs_ends_at_the_time_out(make_source, events):
    released = threading.Event()

    def wait_for_release() -> str:
        released.wait(20)
        return APP_SECRET

    source = make_source(app_secret=wait_for_release, timeout=0.1)
    try:
        with pytest.raises(TokenEndpointUnavailable, match="in time"):
            source.token()
    finally:
        released.set()
    events.next(TokenRenewed)


def test_an_async_function_is_rejected_at_construction(make_source):
    async def read() -> str:
        return CANARY

    with pytest.raises(ConfigurationError, match="plain function"):
        make_source(app_secret=read)


def test_no_repr_shows_the_secret_of_the_callable(make_source):
    source = make_source(app_secret=functools.partial(str, CANARY))
    fetcher = source._cached._fetcher
    assert CANARY not in f"{source!r} {fetcher!r} {fetcher.client!r} {vars(source)!r}"


def test_the_current_secret_is_redacted_from_the_issuers_message(issuer, clock):
    issuer.misbehave("token", Fault(status=401, body=f'{{"error": "no", "error_description": "{CANARY}!"}}'.encode()))
    source = TokenSource(
        issuer.url, client_id=APP_ID, client_secret=MountedSecret(CANARY), clock=clock, monotonic=clock
    )
    with pytest.raises(TokenRequestRefused) as raised:
        source.token()
    assert raised.value.error_description == "[redacted]!"

"""`TestServer` and `trusting`: an API that trusts a local issuer, new or already built."""

import threading
import time
from types import SimpleNamespace

import pytest

from m2mguard import InsufficientScope, InvalidToken, Issuer, KeysUnavailable, Requirement, ResourceServer
from m2mguard.events import TokenRefused
from m2mguard.testing import LocalIssuer, MovableClock, TestServer, trusting
from tests.refusals import reason_of

READ = Requirement(scopes=["read"])


def test_it_verifies_its_own_tokens_without_a_thread_that_serves():
    with TestServer(audience=["https://mine.api", "https://other.api"]) as server:
        assert not [thread for thread in threading.enumerate() if "local-issuer" in thread.name]
        caller = server.verify(server.token("app-mine", scopes=["read"]), READ)
        assert (caller.app_id, caller.audience, caller.issuer) == ("app-mine", "https://mine.api", server.issuer.url)
        assert reason_of(server, server.token(aud="https://stock.api")) == "audience"
        with pytest.raises(InsufficientScope):
            server.verify(server.token(), READ)


def test_it_asks_over_http_if_told_so():
    with TestServer(http=True) as server:
        server.verify(server.token())
        assert server.issuer.requests[0].headers["user-agent"].startswith("m2mguard/")
    with TestServer() as server:
        server.verify(server.token())
        assert "user-agent" not in server.issuer.requests[0].headers


def test_an_issuer_without_a_socket_has_no_port():
    issuer = LocalIssuer(served=False)
    with pytest.raises(RuntimeError, match="served=False"):
        assert issuer.port
    with pytest.raises(ValueError, match="served"):
        TestServer(issuer, http=True)


def test_before_the_block_and_after_it_the_issuer_does_not_answer():
    server = TestServer()
    with pytest.raises(KeysUnavailable):
        server.verify(server.token())
    with server:
        server.refresh()
        server.verify(server.token())
    server.purge()
    with pytest.raises(KeysUnavailable):
        server.verify(server.token())


def test_settings_are_those_of_a_resource_server():
    with TestServer(leeway=0, machine_only=False) as server:
        assert server.verify(server.issuer.mint_user_token()).subject == "user-alice"
        assert reason_of(server, server.token(lifetime=-1)) == "expired"


def test_pytest_does_not_take_it_for_tests():
    assert TestServer.__test__ is False


def test_the_clock_is_that_of_the_issuer():
    clock = MovableClock()
    with LocalIssuer(served=False, clock=clock) as issuer:
        server = TestServer(issuer)
        assert server.clock is clock
        token = server.token()
        clock.advance(hours=1, minutes=1)
        assert reason_of(server, token) == "expired"
        server.verify(server.token())
    with pytest.raises(ValueError, match="clock"):
        TestServer(LocalIssuer(served=False, clock=lambda: 1.0))


def test_stale_keys_are_served_while_the_issuer_is_down():
    with TestServer() as server:
        server.make_keys_stale()
        server.verify(server.token())
        assert server.health().issuers[0].stale
        server.issuer.start()
        server.refresh()
        assert not server.health().issuers[0].stale


@pytest.mark.parametrize(("error_s", "is_accepted"), [(25, True), (-25, True), (60, False)])
def test_the_clock_of_the_issuer_may_be_wrong_by_the_leeway(error_s, is_accepted):
    with TestServer() as server:
        server.issuer.clock_error = error_s
        if is_accepted:
            server.verify(server.token())
        else:
            assert reason_of(server, server.token()) == "not_yet_valid"


OWN = "https://tenant.example/oidc"


def app_server(**settings):
    return ResourceServer(Issuer.logto("https://tenant.example"), audience="https://mine.api", **settings)


def test_an_app_trusts_the_local_issuer_inside_the_block_only():
    server = app_server(leeway=0)
    with LocalIssuer(served=False) as issuer:
        token = issuer.mint("app-mine", audience="https://mine.api")
        with trusting(server, issuer):
            assert server.verify(token).app_id == "app-mine"
            assert reason_of(server, issuer.mint(audience="https://mine.api", lifetime=-1)) == "expired"
            assert reason_of(server, issuer.mint()) == "audience"
            issuer.clock.advance(hours=1)
            assert reason_of(server, token) == "expired"
        assert reason_of(server, token) == "unknown_issuer"


def test_a_requirement_that_names_the_own_issuer_is_met_by_the_local_one():
    server = app_server()
    with LocalIssuer(served=False) as issuer, trusting(server, issuer):
        token = issuer.mint("app-mine", audience="https://mine.api")
        server.verify(token, Requirement(app_ids=["app-mine"], issuers=[OWN]))
        with pytest.raises(InsufficientScope):
            server.verify(token, Requirement(app_ids=["app-other"], issuers=[OWN]))


def test_the_block_ends_with_an_error_too():
    server = app_server()
    before = vars(server).copy()
    with LocalIssuer(served=False) as issuer, pytest.raises(KeyError), trusting(server, issuer):
        raise KeyError
    assert vars(server) == before


def test_what_nothing_protects_cannot_trust():
    with (
        pytest.raises(TypeError, match="nothing of m2mguard was found in object"),
        trusting(object(), LocalIssuer(served=False)),
    ):
        pass


def test_a_token_of_another_issuer_stays_refused():
    server = app_server()
    with (
        LocalIssuer(served=False) as issuer,
        LocalIssuer(served=False, path="/other") as other,
        trusting(server, issuer),
    ):
        with pytest.raises(InvalidToken):
            server.verify(other.mint(audience="https://mine.api"))
        server.verify(issuer.mint(audience="https://mine.api"))


def test_what_the_app_is_set_to_is_kept(events, tmp_path):
    def not_asked(*_, **__):
        raise AssertionError

    tmp_path.chmod(0o700)
    server = app_server(
        machine_only=False,
        realm="mine",
        on_event=events,
        key_directory=tmp_path,
        transport=SimpleNamespace(request=not_asked),
        monotonic=time.monotonic,
        resource_url="https://mine.api/",
    )
    with LocalIssuer(served=False) as issuer, trusting(server, issuer):
        assert server.verify(issuer.mint_user_token(audience="https://mine.api")).subject == "user-alice"
        assert (server.settings.key_directory, server.settings.monotonic) == (None, None)
        with pytest.raises(InsufficientScope) as caught:
            server.verify(issuer.mint(audience="https://mine.api"), READ)
        assert 'realm="mine"' in server.answer(caught.value).headers["WWW-Authenticate"]
        assert list(server.resource_metadata.authorization_servers) == [issuer.url]
    assert [event.reason for event in events.of(TokenRefused)] == ["scope"]
    assert list(server.resource_metadata.authorization_servers) == [OWN]


def test_an_app_of_several_issuers_trusts_the_local_one_in_their_place():
    other = "https://login.example/oidc"
    server = ResourceServer([OWN, other], audience="https://mine.api")
    with LocalIssuer(served=False) as issuer, trusting(server, issuer):
        token = issuer.mint("app-mine", audience="https://mine.api", organization_id="blue")
        for name in (OWN, other):
            server.verify(token, Requirement(app_ids=["app-mine"], organization="blue", issuers=[name]))
            with pytest.raises(InsufficientScope):
                server.verify(token, Requirement(app_ids=["app-mine"], organization="red", issuers=[name]))


def test_a_server_for_a_given_issuer_leaves_that_running():
    with LocalIssuer(served=False) as issuer:
        with TestServer(issuer) as server:
            server.verify(server.token())
        assert server.refresh().ready
        assert server.verify(server.token("app-later")).app_id == "app-later"

"""`end_with_token`: WebSockets, event streams and other streaming answers end with their token, and with its key."""

import threading
import time

import anyio
import pytest
import urllib3
import uvicorn
import websockets.sync.client
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route, WebSocketRoute

from m2mguard import Requirement, ResourceServer
from m2mguard._asgi import streams
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.dpop import Dpop
from m2mguard.events import TokenRefused
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.commands import free_port
from tests.dpop_proofs import bound_to, dpop_proof
from tests.manual_clock import ManualClock


class Failure(Exception):
    """The application's own."""


@pytest.fixture
def issuer():
    with LocalIssuer(algorithm="ES256") as running:  # whose key is withdrawn
        yield running


@pytest.fixture
def clock():
    return ManualClock(time.time())


@pytest.fixture
def server(issuer, clock):
    return ResourceServer(issuer.trusted, audience=SHOPPING_API, clock=clock)


@pytest.fixture(autouse=True)
def looks_often(monkeypatch):
    monkeypatch.setattr(streams, "LONGEST_SLEEP_S", 0.02)
    monkeypatch.setattr(streams, "_GRACE_S", 0.02)


class Connection:
    """One ASGI connection, and what was sent over it."""

    def __init__(self, server, issuer, kind="http", **claims):
        token = issuer.mint("app-a", **claims)
        self.scope = {"type": kind, "path": "/", "headers": [(b"authorization", f"Bearer {token}".encode())]}
        if kind == "http":
            self.scope["method"] = "GET"
        self.server = server
        self.sent = []

    async def send(self, message):
        self.sent.append(message)

    async def receive(self):
        await anyio.sleep_forever()

    async def run(self, application, **settings):
        with anyio.fail_after(20):
            app = BearerAuthMiddleware(application, self.server, **{"end_with_token": True, **settings})
            await app(self.scope, self.receive, self.send)

    async def has_sent(self, count):
        """Wait until the application has sent so many messages."""
        with anyio.fail_after(20):
            while len(self.sent) < count:  # noqa: ASYNC110 - the application under test does not know of it
                await anyio.sleep(0.01)

    @property
    def is_complete(self):
        return self.sent[-1]["type"] == "http.response.body" and not self.sent[-1]["more_body"]


def streaming(media_type, then=anyio.sleep_forever):
    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", media_type)]})
        await send({"type": "http.response.body", "body": b"data", "more_body": True})
        await then()

    return application


async def accept_forever(scope, receive, send):
    await send({"type": "websocket.accept"})
    await receive()


async def test_a_stream_does_not_end_with_its_dpop_proof(issuer, clock):
    """The proof that opened it is used and soon too old; the token is still good."""
    url = "https://shopping.example"
    server = ResourceServer(issuer.trusted, audience=SHOPPING_API, clock=clock, resource_url=url, dpop=Dpop())
    connection = Connection(server, issuer, claims=bound_to())
    token = connection.scope["headers"][0][1].decode().removeprefix("Bearer ")
    proof = dpop_proof(token, f"{url}/", clock())
    connection.scope["headers"] = [(b"authorization", f"DPoP {token}".encode()), (b"dpop", proof.encode())]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.run, streaming(b"text/event-stream"))
        await connection.has_sent(2)
        clock.advance(1_800)
        await anyio.sleep(0.2)
        assert len(connection.sent) == 2
        clock.advance(1_830)
    assert connection.is_complete


@pytest.mark.parametrize(
    ("media_type", "completes"), [(b"text/event-stream; charset=utf-8", True), (b"text/csv", False)]
)
async def test_a_streaming_answer_ends_with_its_token(server, issuer, clock, media_type, completes):
    connection = Connection(server, issuer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.run, streaming(media_type))
        await connection.has_sent(2)
        clock.advance(3_600 + 29)
        await anyio.sleep(0.2)
        assert len(connection.sent) == 2  # still within the leeway
        clock.advance(1)
    assert connection.is_complete is completes


async def test_a_websocket_is_closed_with_its_token(server, issuer, clock):
    connection = Connection(server, issuer, "websocket")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.run, accept_forever)
        await connection.has_sent(1)
        clock.advance(3_630)
    closed = {"type": "websocket.close", "code": 1008, "reason": ""}
    assert connection.sent == [{"type": "websocket.accept"}, closed]


async def test_a_withdrawn_key_ends_a_stream_and_an_outage_does_not(server, issuer, clock):
    withdrawn = issuer.current_key.kid
    connection = Connection(server, issuer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(connection.run, streaming(b"text/event-stream"))
        await connection.has_sent(2)
        issuer.outage()
        server.purge()  # so that it cannot be told whether the token is good
        clock.advance(60)
        await anyio.sleep(0.3)
        assert not connection.is_complete
        issuer.recover()
        issuer.rotate()
        issuer.withdraw(withdrawn)
        clock.advance(60)
        await server.arefresh()
    assert connection.is_complete


async def test_what_an_organization_raises_ends_no_stream_but_the_expiry_does(server, issuer, clock):
    asked, was_asked_again = [], anyio.Event()

    def organization(scope):
        asked.append(scope)
        if len(asked) == 1:
            return "org-blue"
        if len(asked) == 4:
            was_asked_again.set()
        raise LookupError("the database is down")

    connection = Connection(server, issuer, organization_id="org-blue")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(
            lambda: connection.run(streaming(b"text/event-stream"), requires=Requirement(organization=organization))
        )
        with anyio.fail_after(20):
            await was_asked_again.wait()
        assert len(connection.sent) == 2
        clock.advance(3_700)
    assert connection.is_complete


async def test_a_sign_in_that_grows_old_ends_no_stream_but_the_expiry_does(issuer, clock):
    """`max_age` counts when a request comes. Who then has a stream keeps it, and no refusal is reported."""
    events, asked_again = [], anyio.Event()
    server = ResourceServer(
        issuer.trusted, audience=SHOPPING_API, clock=clock, machine_only=False, on_event=events.append
    )
    asked = []

    def organization(_scope):
        asked.append(True)
        if len(asked) == 4:
            asked_again.set()
        return "org-blue"

    requires = Requirement(max_age=300, acr="mfa", organization=organization)
    claims = {"auth_time": int(clock()), "acr": "mfa"}
    connection = Connection(server, issuer)
    token = issuer.mint_user_token(organization_id="org-blue", issued_at=int(clock()), claims=claims)
    connection.scope["headers"] = [(b"authorization", f"Bearer {token}".encode())]
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: connection.run(streaming(b"text/event-stream"), requires=requires))
        await connection.has_sent(2)
        clock.advance(331)
        asked.clear()
        with anyio.fail_after(20):
            await asked_again.wait()
        assert not connection.is_complete
        assert [one for one in events if isinstance(one, TokenRefused)] == []
        another = Connection(server, issuer)
        another.scope["headers"] = connection.scope["headers"]
        await another.run(streaming(b"text/event-stream"), requires=requires)
        assert another.sent[0]["status"] == 401  # who comes now must sign in again
        clock.advance(3_400)
    assert connection.is_complete


async def test_an_answer_that_began_too_late_is_cut_only_if_it_goes_on(server, issuer, clock):
    async def slow(scope, receive, send):
        clock.advance(3_700)
        await anyio.sleep(0.1)
        await streaming(b"text/csv", then=anyio.lowlevel.checkpoint)(scope, receive, send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    connection = Connection(server, issuer)
    await connection.run(slow)
    assert connection.is_complete

    async def endless(scope, receive, send):
        clock.advance(3_700)
        await streaming(b"text/csv")(scope, receive, send)

    late = Connection(server, issuer, iat=clock(), exp=clock() + 60)
    await late.run(endless)
    assert not late.is_complete


async def test_what_runs_after_a_complete_answer_is_not_cancelled(server, issuer, clock):
    done = []

    async def application(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        clock.advance(3_700)
        await anyio.sleep(0.2)
        done.append("background task")

    await Connection(server, issuer).run(application)
    assert done


async def test_what_the_application_raises_passes_through_unchanged(server, issuer):
    async def application(scope, receive, send):
        raise Failure

    with pytest.raises(Failure):
        await Connection(server, issuer).run(application)


async def test_a_cancelled_connection_is_cancelled_at_once(server, issuer):
    connection = Connection(server, issuer)
    with anyio.move_on_after(0.2) as scope:
        await connection.run(streaming(b"text/csv"))
    assert scope.cancelled_caught


async def test_without_it_a_stream_goes_on(server, issuer, clock):
    connection = Connection(server, issuer)

    async def moved():
        clock.advance(3_700)
        await anyio.sleep(0.2)
        moved_on.append(True)

    moved_on = []
    await connection.run(streaming(b"text/event-stream", then=moved), end_with_token=False)
    assert moved_on
    assert len(connection.sent) == 2


@pytest.fixture
def live(issuer):
    """A Starlette application under uvicorn that would stream for ever; its clock is the real one."""

    async def events(request):
        async def endless():
            while True:
                yield b"data: tick\n\n"
                await anyio.sleep(0.05)

        return StreamingResponse(endless(), media_type=request.query_params["type"])

    async def socket(websocket):
        await websocket.accept()
        await websocket.receive()

    app = Starlette(routes=[Route("/events", events), WebSocketRoute("/live", socket)])
    server = ResourceServer(issuer.trusted, audience=SHOPPING_API, leeway=0)
    app.add_middleware(BearerAuthMiddleware, server=server, end_with_token=True)
    port = free_port()
    running = uvicorn.Server(uvicorn.Config(app, port=port, log_level="critical", ws="websockets-sansio"))
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"127.0.0.1:{port}"
    running.should_exit = True
    thread.join(10)


def token_for(issuer, seconds):
    return {"Authorization": f"Bearer {issuer.mint('app-a', exp=time.time() + seconds)}"}


def test_under_uvicorn_an_event_stream_ends_and_a_download_breaks(live, issuer):
    stream = urllib3.request(
        "GET", f"http://{live}/events?type=text/event-stream", headers=token_for(issuer, 1), timeout=20
    )
    assert stream.status == 200
    assert stream.data.endswith(b"tick\n\n")
    with pytest.raises(urllib3.exceptions.ProtocolError):
        urllib3.request(
            "GET", f"http://{live}/events?type=text/csv", headers=token_for(issuer, 1), timeout=20, retries=False
        )


def test_under_uvicorn_a_websocket_is_closed_with_1008(live, issuer):
    fields = token_for(issuer, 1)
    began = time.monotonic()
    with websockets.sync.client.connect(f"ws://{live}/live", additional_headers=fields) as socket:
        with pytest.raises(websockets.exceptions.ConnectionClosedError):
            socket.recv(timeout=20)
        assert socket.close_code == 1008
    print(f"closed {time.monotonic() - began:.2f} s after a token of 1 s was made")

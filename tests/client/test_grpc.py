"""gRPC call credentials with a real server that m2mguard protects. Messages are bytes, so no protobuf is needed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from m2mguard import Issuer, ResourceServer
from m2mguard.client.grpc import call_credentials
from m2mguard.errors import AnswerableError
from m2mguard.testing import SHOPPING_API, LocalIssuer


@pytest.fixture
def target(issuer: LocalIssuer) -> Iterator[str]:
    """The address of a server that answers with the application ID of the caller."""
    verifier = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)

    def who(request: bytes, context: grpc.ServicerContext) -> bytes:
        fields = [str(value) for name, value in context.invocation_metadata() if name == "authorization"]
        try:
            return verifier.authenticate(fields).app_id.encode()
        except AnswerableError as error:
            context.abort(grpc.StatusCode.UNAUTHENTICATED, error.description)

    handler = grpc.method_handlers_generic_handler("shop.Orders", {"Who": grpc.unary_unary_rpc_method_handler(who)})
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=[handler])
        port = server.add_secure_port("127.0.0.1:0", grpc.local_server_credentials())
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(grace=None).wait(10)


def call(channel, **how: Any) -> Any:
    """Call the server; returns the application ID of the caller."""
    return channel.unary_unary("/shop.Orders/Who")(b"", timeout=10, **how)


def channel_credentials(source) -> grpc.ChannelCredentials:
    return grpc.composite_channel_credentials(grpc.local_channel_credentials(), call_credentials(source))


def test_each_call_carries_a_token_that_is_fetched_once(target, source, issuer):
    with grpc.secure_channel(target, channel_credentials(source)) as channel:
        assert [call(channel) for _ in range(3)] == [b"app-orders"] * 3
    assert issuer.count("token") == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_grpc_aio_accepts_the_same_credentials(target, source):
    async with grpc.aio.secure_channel(target, channel_credentials(source)) as channel:
        assert await call(channel) == b"app-orders"


def test_a_call_without_the_credentials_is_refused(target):
    with (
        grpc.secure_channel(target, grpc.local_channel_credentials()) as channel,
        pytest.raises(grpc.RpcError) as raised,
    ):
        call(channel)
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_call_without_a_token_fails_with_a_reason_but_no_secret(target, make_source):
    source = make_source(app_secret="wr0ng-s3cr3t")
    with grpc.secure_channel(target, channel_credentials(source)) as channel, pytest.raises(grpc.RpcError) as raised:
        call(channel)
    assert "the secret is wrong" in str(raised.value.details())
    assert "wr0ng-s3cr3t" not in str(raised.value)


def test_no_token_is_sent_over_an_insecure_channel(target, source):
    with grpc.insecure_channel(target) as channel, pytest.raises(grpc.RpcError, match="security level"):
        call(channel, credentials=call_credentials(source))

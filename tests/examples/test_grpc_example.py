"""The example of a gRPC server is started, and called."""

import os
import subprocess
import sys
from pathlib import Path

import grpc

from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.commands import free_port
from tests.grpc_servers import bearer, call

EXAMPLE = Path(__file__).parents[2] / "examples" / "grpc_server.py"


def test_the_example_knows_who_calls_and_refuses_the_rest():
    port = free_port()
    with LocalIssuer() as issuer:
        environ = {"M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint, "M2MGUARD_AUDIENCE": SHOPPING_API, "PORT": str(port)}
        with (
            subprocess.Popen([sys.executable, EXAMPLE], env=os.environ | environ) as server,
            grpc.insecure_channel(f"127.0.0.1:{port}") as channel,
        ):
            try:
                grpc.channel_ready_future(channel).result(timeout=30)

                def get(method="/shop.Orders/Get", **claims):
                    metadata = bearer(issuer.mint("app-orders", **claims)) if claims else ()
                    return call(channel, "unary_unary", method=method, metadata=metadata, request=b"")

                assert get(scopes=["read:orders"]).messages == [b"hello, app-orders"]
                assert get().code is grpc.StatusCode.UNAUTHENTICATED
                refused = get(scopes=["other"])
                assert refused.code is grpc.StatusCode.PERMISSION_DENIED
                assert 'scope="read:orders"' in refused.values("www-authenticate")[0]
                assert get("/grpc.health.v1.Health/Check").code is grpc.StatusCode.OK
            finally:
                server.terminate()
                server.wait(20)

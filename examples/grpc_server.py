"""A gRPC server that machines call: `python examples/grpc_server.py`, with M2MGUARD_LOGTO_ENDPOINT and M2MGUARD_AUDIENCE set.

Messages are bytes, so that it needs no generated code; with your own, only `add_generic_rpc_handlers` changes. The health service, which
needs no token, is `pip install grpcio-health-checking`.
"""

import asyncio
import os

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2_grpc

from m2mguard import Requirement, ResourceServer
from m2mguard.grpc import AioGuard, current_caller


async def get(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
    return f"hello, {current_caller().app_id}".encode()


async def main() -> None:
    guard = AioGuard(ResourceServer.from_env(), requires=Requirement(scopes=["read:orders"]))
    server = grpc.aio.server(interceptors=[guard])
    orders = grpc.method_handlers_generic_handler("shop.Orders", {"Get": grpc.unary_unary_rpc_method_handler(get)})
    server.add_generic_rpc_handlers((orders,))
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(f"127.0.0.1:{os.environ.get('PORT', '50051')}")  # behind a proxy that ends TLS
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main())

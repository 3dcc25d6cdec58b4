"""What an editor must know in a gRPC server. Checked by mypy and pyright in their strict modes; never run."""

from concurrent.futures import ThreadPoolExecutor
from typing import assert_type

import grpc
import grpc.aio

from m2mguard import Caller, Requirement, ResourceServer
from m2mguard.certificates import from_grpc
from m2mguard.grpc import AioGuard, Guard, current_caller

server = ResourceServer("https://issuer.example", audience="https://shopping.api")
methods = {"/shop.Orders/Delete": Requirement(scopes=["delete:orders"])}
threads = grpc.server(ThreadPoolExecutor(8), interceptors=[Guard(server, requires=Requirement(), methods=methods)])
loop = grpc.aio.server(
    interceptors=[AioGuard(server, public=["/grpc.health.v1.Health/"], streams="keep", certificate=from_grpc())]
)
app_id = assert_type(current_caller(), Caller).app_id

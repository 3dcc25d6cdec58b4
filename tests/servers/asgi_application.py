"""The contract's application in plain ASGI for a server process, configured by environment variables."""

from m2mguard import ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.testing.contract._environment import NOW
from tests.contract.asgi_harnesses import PlainASGI

asgi = BearerAuthMiddleware(
    PlainASGI()._application, ResourceServer.from_env(clock=lambda: NOW), public=("/healthz", "/docs/")
)

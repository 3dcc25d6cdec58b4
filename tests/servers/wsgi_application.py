"""The contract's application in plain WSGI for a server process, configured by environment variables."""

from m2mguard import ResourceServer
from m2mguard.testing.contract._environment import NOW
from m2mguard.wsgi import BearerAuthMiddleware
from tests.contract.wsgi_harnesses import PlainWSGI

wsgi = BearerAuthMiddleware(
    PlainWSGI()._application, ResourceServer.from_env(clock=lambda: NOW), public=("/healthz", "/docs/")
)

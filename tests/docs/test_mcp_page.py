"""docs/guides/mcp.md: "Try it" is followed word for word: the local issuer of `m2mguard dev`, the server, and the calls."""

import json
import re
import shlex
import subprocess

import pytest

from tests.commands import PATH, free_port, running_command
from tests.docs.test_pages import ROOT, blocks_of
from tests.docs.test_quick_starts import as_urllib3, fenced

PAGE = "docs/guides/mcp.md"
TEXT = (ROOT / PAGE).read_text()
ROW = re.compile(r"^\| `\w+` with [^|]+ \| (?P<status>\d{3}) \| `(?P<body>[^|]+)` \|$", re.MULTILINE)


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
        running_command(
            [*shlex.split(issuer_line), *ports], f"http://127.0.0.1:{dev}/", folder=tmp_path, env=environment
        ),
        running_command(shlex.split(serve_line), f"http://127.0.0.1:{port}/mcp", folder=tmp_path, env=environment),
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

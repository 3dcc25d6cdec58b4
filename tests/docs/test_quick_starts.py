"""docs/start: each page is followed word for word in an empty folder: the file, the two servers, and the calls."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.commands import PATH, free_port, running_command

PAGES = sorted((Path(__file__).parents[2] / "docs" / "start").glob("*.md"))
ANSWER = re.compile(r"^\| [^|]+ \| (?P<status>\d{3}) \| `(?P<body>\{.*\})` \|$", re.MULTILINE)


def fenced(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


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
    with running_command(run.split(), f"http://127.0.0.1:{port}/orders", folder=tmp_path, env=environment):
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
    expected = [[int(row["status"]), json.loads(row["body"])] for row in ANSWER.finditer(text)]
    assert [status for status, _ in expected] == [401, 403, 200]
    assert [json.loads(line) for line in done.stdout.splitlines()] == expected


def as_urllib3(call: str) -> str:
    """The calls with a replacement for curl, which may not be installed; it prints the status and the JSON of the answer."""
    curl_replacement = f'curl() {{ {sys.executable} {Path(__file__).parent / "curl.py"} "$@"; }}\n'
    return curl_replacement + call

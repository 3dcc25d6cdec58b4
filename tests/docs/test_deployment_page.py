"""docs/guides/deployment.md: each version of `orders.py` is served in an empty folder by the page's own commands, with two workers."""

import contextlib
import re
import time

import pytest
import urllib3

from m2mguard.testing import SHOPPING_API
from tests.commands import CLOSE, PATH, free_port, running_command
from tests.docs.test_pages import ROOT, blocks_of
from tests.docs.test_quick_starts import fenced

PAGE = "docs/guides/deployment.md"
TEXT = (ROOT / PAGE).read_text()
BLOCKS = [text for _, text in blocks_of(PAGE)]
(GUNICORN,) = (text for text in BLOCKS if text.startswith("# gunicorn.conf.py\n"))
VERSIONS = [text for text in BLOCKS if text.startswith("# orders.py\n")]
UVICORN_RUN, GUNICORN_RUN = (
    block.splitlines()[1].split() for block in fenced(TEXT, "sh") if block.startswith("pip install")
)
PRELOAD = "preload_app = False"


def version_of(framework: str) -> str:
    """The one version that imports the framework; there are three versions in all."""
    assert len(VERSIONS) == 3
    (text,) = (text for text in VERSIONS if re.search(rf"^from {framework}\b", text, re.MULTILINE))
    return text


@pytest.fixture
def serve(tmp_path, issuer):
    """Serve files by a command; gives the URL of the API once its port answers."""

    def start(command, files):
        port = free_port()
        for name, text in files.items():
            (tmp_path / name).write_text(text.replace("8000", str(port)))
        environment = {
            "PATH": PATH,
            "HOME": str(tmp_path),
            "M2MGUARD_LOGTO_ENDPOINT": issuer.endpoint,
            "M2MGUARD_AUDIENCE": SHOPPING_API,
        }
        words = [port if word == "8000" else word for word in command]
        url = f"http://127.0.0.1:{port}"
        stack.enter_context(running_command(words, f"{url}/livez", folder=tmp_path, env=environment))
        return url

    with contextlib.ExitStack() as stack:
        yield start


def get(url, **fields):
    return urllib3.request("GET", url, headers=CLOSE | fields, retries=False, timeout=20)


def assert_every_worker_has_its_keys(url, issuer):
    """The hook or the lifespan of both workers fetches keys; after that every probe is a 200, whichever worker it reaches."""
    deadline = time.monotonic() + 30
    while issuer.count("jwks") < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert issuer.count("jwks") == 2
    ready = (200, b'{"status": "ready"}')
    answers: set[tuple[int, bytes]] = set()
    while (
        answers != {ready} and time.monotonic() < deadline
    ):  # a worker that has asked may not have read the answer yet
        answers = {(answer.status, answer.data) for answer in [get(f"{url}/readyz") for _ in range(10)]}
    assert answers == {ready}
    assert issuer.count("jwks") == 2


@pytest.mark.parametrize(
    ("framework", "command", "preload"),
    [
        ("fastapi", UVICORN_RUN, None),
        ("flask", GUNICORN_RUN, "False"),
        ("flask", GUNICORN_RUN, "True"),
        ("django", GUNICORN_RUN, "False"),
        ("django", GUNICORN_RUN, "True"),
    ],
)
def test_each_version_is_served_with_keys_in_each_worker(serve, issuer, framework, command, preload):
    files = {"orders.py": version_of(framework)}
    if preload is not None:
        assert PRELOAD in GUNICORN
        files["gunicorn.conf.py"] = GUNICORN.replace(PRELOAD, f"preload_app = {preload}")
    url = serve(command, files)
    assert_every_worker_has_its_keys(url, issuer)
    assert get(f"{url}/livez").status == 200
    assert get(f"{url}/orders").status == 401
    token = issuer.mint("app-orders", scopes=["read:orders"])
    assert get(f"{url}/orders", Authorization=f"Bearer {token}").json() == {"hello": "app-orders"}


@pytest.mark.parametrize(
    ("framework", "command"), [("fastapi", UVICORN_RUN), ("flask", GUNICORN_RUN), ("django", GUNICORN_RUN)]
)
def test_each_version_is_alive_and_not_ready_without_keys(serve, issuer, framework, command):
    issuer.stop()
    url = serve(command, {"orders.py": version_of(framework), "gunicorn.conf.py": GUNICORN})
    assert get(f"{url}/livez").status == 200
    answer = get(f"{url}/readyz")
    assert (answer.status, answer.data, answer.headers["Retry-After"]) == (503, b'{"status": "not ready"}', "1")

"""README.md: each block is a file with the name in its first line and runs in an empty folder; every link has a target."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.test_pages import blocks_of

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text()
FILES = {text.splitlines()[0].removeprefix("# "): text for _, text in blocks_of("README.md")}
LINK = re.compile(r"(?:\]\(|^\[[\w-]+\]: )(?P<target>[^)\s]+)", re.MULTILINE)
LINK_NAME = re.compile(r"\]\[(?P<name>[\w-]+)\]")
OWN_FILE = re.compile(
    r"https://(?:github\.com/m2mguard/m2mguard/blob|raw\.githubusercontent\.com/m2mguard/m2mguard)/main/(?P<path>[^#]+)"
)


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [["-c", "import orders"], ["-m", "pytest", "-q", "-p", "no:asyncio", "-p", "no:cacheprovider"], ["report.py"]],
)
def test_each_block_runs_unchanged(folder, command):
    done = subprocess.run(
        [sys.executable, "-W", "error", *command], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "pytest" not in command or "2 passed" in done.stdout


def test_the_readme_has_exactly_these_files():
    assert set(FILES) == {"orders.py", "test_orders.py", "report.py"}


def test_every_link_is_absolute_and_links_to_us_name_existing_files():
    targets = [match["target"] for match in LINK.finditer(TEXT)]
    assert len(targets) > 15
    for target in targets:
        assert target.startswith("https://"), target
        own_file = OWN_FILE.fullmatch(target.partition("#")[0])
        if own_file is not None:
            assert (ROOT / own_file["path"]).is_file(), target


def test_every_named_link_has_its_target():
    defined = re.findall(r"^\[([\w-]+)\]: ", TEXT, re.MULTILINE)
    assert set(LINK_NAME.findall(TEXT)) == set(defined)


def test_the_first_screen_protects_an_api():
    assert len(FILES["orders.py"].split("server = ")[1].splitlines()) <= 10

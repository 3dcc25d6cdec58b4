"""The suites in examples/tests: each runs in its own process, by pytest or by unittest."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import WITHOUT_PLUGINS

ROOT = Path(__file__).parents[2]
SUITES = sorted((ROOT / "examples" / "tests").glob("test_*.py"))


@pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.stem)
def test_the_suite_passes_and_has_at_most_30_lines(suite):
    is_unittest = suite.stem.endswith("unittest")
    runner = ["unittest"] if is_unittest else ["pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", *WITHOUT_PLUGINS]
    done = subprocess.run(
        [sys.executable, "-m", *runner, suite.relative_to(ROOT)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("Ran 1 test" in done.stderr) if is_unittest else ("3 passed" in done.stdout)
    assert len(suite.read_text().splitlines()) <= 30


def test_there_is_a_suite_for_each_framework():
    assert [suite.stem.removeprefix("test_") for suite in SUITES] == [
        "drf_site", "fastapi_app", "fastapi_app_unittest", "flask_app", "starlette_app",
    ]  # fmt: skip

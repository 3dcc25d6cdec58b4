"""Pages that need a separate process: their blocks run as one file."""

import subprocess
import sys
from pathlib import Path

import pytest
from sybil import Document
from sybil.parsers.markdown import PythonCodeBlockParser

ROOT = Path(__file__).parents[2]
PAGES = [
    "docs/guides/django.md",
    "docs/guides/drf.md",
    "docs/guides/litestar.md",
    "docs/guides/ninja.md",
    "docs/guides/other-frameworks.md",
]


def blocks_of(page: str) -> list[tuple[int, str]]:
    """The Python blocks of a page: the line on which each starts, and its text."""
    document = Document.parse(str(ROOT / page), PythonCodeBlockParser())
    return [(example.line, str(example.parsed)) for example in document.examples()]


OF_MANGUM = (
    "ignore:There is no current event loop:DeprecationWarning"  # Mangum 0.22 asks for one where Python 3.12 has none
)


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run_as_one_file(page, tmp_path):
    blocks = blocks_of(page)
    assert len(blocks) > 2
    lines: list[str] = []
    for number, text in blocks:
        lines += [""] * (number - len(lines))  # a traceback then names the line of the page
        lines += text.splitlines()
    file = tmp_path / "page.py"
    file.write_text("\n".join(lines))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-W", OF_MANGUM, file], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr

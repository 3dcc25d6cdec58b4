"""Executes the documentation: every Python block of docs/ is a test, so that no page can lie.

The blocks of one page share their names and run from top to bottom, and nothing else is there: a reader who copies them in order gets the
same. `<!-- skip: next "REASON" -->` above a block leaves it out: only for what cannot run here. tests/docs runs the pages
whose blocks are files, README.md among them, and those that need a process of their own.
"""

import logging
from collections.abc import Iterator

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

# Django can be configured only once, Litestar looks for the module of a handler, and Sanic keeps a list of its applications.
IN_THEIR_OWN_PROCESS = [
    "docs/guides/django.md",
    "docs/guides/drf.md",
    "docs/guides/litestar.md",
    "docs/guides/ninja.md",
    "docs/guides/other-frameworks.md",
]
BLOCKS_ARE_FILES = ["docs/guides/deployment.md", "docs/guides/testing.md", "docs/start/*.md", "docs/migrate/*.md"]

pytest_collect_file = Sybil(
    parsers=[SkipParser(), PythonCodeBlockParser()],
    patterns=["docs/*.md", "docs/**/*.md"],
    excludes=[*IN_THEIR_OWN_PROCESS, *BLOCKS_ARE_FILES],
    fixtures=["restored_logging"],
).pytest()


@pytest.fixture(scope="module")
def restored_logging() -> Iterator[None]:
    """Undo what the pages about logging configure."""
    log = logging.getLogger("m2mguard")
    before = log.level, log.propagate, list(log.handlers), list(log.filters)
    yield
    log.level, log.propagate, log.handlers, log.filters = before

"""Executes the documentation: every Python block of README.md and docs/ is a test, so that no page can lie.

The blocks of one page share their names and run from top to bottom; `local_issuer`, a running `LocalIssuer`, is there
from the start. `<!-- skip: next "REASON" -->` above a block leaves it out: only for what cannot run here.
"""

import logging
from collections.abc import Iterator

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

from m2mguard.testing import LocalIssuer

pytest_collect_file = Sybil(
    parsers=[SkipParser(), PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
    fixtures=["local_issuer"],
).pytest()


@pytest.fixture(scope="module")
def local_issuer() -> Iterator[LocalIssuer]:
    log = logging.getLogger("m2mguard")  # which the pages about logging configure
    before = log.level, log.propagate, list(log.handlers), list(log.filters)
    with LocalIssuer() as running:
        yield running
    log.level, log.propagate, log.handlers, log.filters = before

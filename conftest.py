"""Executes the documentation: every Python block of README.md and docs/ is a test, so that no page can lie.

The blocks of one page share their names and run from top to bottom. `<!-- skip: next -->` above a block leaves it
out; use it only for what cannot run here, with the reason: `<!-- skip: next "needs a real tenant" -->`.
"""

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

pytest_collect_file = Sybil(
    parsers=[SkipParser(), PythonCodeBlockParser()],
    patterns=["README.md", "docs/*.md", "docs/**/*.md"],
).pytest()

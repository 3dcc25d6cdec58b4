"""docs/explanation/architecture.md names files that exist; the glossary has its terms in order."""

import re
from pathlib import Path

import pytest

import m2mguard

ROOT = Path(__file__).parents[1]
PACKAGE = Path(m2mguard.__file__).parent
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
GLOSSARY = (ROOT / "docs" / "reference" / "glossary.md").read_text()
FILES = sorted(set(re.findall(r"`((?:\w+/)*_?\w+\.py)`", PAGE)))
WORDS = re.findall(r"^\| \*?([A-Za-z -]+)\*?[ ,|]", GLOSSARY, re.MULTILINE)


def test_the_architecture_page_names_files():
    assert len(FILES) > 25


@pytest.mark.parametrize("file", FILES)
def test_a_named_file_exists(file):
    assert (PACKAGE / file).is_file() or list(PACKAGE.glob(f"*/{file}")), file


def test_the_glossary_has_30_to_40_words_in_alphabetical_order():
    words = [word.strip() for word in WORDS if word.strip() not in ("word", "")]
    assert 30 <= len(words) <= 40
    assert words == sorted(words, key=str.lower)

"""The words that we do not write, each with a plain replacement. CONTRIBUTING.md describes our language; this test checks it.

`make check` runs this, and codespell for the spelling.
"""

import os
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLAIN_WORDS = {
    r"cannot be meant|can ?not be meant": "is invalid",
    r"\bstands? (?:at|in|beside|behind|before|below|above|between|there|here)\b": "is at, is in, comes before",
    r"\bwhoever\b": "anyone who, the caller that",
    r"\bpermits?\b(?! the i)": "a fetch is allowed, rate limit",
    r"\bdice\b": "jitter",
    r"\bledgers?\b|\brulings?\b": "state, resolution",
    r"\bkeepers?\b": "cached token",
    r"\btoken famil(?:y|ies)\b|\bTokenFamily\b": "token pool",
    r"\bunder ?way\b": "in flight",
    r"\bin the air\b|\bair ?borne\b|\btakes? off\b|\btook off\b|\bflying\b": "in flight",
    r"\bin vain\b|\bfor want of\b": "timed out, without",
    r"\bpatien(?:ce|t)\b": "time-out, lenient",
    r"\bnot? so long as\b|\bso long as\b": "while",
    r"\bof late\b": "recently",
    r"\banew\b": "again",
    r"\bat the (?:most|least)\b": "at most, at least",
    r"\bwhere it lies\b|\bkeys lie\b|\blies (?:at|in|below|behind)\b": "its URL, is in",
    r"\bin so many words\b": "explicitly",
    r"\bgoes? the long way\b|\bthe house\b": "say it directly",
    r"\bhas its (?:say|price)\b": "has answered, costs",
    r"\bclothes\b|\bin the hands of\b": "say it directly",
    r"\bfind(?:s|ing)? out again\b": "recompute",
}
SUFFIXES = {".cfg", ".css", ".html", ".js", ".md", ".mjs", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml", ""}
LEFT_OUT = {"LICENSE", "tests/test_words.py"}
NOT_OURS = {".git", ".venv", "build", "dist", "node_modules", "data", "htmlcov", "mutants"}
PATTERN = re.compile("|".join(f"(?P<w{index}>{words})" for index, words in enumerate(PLAIN_WORDS)), re.IGNORECASE)


def texts():
    for folder, folders, names in os.walk(ROOT):
        folders[:] = sorted(name for name in folders if name not in NOT_OURS and not name.endswith("_cache"))
        for path in (Path(folder, name) for name in sorted(names)):
            name = path.relative_to(ROOT)
            if path.suffix in SUFFIXES and name.as_posix() not in LEFT_OUT:
                yield name, path.read_text(encoding="utf-8", errors="replace")


def test_plain_words_only():
    found = [
        f"{name}:{number}: {match[0]!r}, write: {list(PLAIN_WORDS.values())[int(match.lastgroup[1:])]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        for match in PATTERN.finditer(line)
    ]
    assert not found, "\n".join([f"{len(found)} words that we do not write:", *found])


def test_the_pattern_finds_the_listed_words():
    assert PATTERN.search("A setting that cannot be meant.")
    assert PATTERN.search("The Caller stands at scope")
    assert not PATTERN.search("an invalid setting, understands at once")

"""docs/security.md cannot lie: every rule is on it, and every test it names exists, ran, and passed."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import OUTCOMES

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| ([SF]\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
NAMED_TEST = re.compile(r"`((?:\w+/)*test_\w+\.py)::(test_\w+)`")
RULES = [*(f"S{number}" for number in range(1, 73)), *(f"F{number}" for number in range(1, 82))]
MAY_BE_SKIPPED = "tests/security/test_vectors.py"  # where the vectors are not beside the repository


@cache
def rows() -> dict[str, str]:
    found = ROW.findall((ROOT / "docs" / "security.md").read_text())
    assert len(found) == len({rule for rule, _, _ in found})
    return {rule: held_by for rule, _, held_by in found}


def named_tests() -> list[str]:
    return sorted(
        {f"tests/{file}::{name}" for held_by in rows().values() for file, name in NAMED_TEST.findall(held_by)}
    )


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_rule_is_on_the_page_in_order():
    assert list(rows()) == RULES


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_a_test_or_says_why_it_does_not_apply(rule):
    assert NAMED_TEST.search(rows()[rule]) or rows()[rule].startswith("does not apply: ")


@pytest.mark.parametrize("name", named_tests())
def test_a_named_test_exists(name):
    file, _, function = name.partition("::")
    assert function in functions_of(file)


def test_the_named_tests_ran_and_passed(request):
    """In a run of everything, all of them; in a smaller one, those that were asked for."""
    config = request.config
    outcomes = config.stash[OUTCOMES]
    everything = config.args_source is pytest.Config.ArgsSource.TESTPATHS and not (
        config.option.markexpr or config.option.keyword
    )
    for name in named_tests():
        seen = outcomes.get(name, set())
        assert seen <= ({"passed", "skipped"} if name.startswith(MAY_BE_SKIPPED) else {"passed"}), name
        assert seen or not everything, f"{name} did not run"

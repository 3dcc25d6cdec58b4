"""docs/explanation/security.md names every rule and existing tests. `NamedTests` checks at the end of a run that they passed."""

import ast
import re
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import MAY_BE_SKIPPED, NAMED_TEST, NamedTests

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| ([SF]\d+) \| (.+) \| (.+) \|$", re.MULTILINE)
RULES = [*(f"S{number}" for number in range(1, 86)), *(f"F{number}" for number in range(1, 117))]


@cache
def rows() -> dict[str, str]:
    found = ROW.findall((ROOT / "docs" / "explanation" / "security.md").read_text())
    assert len(found) == len({rule for rule, _, _ in found})
    return {rule: cell for rule, _, cell in found}


def named_tests() -> list[str]:
    return sorted({f"tests/{file}::{name}" for cell in rows().values() for file, name in NAMED_TEST.findall(cell)})


@cache
def functions_of(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_rule_is_on_the_page_in_order():
    assert list(rows()) == RULES


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_names_a_test_or_the_reason_why_it_does_not_apply(rule):
    assert NAMED_TEST.search(rows()[rule]) or rows()[rule].startswith("does not apply: ")


@pytest.mark.parametrize("name", named_tests())
def test_a_named_test_exists(name):
    file, _, function = name.partition("::")
    assert function in functions_of(file)


@pytest.mark.parametrize(
    ("outcome", "is_full_run", "problems"),
    [
        ("passed", False, 0),
        ("skipped", False, 1),
        ("failed", False, 1),
        (None, False, 0),
        (None, True, len(named_tests())),
    ],
)
def test_a_run_fails_if_a_named_test_did_not_pass(outcome, is_full_run, problems):
    option = SimpleNamespace(markexpr="" if is_full_run else "not slow", keyword="")
    named = NamedTests(SimpleNamespace(args_source=pytest.Config.ArgsSource.TESTPATHS, option=option))
    session = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    name = next(name for name in named_tests() if not name.startswith(MAY_BE_SKIPPED))
    if outcome:
        report = SimpleNamespace(when="call", passed=outcome == "passed", nodeid=f"{name}[a case]", outcome=outcome)
        named.pytest_runtest_logreport(report)
    named.pytest_sessionfinish(session, pytest.ExitCode.OK)
    assert len(named.problems) == problems
    assert (session.exitstatus == pytest.ExitCode.OK) == (not problems)

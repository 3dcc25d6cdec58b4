"""docs/guides/testing.md: every block is a file with the name in its first line; every row of the table is a test."""

import re
import sys
import textwrap
from pathlib import Path

import pytest

from m2mguard.testing._chaos import TROUBLES
from tests.docs.test_pages import blocks_of
from tests.processes import WITHOUT_PLUGINS

pytest_plugins = ["pytester"]

PAGE = "docs/guides/testing.md"
FILES = {text.splitlines()[0].removeprefix("# "): text for _, text in blocks_of(PAGE)}
APPLICATIONS = ("orders.py", "shop.py")
CONFTEST = "conftest.py"  # for the suites of the Django site
TABLE = (Path(__file__).parents[2] / PAGE).read_text().split("## What you want to test")[1].split("## The fixtures")[0]
ROW = re.compile(r"^\| (?P<what>[^|]+) \| (?P<code>`.*`) \|$", re.MULTILINE)
ROWS = [(row["what"], [line.strip("`") for line in row["code"].split("<br>")]) for row in ROW.finditer(TABLE)]
IMPORTS = re.findall(r"^    ((?:from|import) .+)$", TABLE, re.MULTILINE)
FIXTURE = re.compile(r"\b(?:client|chaos|m2m_\w+)\b(?!=)")
PASSED = {
    "test_orders.py": 4, "test_refused.py": 6, "test_own_issuer.py": 1, "test_asgi.py": 2, "test_flask.py": 3,
    "test_django.py": 5, "test_drf.py": 3,
    "test_with_unittest.py": 3, "test_async.py": 2, "test_frozen_time.py": 2, "test_tokens.py": 3, "test_calling.py": 1,
    "test_dependency_overrides.py": 2, "test_force_authenticate.py": 2,
}  # fmt: skip
WITH_DJANGO = ["test_django.py", "test_drf.py", "test_force_authenticate.py"]
PROCESSES = [WITH_DJANGO, *([file] for file in WITH_DJANGO), [file for file in PASSED if file not in WITH_DJANGO]]
_DISTRIBUTIONS = {"rest_framework": "drf", "time_machine": "time-machine"}
NO_ASYNCIO = ("-p", "no:asyncio")


def run(pytester, suites, *options):
    """Run suites in one process of their own: text by file name."""
    for name, text in {**{name: FILES[name] for name in APPLICATIONS}, **suites}.items():
        pytester.path.joinpath(name).write_text(text)
    return pytester.runpytest_subprocess("-W", "error", "-v", *WITHOUT_PLUGINS, *options, *suites)


def test_every_block_is_a_file():
    assert set(FILES) == {*APPLICATIONS, CONFTEST, *PASSED}


@pytest.mark.parametrize("files", PROCESSES)
def test_the_blocks_pass_unchanged(pytester, files):
    if files[0] in WITH_DJANGO:
        pytester.path.joinpath(CONFTEST).write_text(FILES[CONFTEST])
    done = run(pytester, {file: FILES[file] for file in files}, *NO_ASYNCIO)
    done.assert_outcomes(passed=sum(PASSED[file] for file in files))
    log = done.stdout.str()
    assert {file: len(re.findall(rf"^{file}::.* PASSED", log, re.MULTILINE)) for file in files} == {
        file: PASSED[file] for file in files
    }


def test_the_line_that_installs_names_all_that_the_blocks_import():
    modules = {
        name.partition(".")[0]
        for text in FILES.values()
        for name in re.findall(r"^(?:from|import) ([\w.]+)", text, re.MULTILINE)
    }
    own = {file.removesuffix(".py") for file in FILES} | {"m2mguard"} | sys.stdlib_module_names
    line = re.search(r"^pip install (.+)$", (Path(__file__).parents[2] / PAGE).read_text(), re.MULTILINE)
    assert line is not None
    named = set(re.findall(r"[\w-]+", line[1]))
    assert {_DISTRIBUTIONS.get(module, module) for module in modules - own} | {"anyio", "trio"} <= named


def test_the_async_suite_passes_with_pytest_asyncio_too(pytester):
    suite = FILES["test_async.py"].replace("@pytest.mark.anyio  # with pytest-asyncio: ", "")
    assert "anyio" not in suite
    run(pytester, {"test_async.py": suite}, "-o", "asyncio_default_fixture_loop_scope=function").assert_outcomes(
        passed=1
    )


def test_every_row_of_the_table_is_a_test_of_at_most_three_lines(pytester):
    assert len(ROWS) > 20
    assert all(len(lines) <= 3 for _, lines in ROWS)
    suite = "\n".join([FILES["test_orders.py"].split("def test_")[0], *IMPORTS])
    for number, (what, lines) in enumerate(ROWS):
        fixtures = sorted(set(FIXTURE.findall("\n".join(lines))))
        suite += f"\n\n\ndef test_{number}({', '.join(fixtures)}):  # {what}\n"
        suite += textwrap.indent("\n".join(lines), "    ")
    run(pytester, {"test_rows.py": suite}, *NO_ASYNCIO).assert_outcomes(passed=len(ROWS) - 1 + len(TROUBLES))

"""docs/guides/testing.md: every block is a file with the name in its first line; every row of the table is a test."""

import re
import textwrap
from pathlib import Path

import pytest

from tests.docs.test_pages import blocks_of

pytest_plugins = ["pytester"]

PAGE = "docs/guides/testing.md"
FILES = {text.splitlines()[0].removeprefix("# "): text for _, text in blocks_of(PAGE)}
ROW = re.compile(r"^\| (?P<what>[^|]+) \| (?P<code>`.*`) \|$", re.MULTILINE)
ROWS = [
    (row["what"], [line.strip("`") for line in row["code"].split("<br>")])
    for row in ROW.finditer((Path(__file__).parents[2] / PAGE).read_text().split("## The fixtures")[0])
]
FIXTURE = re.compile(r"\b(?:client|chaos|m2m_\w+)\b")
PASSED = {
    "test_orders.py": 4, "test_own_issuer.py": 2, "test_asgi.py": 1, "test_flask.py": 1, "test_django.py": 4,
    "test_with_unittest.py": 3, "test_tokens.py": 3, "test_calling.py": 1, "test_what_not_to_do.py": 2,
}  # fmt: skip


def run(pytester, **files):
    pytester.makepyfile(orders=FILES["orders.py"], **files)
    pytester.syspathinsert()
    return pytester.runpytest_subprocess("-W", "error", "-p", "no:asyncio", *(f"{name}.py" for name in files))


def test_every_block_is_a_file():
    assert set(FILES) == {"orders.py", *PASSED}


@pytest.mark.parametrize("file", PASSED)
def test_a_block_passes_unchanged(pytester, file):
    run(pytester, **{file.removesuffix(".py"): FILES[file]}).assert_outcomes(passed=PASSED[file])


def test_every_row_of_the_table_is_a_test_of_at_most_three_lines(pytester):
    assert len(ROWS) > 15
    assert all(len(lines) <= 3 for _, lines in ROWS)
    suite = FILES["test_orders.py"].split("def test_")[0] + "from m2mguard.testing import REMOVED\n"
    for number, (what, lines) in enumerate(ROWS):
        fixtures = sorted(set(FIXTURE.findall("\n".join(lines))))
        suite += f"\n\ndef test_{number}({', '.join(fixtures)}):  # {what}\n" + textwrap.indent(
            "\n".join(lines), "    "
        )
    chaos_cases = 8
    run(pytester, test_rows=suite).assert_outcomes(passed=len(ROWS) - 1 + chaos_cases)


def test_force_authenticate_accepts_callers_that_production_refuses(pytester):
    suite = FILES["test_django.py"].split("def test_")[0] + textwrap.dedent(
        """
        from m2mguard.drf import Machine


        class ByRequiredScopes(APIView):
            authentication_classes = [M2MAuthentication]
            required_scopes = ["read:stock"]

            def get(self, request):
                return Response("in")


        urlpatterns.append(path("scopes", ByRequiredScopes.as_view()))
        nobody = fake_caller("app-mine")


        def test_it_does():
            client = APIClient()
            client.force_authenticate(user=Machine(caller=nobody), token=nobody)
            assert client.get("/scopes").status_code == 200


        def test_calling_as_does_not():
            client = APIClient()
            with calling_as(client, nobody):
                assert client.get("/scopes").status_code == 403
        """
    )
    run(pytester, test_rest=suite).assert_outcomes(passed=2)

"""`m2mguard why`, and the page of the documentation that is printed by it."""

from pathlib import Path

from m2mguard._cli.why_command import format_markdown, list_codes
from m2mguard._reasons import FETCH_PROBLEMS, REFUSALS, TOKEN_REQUESTS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "why.md"


def test_a_code_is_explained(run):
    status, page = run("why", "audience")
    assert status == 0
    assert page.startswith("audience: the token is for another API (aud)\n")
    assert "Usual causes:\n  - The caller asked for a token for another API" in page
    assert "What to do:\n  - Caller: ask for the token with this API's identifier" in page


def test_a_code_with_two_meanings_is_explained_twice(run):
    assert run("why", "scope")[1].count("Usual causes:") == 2


def test_without_a_code_all_are_listed(run):
    status, page = run("why")
    assert status == 0
    assert all(f"\n  {code:<24}" in page for code in list_codes())


def test_a_misspelt_code_is_guessed(run):
    assert run("why", "expird") == (
        2,
        "usage: m2mguard why [-h] [CODE]\nm2mguard why: error: there is no such code. Did you mean expired?\n",
    )
    assert "there is no such code. There are: missing, other_scheme, " in run("why", "zzzz")[1]


def test_the_page_of_the_docs_is_what_the_command_prints(run):
    assert run("why", "--markdown") == (0, PAGE.read_text()), "m2mguard why --markdown > docs/reference/why.md"


def test_every_entry_has_its_place_on_that_page():
    page = format_markdown()
    for entry in (*REFUSALS.values(), *FETCH_PROBLEMS.values(), *TOKEN_REQUESTS.values()):
        assert f"\n### {entry.heading}\n" in page
        assert "None" not in page

"""`m2mguard why`, and the page of the documentation that is printed by it."""

import re
from pathlib import Path
from typing import get_args

import pytest

from m2mguard._cli.why_command import list_codes
from m2mguard._cli.why_page import format_markdown
from m2mguard._reasons import EVENT_NAMES, FETCH_PROBLEMS, REFUSALS, TOKEN_REQUESTS
from m2mguard._reasons import codes as c
from m2mguard._reporting import log_lines

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "why.md"


def test_a_code_is_explained(run):
    status, page = run("why", "audience")
    assert status == 0
    assert page.startswith("audience: the token is for another API (aud)\n")
    assert "Usual causes:\n  - The caller asked for a token for another API" in page
    assert "What to do:\n  - Caller: ask for the token with this API's identifier" in page


def test_a_code_with_two_meanings_is_explained_twice(run):
    assert run("why", "scope")[1].count("Usual causes:") == 2


@pytest.mark.parametrize("name", [*log_lines._TABLE])
def test_each_event_is_explained(run, name):
    status, page = run("why", name.__name__)
    assert status == 0
    assert page.startswith(f"{name.__name__}: ")
    assert "What to do:\n  - " in page


@pytest.mark.parametrize(
    ("word", "codes"),
    [
        ("400", get_args(c.InvalidRequestReason)),
        (
            "401",
            (
                *get_args(c.MissingTokenReason),
                *get_args(c.InvalidTokenReason),
                "dpop_proof",
                "dpop_nonce",
                "dpop_replayed",
                *get_args(c.InsufficientUserAuthenticationReason),
            ),
        ),
        ("403", get_args(c.InsufficientScopeReason)),
        ("503", get_args(c.KeysUnavailableReason)),
        ("invalid_token", get_args(c.InvalidTokenReason)),
        ("insufficient_user_authentication", get_args(c.InsufficientUserAuthenticationReason)),
    ],
)
def test_a_status_or_an_error_code_lists_its_reasons(run, word, codes):
    status, page = run("why", word)
    assert status == 0
    assert re.findall(r"^  (\w+)", page, re.MULTILINE) == list(codes)
    assert page.endswith("`m2mguard why CODE` explains one code.\n")


def test_a_status_that_no_answer_has_is_refused(run):
    assert run("why", "404")[0] == 2


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
    for entry in (*REFUSALS.values(), *FETCH_PROBLEMS.values(), *TOKEN_REQUESTS.values(), *EVENT_NAMES.values()):
        assert f"\n### {entry.heading}\n" in page
        assert "None" not in page

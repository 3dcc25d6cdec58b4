"""The table of reasons: every code has an entry, and the texts of every entry have the right form."""

import re
from typing import get_args

import pytest

from m2mguard import events
from m2mguard._reasons import EVENT_NAMES, FETCH_PROBLEMS, REFUSALS, TOKEN_REQUESTS
from m2mguard._reasons import codes as c
from m2mguard._reasons.difference import small_difference
from m2mguard.errors import (
    InsufficientScope,
    InsufficientUserAuthentication,
    InvalidRequest,
    InvalidToken,
    KeysUnavailable,
    MissingToken,
)

ENTRIES = [*REFUSALS.values(), *FETCH_PROBLEMS.values(), *TOKEN_REQUESTS.values(), *EVENT_NAMES.values()]
ERRORS = {
    MissingToken: c.MissingTokenReason,
    InvalidRequest: c.InvalidRequestReason,
    InvalidToken: c.InvalidTokenReason,
    InsufficientScope: c.InsufficientScopeReason,
    InsufficientUserAuthentication: c.InsufficientUserAuthenticationReason,
    KeysUnavailable: c.KeysUnavailableReason,
}


def literals(union):
    return {code for part in get_args(union) for code in (get_args(part) or (part,))}


def test_every_code_has_an_entry_and_every_entry_a_code():
    assert set(REFUSALS) == literals(c.Reason)
    assert set(FETCH_PROBLEMS) == literals(c.FetchProblem)
    assert set(TOKEN_REQUESTS) == set(get_args(c.TokenRequestReason))
    assert set(EVENT_NAMES) == set(events.__all__) - {"Event", "TokenEvent"}


@pytest.mark.parametrize("error", ERRORS)
def test_an_entry_has_the_status_of_its_error(error):
    for reason in get_args(ERRORS[error]):
        assert REFUSALS[reason].status == error.status
        assert error(reason).detail == REFUSALS[reason].sentence


def test_every_problem_of_an_entry_is_a_code():
    known = {problem for entry in ENTRIES for problem in entry.problems}
    assert known <= set(get_args(c.TokenProblem))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.heading)
def test_the_texts_of_an_entry_have_the_right_form(entry):
    for sentence in (entry.sentence, *entry.problems.values()):
        assert re.fullmatch(r"(?!.*\.$)[a-zA-Z{].{9,}", sentence), sentence
    for text in (entry.meaning, *entry.causes, *entry.cures):
        assert re.fullmatch(r"[A-Z`].*\.", text), text
        assert "{" not in text.replace("{{token}}", "").replace("${TOKEN}", ""), text
    assert entry.causes
    assert all(re.match("(API|Caller|Issuer|Here): ", cure) for cure in entry.cures)


def test_each_entry_has_a_heading_of_its_own_in_the_documentation():
    assert len({entry.heading for entry in ENTRIES}) == len(ENTRIES)
    assert REFUSALS["scope"].heading == "scope"


def test_a_detail_names_the_claim():
    assert InvalidToken("claim", problem="missing", claim="sub").detail == "a required claim is missing: sub"
    assert "in the future" in InvalidToken("not_yet_valid", problem="contradiction", claim="nbf").detail


def test_a_given_detail_is_kept():
    assert str(InvalidToken("expired", "an hour too late")) == "expired: an hour too late"


@pytest.mark.parametrize(
    ("expected", "got", "hint"),
    [
        ("https://a.example/api", "https://a.example/api/", "slash"),
        ("https://a.example/api/", "https://a.example/api", "slash"),
        ("https://a.example", "http://a.example", "http and https"),
        ("https://a.example", "http://a.example/", "http and https"),
        ("https://a.example", "a.example", "scheme"),
        ("a.example", "https://a.example/", "scheme"),
        ("https://a.example/API", "https://a.example/api", "capital"),
        ("https://a.example:8443", "https://a.example", "port"),
        ("https://a.example:443", "https://a.example", "port"),
        ("https://a.example", " https://a.example ", "white space"),
        ("https://a.example", "https://a.example", None),
        ("https://a.example/api", "https://a.example/apis", None),
        ("https://a.example", "https://b.example", None),
        ("https://a.example", "", None),
        ("https://a.example:x", "https://a.example", None),
        ("api", "other", None),
    ],
)
def test_a_small_difference_is_named(expected, got, hint):
    found = small_difference([expected], ["other", got])
    assert (hint is None) == (found is None)
    assert hint is None or hint in found

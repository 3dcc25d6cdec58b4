"""Retry-After of an answer, in seconds and in each form of an HTTP date."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2mguard.net._retry_after import MAX_RETRY_AFTER_S, http_date_s, retry_after_s

NOW_S = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110


def wait(retry_after, now_s=NOW_S, **more):
    return retry_after_s({"retry-after": retry_after, **more}, now_s=now_s)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), (" 7 ", 7.0), ("0", 0.0), ("1.5", 1.5), ("300", 300.0), ("86400", 300.0), ("9" * 40, 300.0)],
)
def test_seconds_are_limited_to_five_minutes(value, seconds):
    assert wait(value) == seconds


@pytest.mark.parametrize(
    "date",
    [
        "Sun, 06 Nov 1994 08:50:37 GMT",
        "Sunday, 06-Nov-94 08:50:37 GMT",
        "Sun Nov  6 08:50:37 1994",
        "Sun, 06 Nov 1994 08:50:37 +0000",
        " Sun, 06 Nov 1994 08:50:37 GMT ",
    ],
)
def test_a_date_is_accepted_in_any_form(date):
    assert wait(date) == 60.0


def test_a_date_counts_from_the_date_of_the_answer():
    """The server's clock is two hours behind ours."""
    assert wait("Sun, 06 Nov 1994 06:50:07 GMT", date="Sun, 06 Nov 1994 06:49:37 GMT") == 30.0


def test_a_date_counts_from_our_clock_if_the_date_field_is_invalid():
    assert wait("Sun, 06 Nov 1994 08:50:37 GMT", date="yesterday") == 60.0


def test_seconds_do_not_depend_on_any_date():
    assert wait("7", date="Sun, 06 Nov 1994 06:49:37 GMT", now_s=0.0) == 7.0


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
        ("Sun, 06 Nov 1994 08:49:36 GMT", 0.0),
        ("Fri, 01 Jan 1960 00:00:00 GMT", 0.0),
        ("Mon, 07 Nov 1994 08:49:37 GMT", 300.0),
    ],
)
def test_a_past_date_means_now_and_a_distant_one_is_limited(date, seconds):
    assert wait(date) == seconds


@pytest.mark.parametrize(
    "value",
    ["", "soon", "-1", "+7", "1e9", "7, 7", "\u0667", "nan", "inf", "Sun, 06 Nov 99999999999999999999 08:49:37 GMT"],
)
def test_an_invalid_value_counts_as_zero(value):
    assert wait(value) == 0.0


def test_a_missing_field_counts_as_zero():
    assert retry_after_s({}, now_s=NOW_S) == 0.0


def test_the_maximum_wait_can_be_set():
    assert retry_after_s({"retry-after": "90"}, now_s=NOW_S, most_s=60.0) == 60.0


@given(st.text(max_size=80), st.text(max_size=80))
def test_the_wait_is_within_its_bounds_for_any_value(value, date):
    assert 0.0 <= wait(value, date=date) <= MAX_RETRY_AFTER_S


def test_a_date_that_is_too_long_is_ignored():
    assert http_date_s("Sun, 06 Nov 1994 08:49:37 GMT" + " " * 64) is None

"""The settings of the key cache: contradicting values are rejected; defaults adapt to the given values."""

import math

import pytest

from m2mguard import ConfigurationError, KeyCaching


def test_a_default_is_lowered_or_raised_to_match_a_given_value():
    assert KeyCaching(ttl=7200).stale_for == 7200
    short = KeyCaching(timeout=0.5)
    assert (short.connect_timeout, short.max_wait) == (0.5, 0.5)


@pytest.mark.parametrize("values", [{"stale_for": 299}, {"connect_timeout": 6}, {"max_wait": 6}], ids=str)
def test_contradicting_values_are_rejected_by_name(values):
    with pytest.raises(ConfigurationError, match=next(iter(values))):
        KeyCaching(**values)


@pytest.mark.parametrize(
    "name", ["ttl", "refresh_ahead", "stale_for", "cooldown", "burst", "max_wait", "timeout", "max_keys"]
)
@pytest.mark.parametrize("value", [-1, math.inf, -math.inf, math.nan, "1", None, True])
def test_a_value_that_is_no_finite_number_is_rejected_by_name(name, value):
    with pytest.raises(ConfigurationError, match=name):
        KeyCaching(**{name: value})


def test_serving_stale_keys_can_be_disabled():
    assert KeyCaching(stale_for=0).stale_for == 0

"""The numbers of the key cache: what contradicts is refused, what was left alone follows."""

import math

import pytest

from m2mguard import ConfigurationError, KeyCaching


def test_a_default_follows_the_number_it_would_contradict():
    assert KeyCaching(ttl=7200).stale_for == 7200
    short = KeyCaching(timeout=0.5)
    assert (short.connect_timeout, short.max_wait) == (0.5, 0.5)


@pytest.mark.parametrize("numbers", [{"stale_for": 299}, {"connect_timeout": 6}, {"max_wait": 6}], ids=str)
def test_numbers_that_contradict_each_other_are_refused_by_name(numbers):
    with pytest.raises(ConfigurationError, match=next(iter(numbers))):
        KeyCaching(**numbers)


@pytest.mark.parametrize(
    "name", ["ttl", "refresh_ahead", "stale_for", "cooldown", "burst", "max_wait", "timeout", "max_keys"]
)
@pytest.mark.parametrize("number", [-1, math.inf, -math.inf, math.nan, "1", None, True])
def test_a_number_that_is_none_or_not_finite_is_refused_by_name(name, number):
    with pytest.raises(ConfigurationError, match=name):
        KeyCaching(**{name: number})


def test_stale_keys_can_be_switched_off():
    assert KeyCaching(stale_for=0).stale_for == 0

"""A few seconds of the soak that `make drills` runs for ten minutes."""

import pytest

from benchmarks.drills.soak import soak
from m2mguard import KeyCaching

QUICK = KeyCaching(ttl=1, cooldown=1, max_wait=0.1, timeout=0.3, connect_timeout=0.3)


@pytest.mark.slow
def test_no_verdict_is_wrong_while_keys_rotate_and_the_issuer_fails():
    result = soak(5, workers=2, rotate_every_s=0.8, caching=QUICK)
    assert result.wrong == []
    assert result.rotations >= 3
    assert result.threads <= 0  # the increase; negative if a thread of an earlier test has ended meanwhile
    assert result.verdicts["accepted"] > 1000
    assert any(outcome.startswith("refused") for outcome in result.verdicts)

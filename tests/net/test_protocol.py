"""The error of transports: a message for people and a code for programs."""

import copy
import pickle
import re
from pathlib import Path
from typing import get_args

import pytest

from m2mguard.net import TransportError, TransportProblem


def test_a_message_without_a_code_is_enough():
    assert (str(TransportError("no luck")), TransportError("no luck").code) == ("no luck", "other")
    assert TransportError().code == "other"


@pytest.mark.parametrize("code", get_args(TransportProblem))
def test_copies_keep_message_and_code(code):
    error = TransportError("no luck", code=code)
    for one in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(one), one.code, one.args) == ("no luck", code, ("no luck",))


def test_the_network_page_lists_every_code():
    page = (Path(__file__).parents[2] / "docs" / "guides" / "network.md").read_text()
    table = page.partition("| `TransportError.code` |")[2]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(get_args(TransportProblem))


def test_a_custom_transport_may_define_its_own_error():
    class LateError(TransportError):
        def __init__(self, seconds):
            self.seconds = seconds

    assert LateError(3).code == "other"

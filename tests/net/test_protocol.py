"""The error of transports, ours and others': a sentence for people, a code for programs."""

import copy
import pickle
import re
from pathlib import Path
from typing import get_args

import pytest

from m2mguard.net import TransportError, TransportProblem


def test_a_sentence_is_enough():
    assert (str(TransportError("no luck")), TransportError("no luck").code) == ("no luck", "other")
    assert TransportError().code == "other"


@pytest.mark.parametrize("code", get_args(TransportProblem))
def test_sentence_and_code_survive_copies(code):
    error = TransportError("no luck", code=code)
    for one in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (str(one), one.code, one.args) == ("no luck", code, ("no luck",))


def test_the_page_of_the_docs_lists_every_code():
    page = (Path(__file__).parents[2] / "docs" / "guides" / "network.md").read_text()
    table = page.partition("| `TransportError.code` |")[2]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(get_args(TransportProblem))


def test_a_transport_from_outside_may_have_an_error_of_its_own():
    class Late(TransportError):
        def __init__(self, seconds):
            self.seconds = seconds

    assert Late(3).code == "other"

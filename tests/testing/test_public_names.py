"""`m2mguard.testing` gives every name it promises, each the very object of its module."""

import importlib
import re
from pathlib import Path

import pytest

import m2mguard.testing
from m2mguard.testing import LocalIssuer, faults
from m2mguard.testing import _local_issuer as local_issuer


@pytest.mark.parametrize("name", m2mguard.testing.__all__)
def test_every_public_name_is_there(name):
    assert hasattr(m2mguard.testing, name)


def test_a_name_is_the_object_of_its_module():
    assert LocalIssuer is local_issuer.LocalIssuer
    assert faults is importlib.import_module("m2mguard.testing.faults")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        m2mguard.testing.Nothing  # noqa: B018


def test_the_reference_has_what_the_issuer_inherits():
    """`mint` and the rest of its tokens and keys are in classes that are not public."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "api" / "testing.md").read_text()
    [(name, options)] = re.findall(r"autoclass:: m2mguard\.testing\.(LocalIssuer)\n((?:   :.*\n)+)", page)
    assert "mint" not in vars(LocalIssuer)
    assert ":inherited-members:" in options
    [excluded] = re.findall(r":exclude-members: (.*)", page)
    assert (
        {name, "MintOptions"}
        == set(excluded.split(", "))
        <= set(re.findall(r"autoclass:: m2mguard\.testing\.(\w+)", page))
    )

"""The Caller: construction, equality, and that it cannot be changed."""

import copy
import dataclasses
from types import MappingProxyType

import pytest

from m2mguard import Caller
from m2mguard.caller import verified_caller

MEMBERS = {
    "app_id": "app-orders",
    "subject": "person-1",
    "scopes": frozenset(("read:orders",)),
    "organization_id": "org-1",
    "issuer": "https://issuer.example",
    "audience": "https://shopping.api",
    "expires_at": 1_000.5,
    "token_id": "jti-1",
    "is_machine": False,
    "claims": MappingProxyType({"sub": "app-orders"}),
}


def test_verified_caller_makes_the_same_object_as_caller():
    caller = verified_caller(**MEMBERS)
    assert caller == Caller(**MEMBERS)
    assert {field.name: getattr(caller, field.name) for field in dataclasses.fields(caller)} == MEMBERS


@pytest.mark.parametrize("make", [Caller, verified_caller])
@pytest.mark.parametrize("name", MEMBERS)
def test_no_member_can_be_changed_or_removed(make, name):
    caller = make(**MEMBERS)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(caller, name, "another")
    with pytest.raises(dataclasses.FrozenInstanceError):
        delattr(caller, name)
    assert getattr(caller, name) == MEMBERS[name]


def test_the_subject_is_the_application_or_the_person():
    machine = Caller(**{**MEMBERS, "subject": "", "is_machine": True})
    assert machine.subject == machine.identity == machine.display_name == "app-orders"
    person = Caller(**MEMBERS)
    assert (person.app_id, person.subject, person.identity) == ("app-orders", "person-1", "person-1")


def test_a_copy_of_a_caller_is_the_caller_itself():
    one = Caller(**MEMBERS)
    assert copy.copy(one) is one
    assert copy.deepcopy([one])[0] is one

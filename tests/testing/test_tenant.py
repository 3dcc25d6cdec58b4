"""What is registered: one string is not taken for a list of scopes, since each of its letters would be a scope."""

import pytest

from m2mguard.testing import SHOPPING_API, Application, Membership, Resource

ONE_STRING = {
    "a resource's scopes": lambda scopes: Resource(scopes=scopes),
    "an application's scopes": lambda scopes: Application(secret="s", scopes={SHOPPING_API: scopes}),
    "a member's permissions": lambda scopes: Membership(permissions=scopes),
    "a member's scopes": lambda scopes: Membership(scopes={SHOPPING_API: scopes}),
}


@pytest.mark.parametrize("where", ONE_STRING)
def test_one_string_is_not_taken_for_a_list_of_scopes(where):
    register = ONE_STRING[where]
    with pytest.raises(TypeError, match=r"not one string: \['read:orders'\]"):
        register("read:orders")
    assert register(["read:orders"])
    assert register(("read:orders", "write:orders"))
    assert register(())

"""The audit of a test's application, to be compared with what a request without a token gets."""

from collections.abc import Iterable

from m2mguard import ResourceServer
from m2mguard.testing import assert_all_routes_protected

SERVER = ResourceServer("https://tenant.example/oidc", audience="https://shopping.api")


def failing(app: object, *, except_: Iterable[str] = (), any_token_is_enough: bool = True) -> set[str]:
    """The paths of the routes that the audit fails on."""
    try:
        assert_all_routes_protected(app, except_=except_, any_token_is_enough=any_token_is_enough)
    except AssertionError as error:
        lines = str(error).split("\nProtect each")[0].splitlines()[1:]
        return {next(word for word in line.split() if word.startswith("/")) for line in lines}
    return set()

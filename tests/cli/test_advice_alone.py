"""Advice by itself: causes that `explain` finds earlier, in the pasted text, and that the API's own log can still meet."""

import pytest

from m2mguard import Issuer, Requirement, ResourceServer
from m2mguard._cli.advice import advise
from m2mguard._cli.context import REMOVED_BY_GOOGLE, ExplainContext, read_token
from m2mguard._cli.recognition.token_kinds import token_kind
from m2mguard.errors import InvalidRequest, InvalidToken
from m2mguard.testing import SHOPPING_API

SETTINGS = ResourceServer(Issuer(url="https://issuer.example"), audience=SHOPPING_API).settings


def code(error, field_value):
    context = ExplainContext(token=read_token(field_value), settings=SETTINGS, requirement=Requirement(), now=0.0)
    return advise(error, context).code


@pytest.mark.parametrize(
    ("field_value", "expected"),
    [
        ("Bearer opaque", "opaque"),
        ("Bearer a.b.c.d.e", "encrypted"),
        ("Bearer a.b.c", "changed"),
        ("Bearer a.b", "not_a_jwt"),
        (f"Bearer a.b.{REMOVED_BY_GOOGLE}", "signature_removed"),
    ],
)
def test_a_credential_that_is_no_token_is_named_by_its_parts(field_value, expected):
    assert code(InvalidToken("malformed"), field_value) == expected


def test_a_field_that_is_not_one_credential_is_named():
    assert code(InvalidRequest("credential_grammar"), "Bearer a b") == "not_one_credential"


@pytest.mark.parametrize(
    ("claims", "typ", "expected"),
    [
        ({"iss": "https://issuer.example"}, "at+jwt", "unknown"),
        ({"sub": "a", "client_id": "a"}, "at+jwt", "app_access"),
        ({"sub": "a", "client_id": "b"}, "at+jwt", "person_access"),
        ({"sub": "a", "at_hash": "h"}, "jwt", "id_token"),
        ({"sub": "a"}, "jwt", "unknown"),
        ({"sub": "a"}, "rt+jwt", "refresh"),
    ],
)
def test_the_kind_of_a_token_of_an_unknown_issuer_follows_rfc_9068(claims, typ, expected):
    assert token_kind(None, claims, typ) == expected

"""The Authorization field: RFC 6750 section 2.1, RFC 9110 sections 5.3, 5.5, 11.1 and 11.4."""

import pytest

from m2mguard._token.bearer import bearer_token
from m2mguard.errors import InvalidToken, MissingToken
from tests.security.forge import ACCEPTED, mint, outcome_of, server

MISSING, OTHER_SCHEME = (401, "missing"), (401, "other_scheme")
GRAMMAR, SEVERAL = (400, "credential_grammar"), (400, "several_credentials")


@pytest.mark.parametrize("as_bytes", [False, True], ids=["str", "bytes"])
@pytest.mark.parametrize(
    "field",
    ["Bearer {}", "bearer {}", "BEARER {}", "bEaReR {}", "Bearer   {}", " Bearer {}", "Bearer {} ", "\tBearer {}\t"],
)
def test_the_scheme_ignores_case_and_additional_spaces(field, as_bytes):
    value = field.format(mint())
    assert outcome_of([value.encode() if as_bytes else value]) == ACCEPTED


@pytest.mark.parametrize("fields", [[], [""], [b""], ["   "], ["\t"], ()])
def test_missing_credentials_are_a_401_without_an_error_code(fields):
    assert outcome_of(fields) == MISSING
    with pytest.raises(MissingToken) as error:
        bearer_token(fields)
    assert error.value.error is None


@pytest.mark.parametrize(
    "field",
    [
        "Basic {}",
        "DPoP {}",
        "Bearer2 {}",
        "Bearertoken",
        "XBearer {}",
        "Bearer-Token {}",
        "Bearer_{}",
        "Token {}",
        "{}",
        'Digest username="Bearer x", realm="y"',
        "Negotiate YIIJ==",
        "Basic dXNlcjpw, Bearer {}",
        "=",
        "Béarer {}",
        "\u212aearer {}",
    ],
)
def test_another_scheme_is_a_401_without_an_error_code(field):
    assert outcome_of([field.format(mint())]) == OTHER_SCHEME


@pytest.mark.parametrize(
    "field",
    [
        "Bearer",
        "Bearer ",
        "Bearer\t{}",
        "Bearer \t{}",
        "Bearer\u00a0{}",
        "Bearer\u3000{}",
        "Bearer\n{}",
        "Bearer {}\n",
        "Bearer {}\r\nX: y",
        "Bearer {}\x00",
        "Bearer\x00{}",
        "Bearer {},",
        "Bearer {}, Bearer {}",
        "Bearer {0},Bearer {0}",
        "Bearer {} {}",
        "Bearer Bearer {}",
        "Bearer {};charset=utf-8",
        'Bearer "{}"',
        "Bearer '{}'",
        "Bearer <{}>",
        'Bearer token="{}"',
        "Bearer={}",
        "Bearer:{}",
        "Bearer: {}",
        "Bearer,{}",
        "Bearer =",
        "Bearer =={}",
        "Bearer a=b",
        "Bearer tökén",
        "Bearer \U0001f600",
        "Bearer {}%20",
        "Bearer \udcff",
        "Bearer {{}}",
    ],
)
def test_a_bearer_credential_outside_the_grammar_is_a_400(field):
    value = field.format(mint(), mint())
    assert outcome_of([value]) == GRAMMAR
    if value.isascii():
        assert outcome_of([value.encode()]) == GRAMMAR


@pytest.mark.parametrize("field", ["Bearer abc", "Bearer abc==", "Bearer a.b.c", "Bearer -._~+/", "Bearer a.b.c.d.e"])
def test_a_well_formed_credential_that_is_no_jwt_is_a_401(field):
    assert outcome_of([field]) == (401, "malformed")


def test_several_fields_are_a_400():
    good = f"Bearer {mint()}"
    assert outcome_of([good, good]) == SEVERAL
    assert outcome_of([good, "Basic dXNlcjpw"]) == SEVERAL
    assert outcome_of(["Basic dXNlcjpw", good]) == SEVERAL
    assert outcome_of([good, ""]) == SEVERAL
    assert outcome_of(["", ""]) == SEVERAL
    assert outcome_of([good]) == ACCEPTED


@pytest.mark.parametrize("field", [None, 7, 1.5, object(), bytearray(b"Bearer x"), ["Bearer x"], {"a": 1}])
def test_a_field_of_another_python_type_is_a_400(field):
    assert outcome_of([field]) == GRAMMAR


def test_one_str_or_bytes_counts_as_one_field():
    token = mint()
    for values in (f"Bearer {token}", f"Bearer {token}".encode(), [f"Bearer {token}"]):
        assert bearer_token(values) == token.encode()


def test_a_field_may_have_at_most_16_kib():
    longest = "Bearer " + "a" * (16_384 - 7)
    assert bearer_token([longest]) == longest[7:].encode()
    with pytest.raises(InvalidToken) as error:
        bearer_token([longest + "a"])
    assert error.value.reason == "malformed"
    spaces = "Bearer" + " " * (16_384 - 6 - len(mint())) + mint()
    assert outcome_of([spaces]) == ACCEPTED
    assert outcome_of([spaces.replace(" ", "  ", 1)]) == (401, "malformed")


def test_a_token_outside_of_the_authorization_field_is_ignored():
    """Tokens in the form body or the query (RFC 6750 sections 2.2 and 2.3) are ignored."""
    request = {"query_string": f"access_token={mint()}", "body": f"access_token={mint()}", "cookies": {"token": mint()}}
    with pytest.raises(MissingToken):
        server().authenticate([], request=request)

"""Answers of a token endpoint: valid ones, and those without a usable token."""

import json

import pytest

from m2mguard import ConfigurationError
from m2mguard.client import TokenEndpointUnavailable
from m2mguard.client._token_response import Granted, bearer_token_types
from tests.client.answers import GOOD, RECORDED, failure, grant, recorded, response


def test_a_grant_of_logto_is_parsed():
    granted = grant(recorded("token-global-2scopes"))
    assert granted.value == RECORDED["token-global-2scopes"]["body"]["access_token"]
    assert granted.lifetime_s == 3600
    assert granted.scopes == {"read:orders", "write:orders"}
    assert granted.value not in repr(granted)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"access_token": None}, "no access token"),
        ({"access_token": ""}, "no access token"),
        ({"access_token": 7}, "no access token"),
        ({"access_token": "a\r\nX-Admin: yes"}, "no access token"),
        ({"access_token": "a b"}, "no access token"),
        ({"access_token": " ab"}, "no access token"),
        ({"access_token": "ab\n"}, "no access token"),
        ({"access_token": "a\x00b"}, "no access token"),
        ({"access_token": "a\x7fb"}, "no access token"),
        ({"access_token": "a\u2028b"}, "no access token"),
        ({"access_token": ["ab"]}, "no access token"),
        ({"access_token": None, "error": None}, "no access token"),
        ({"access_token": 7, "error": "invalid_scope"}, "no access token"),
        ({"access_token": "t\u00f6ken"}, "no access token"),
        ({"token_type": "DPoP"}, "not a bearer token"),
        ({"token_type": "N_A"}, "not a bearer token"),
        ({"token_type": "mac"}, "not a bearer token"),
        ({"token_type": "jwt"}, "not a bearer token"),
        ({"token_type": ""}, "not a bearer token"),
        ({"token_type": ["Bearer"]}, "not a bearer token"),
        ({"token_type": {"Bearer": None}}, "not a bearer token"),
        ({"scope": 7}, "scope is neither"),
        ({"scope": ["read:orders", None]}, "scope is neither"),
        ({"scope": {"read:orders": True}}, "scope is neither"),
        ({"expires_in": 0}, "expires_in"),
        ({"expires_in": -1}, "expires_in"),
        ({"expires_in": True}, "expires_in"),
        ({"expires_in": "soon"}, "expires_in"),
        ({"expires_in": ""}, "expires_in"),
        ({"expires_in": "0"}, "expires_in"),
        ({"expires_in": "0.0"}, "expires_in"),
        ({"expires_in": "-3600"}, "expires_in"),
        ({"expires_in": "1e9"}, "expires_in"),
        ({"expires_in": "inf"}, "expires_in"),
        ({"expires_in": "nan"}, "expires_in"),
        ({"expires_in": "3_600"}, "expires_in"),
        ({"expires_in": "\u0663"}, "expires_in"),
        ({"expires_in": "36 00"}, "expires_in"),
        ({"expires_in": [3600]}, "expires_in"),
    ],
)
def test_an_unusable_grant_is_an_error(changed, message):
    error = failure(response(200, GOOD | changed))
    assert isinstance(error, TokenEndpointUnavailable)
    assert (error.reason, message in error.detail) == ("unusable_answer", True)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b'{"access_token": NaN}', b'{"a": 1, "a": 2}'])
def test_a_grant_that_is_no_strict_json_object_is_an_error(body):
    assert failure(response(200, body)).reason == "unusable_answer"


@pytest.mark.parametrize(
    ("expires_in", "lifetime_s"),
    [
        (3600, 3600.0),
        (0.5, 0.5),
        ("86400", 86400.0),
        ("3599", 3599.0),
        ("3599.0", 3599.0),
        (" 3599 ", 3599.0),
        (10**39, 1e39),
        ("9" * 15, 999_999_999_999_999.0),
    ],
)
def test_expires_in_is_the_lifetime(expires_in, lifetime_s):
    assert grant(response(200, GOOD | {"expires_in": expires_in})).lifetime_s == lifetime_s


@pytest.mark.parametrize("expires_in", [{}, {"expires_in": None}])
def test_the_lifetime_without_expires_in_is_five_minutes(expires_in):
    answer = response(200, {"access_token": "a", "token_type": "bearer"} | expires_in)
    assert grant(answer) == Granted(value="a", lifetime_s=300.0, scopes=frozenset())


@pytest.mark.parametrize(
    "token",
    [
        "00D5g000004!AQcAQH0dMHZfz972Szmpkb58urFRkgeBGsxL_QJWwYMfAbUeeG7c1E6",  # a token of Salesforce
        "".join(map(chr, range(0x21, 0x7F))),
        "a",
        "YWJj==",
        "a=b",
        "{token}",
    ],
)
def test_an_access_token_may_be_any_visible_ascii(token):
    assert grant(response(200, GOOD | {"access_token": token})).value == token


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER", "BearerToken", "bearertoken", " Bearer ", None])
def test_every_common_name_of_the_bearer_type_is_accepted(token_type):
    assert grant(response(200, GOOD | {"token_type": token_type})).value == GOOD["access_token"]


def test_a_missing_token_type_is_accepted_unless_configured_otherwise():
    answer = response(200, {name: value for name, value in GOOD.items() if name != "token_type"})
    assert grant(answer).value == GOOD["access_token"]
    error = failure(answer, token_types=["Bearer"])
    assert (error.reason, "token_types does not hold None" in error.detail) == ("unusable_answer", True)


def test_only_the_configured_token_types_are_accepted():
    assert grant(response(200, GOOD | {"token_type": "AccessToken"}), token_types=["accesstoken"]).value
    for refused in ("Bearer", "BearerToken", None):
        answer = response(200, GOOD | {"token_type": refused})
        assert failure(answer, token_types=["AccessToken"]).reason == "unusable_answer"


@pytest.mark.parametrize(
    "token_types",
    ["Bearer", (), None, 7, {"Bearer": 1}, ["Bearer", ""], ["Bearer", 7], ["DPoP"], ["Bearer", "mac", None]],
)
def test_invalid_token_types_are_rejected(token_types):
    with pytest.raises(ConfigurationError, match="token_types"):
        bearer_token_types(token_types)


@pytest.mark.parametrize("token_types", [["Bearer"], {"Bearer", None}, (None,), ["Bearer", "AccessToken", None]])
def test_any_collection_of_names_is_accepted_as_token_types(token_types):
    assert len(bearer_token_types(token_types)) == len(token_types)


def test_the_error_for_another_token_type_names_type_and_setting():
    error = failure(response(200, GOOD | {"token_type": "DPoP"}))
    assert "token_type is 'DPoP'" in error.detail
    assert "token_types" in error.detail


def test_a_grant_of_apigee_is_parsed():
    answer = {
        "refresh_token_expires_in": "0",
        "token_type": "BearerToken",
        "issued_at": "1763800000000",
        "client_id": "a",
        "access_token": "9aZ3kQ0bWcTn",
        "scope": "",
        "expires_in": "3599",
    }
    assert grant(response(200, answer)) == Granted(value="9aZ3kQ0bWcTn", lifetime_s=3599.0, scopes=frozenset())


def test_an_answer_may_start_with_a_byte_order_mark():
    assert grant(response(200, b"\xef\xbb\xbf" + json.dumps(GOOD).encode())).value == GOOD["access_token"]


def test_a_grant_with_a_member_named_error_is_a_grant():
    assert grant(response(200, GOOD | {"error": None})).value == GOOD["access_token"]


@pytest.mark.parametrize(
    ("scope", "missing_scope_grants", "granted"),
    [
        ({}, True, {"read:orders", "write:orders"}),
        ({}, False, set()),
        ({"scope": ""}, True, set()),
        ({"scope": "write:orders more"}, True, {"write:orders", "more"}),
        ({"scope": None}, True, {"read:orders", "write:orders"}),
        ({"scope": ["write:orders", "more"]}, True, {"write:orders", "more"}),
        ({"scope": ["write:orders more", ""]}, True, {"write:orders", "more"}),
        ({"scope": []}, True, set()),
        ({"scope": "read:orders,write:orders"}, True, {"read:orders,write:orders"}),  # a comma is part of a name
    ],
)
def test_missing_scope_grants_decides_on_an_answer_without_scope(scope, missing_scope_grants, granted):
    assert grant(response(200, GOOD | scope), missing_scope_grants=missing_scope_grants).scopes == granted

"""`typ` is a media type: compared without case, and "application/" is added if it has no slash (RFC 7515 section 4.1.9)."""

import pytest

from m2mguard import Issuer
from m2mguard._token.token_profile import media_type
from m2mguard.testing import REMOVED
from tests.security.forge import ACCEPTED, URL, mint, outcome, server

TOKEN_TYPE = (401, "token_type")
SENT = ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt", "jwt", "JWT", "application/jwt", "token",
        "application/token", "vnd.example/token", "VND.Example/Token", "application/vnd.example/token", "example/at+jwt",
        "application/application/at+jwt", "application/", "/", "", "/at+jwt", "at+jwt/", REMOVED]  # fmt: skip
TABLE = {
    # configured type: accepted types among those in SENT
    "at+jwt": ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"],
    "application/at+jwt": ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"],
    "Application/AT+jwt": ["at+jwt", "AT+JWT", "application/at+jwt", "Application/At+Jwt"],
    "JWT": ["jwt", "JWT", "application/jwt"],
    "application/jwt": ["jwt", "JWT", "application/jwt"],
    "token": ["token", "application/token"],
    "vnd.example/token": ["vnd.example/token", "VND.Example/Token"],
    "Vnd.Example/TOKEN": ["vnd.example/token", "VND.Example/Token"],
    "application/vnd.example/token": ["application/vnd.example/token"],
    "example/at+jwt": ["example/at+jwt"],
    None: [REMOVED],
}


@pytest.mark.parametrize("configured", TABLE, ids=str)
def test_a_configured_type_accepts_all_forms_of_itself(configured):
    guard = server(issuer={"token_types": [configured]})
    for sent in SENT:
        expected = ACCEPTED if sent in TABLE[configured] else TOKEN_TYPE
        assert outcome(guard, mint(with_header={"typ": sent})) == expected, sent


def test_the_default_type_is_that_of_rfc_9068_in_both_forms():
    for sent in SENT:
        expected = ACCEPTED if sent in TABLE["at+jwt"] else TOKEN_TYPE
        assert outcome(server(), mint(with_header={"typ": sent})) == expected, sent


def test_each_of_several_types_is_compared_exactly():
    guard = server(issuer={"token_types": ["JWT", "vnd.example/token", None]})
    accepted = [*TABLE["JWT"], *TABLE["vnd.example/token"], REMOVED]
    assert [sent for sent in SENT if outcome(guard, mint(with_header={"typ": sent})) == ACCEPTED] == [
        sent for sent in SENT if sent in accepted
    ]


def test_forms_of_one_type_are_one_setting():
    types = ["at+jwt", "AT+JWT", "application/at+jwt", "a/b", "A/B", None]
    assert Issuer(url=URL, token_types=types).token_types == {"at+jwt", "a/b", None}
    for name in ("at+jwt", "a/b", "application/a/b"):
        assert media_type(name) == name

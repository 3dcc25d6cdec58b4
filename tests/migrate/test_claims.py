"""What the pages in docs/migrate say beside their tables."""

import jwt
import pytest

from m2mguard.testing import LocalIssuer
from tests.migrate.situations import outcome
from tests.migrate.test_pages import PAGES, verifier


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["authlib", "fastapi-azure-auth"])
def test_a_library_takes_no_es384_which_is_logtos_default(name):
    pytest.importorskip({"authlib": "authlib", "fastapi-azure-auth": "fastapi_azure_auth"}[name])
    (page,) = (page for page in PAGES if page.stem == name)
    with LocalIssuer(algorithm="ES384") as issuer:
        assert outcome(verifier(page, "before", issuer), issuer.mint(scopes=["read:orders"])) != "accepted"


def test_an_outage_and_a_bad_token_are_one_family_in_pyjwt():
    assert issubclass(jwt.PyJWKClientConnectionError, jwt.PyJWTError)
    assert issubclass(jwt.InvalidAudienceError, jwt.PyJWTError)

"""What a block list refuses at a server: by every kind of entry, at every door, and nothing else."""

import time

import pytest

from m2mguard import ResourceServer
from m2mguard.blocklist import FileBlocklist
from m2mguard.errors import InvalidToken
from m2mguard.events import TokenAccepted
from m2mguard.testing import SHOPPING_API, LocalIssuer
from tests.blocklist.conftest import block, document, until
from tests.security.forge import ACCEPTED, NOW, key, mint, outcome, server

BLOCKED = (401, "blocked")


@pytest.fixture
def blocking(tmp_path, opened):
    """Makes a list with these entries."""

    def make(*blocks):
        path = tmp_path / "blocked.json"
        path.write_bytes(document(*blocks))
        return opened(FileBlocklist(path, interval=0.1))

    return make


@pytest.mark.parametrize(
    ("named", "good"),
    [
        ({"app_id": "app-orders"}, {"sub": "app-billing", "client_id": "app-billing"}),
        ({"token_id": "token-1"}, {"jti": "token-2"}),
        ({"app_id": "app-orders", "issued_before": NOW - 5}, {"iat": NOW - 5}),
    ],
)
def test_each_kind_of_entry_refuses_first_seen_and_remembered_tokens(blocking, named, good):
    api, bad = server(blocklist=blocking(block(**named))), mint({"jti": "token-1"})
    assert [outcome(api, bad) for _ in range(3)] == [BLOCKED] * 3
    assert [outcome(api, mint({"jti": "token-1", **good})) for _ in range(3)] == [ACCEPTED] * 3


@pytest.mark.parametrize("key_id", ["kid", "thumbprint"])
def test_a_key_is_named_by_its_id_or_its_thumbprint(blocking, key_id):
    own, other = key(), key("RS256", "key-2")
    (of_own,) = server().health().issuers[0].keys
    named = of_own.key_id if key_id == "kid" else of_own.thumbprint
    api = server(own.public_jwk, other.public_jwk, blocklist=blocking(block(key_id=named)))
    assert [outcome(api, mint()), outcome(api, mint())] == [BLOCKED] * 2
    assert [outcome(api, mint(signer=other)), outcome(api, mint(signer=other))] == [ACCEPTED] * 2


def test_an_organization_is_named(blocking):
    api = server(
        blocklist=blocking(block(organization="org-1")),
        audience=["urn:logto:organization:org-1", "urn:logto:organization:org-2"],
    )
    assert outcome(api, mint({"aud": "urn:logto:organization:org-1"})) == BLOCKED
    assert outcome(api, mint({"aud": "urn:logto:organization:org-2"})) == ACCEPTED


def test_an_alias_of_the_issuer_may_be_named(blocking):
    alias = "https://login.example/oidc"
    api = server(issuer={"aliases": [alias]}, blocklist=blocking(block(issuer=alias)))
    assert outcome(api, mint()) == BLOCKED
    assert outcome(server(blocklist=blocking(block(issuer=alias))), mint()) == ACCEPTED


def test_a_blocked_token_is_not_counted_as_accepted(blocking):
    events = []
    api = server(blocklist=blocking(block()), on_event=events.append)
    assert [outcome(api, mint()) for _ in range(2)] == [BLOCKED] * 2
    assert not [one for one in events if isinstance(one, TokenAccepted)]
    assert api.health().verdicts.hits == 0


def test_a_token_that_is_bad_anyway_keeps_its_reason(blocking):
    api = server(blocklist=blocking(block()))
    assert outcome(api, mint({"exp": NOW - 3600})) == (401, "expired")
    assert outcome(api, mint()[:-8] + "AAAAAAAA") == (401, "signature")


def test_an_opaque_token_is_refused(blocking):
    with LocalIssuer(algorithm="ES256") as issuer:
        token = issuer.mint_opaque()
        named = block(issuer=issuer.url, app_id="app-orders", expires_at=time.time() + 3600)
        guarded = ResourceServer(
            issuer.introspecting(client_id="app-admin"), audience=SHOPPING_API, blocklist=blocking(named)
        )
        assert [outcome(guarded, token), outcome(guarded, token)] == [BLOCKED] * 2
        assert [outcome(guarded, issuer.mint_opaque("app-billing")) for _ in range(2)] == [ACCEPTED] * 2


def test_one_list_serves_several_servers(blocking):
    blocklist, events = blocking(block()), []
    first, second = (server(blocklist=blocklist, on_event=events.append) for _ in range(2))
    assert [outcome(first, mint()), outcome(second, mint())] == [BLOCKED] * 2
    assert len([one for one in events if type(one).__name__ == "BlocklistChanged"]) == 2


def test_streams_end_when_their_application_is_blocked(blocking):
    blocklist = blocking()
    api = server(blocklist=blocklist)
    assert outcome(api, mint()) == ACCEPTED
    blocklist.path.write_bytes(document(block()))
    until(lambda: blocklist.health().entries == 1)
    with pytest.raises(InvalidToken, match="an operator has blocked the application"):
        api.authenticate([f"Bearer {mint()}"], is_open=True)

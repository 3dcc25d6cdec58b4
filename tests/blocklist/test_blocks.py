"""The entries of a block list, and the look-up of a token among them."""

import json
from typing import Any

import pytest

from m2mguard.blocklist import Block
from m2mguard.blocklist._block import UnusableBlock, block_from, blocks_from, document_of
from m2mguard.blocklist._index import BlockIndex
from m2mguard.caller import Caller
from m2mguard.errors import ConfigurationError
from tests.blocklist.conftest import REASON, block
from tests.security.forge import NOW, URL

KEYS = ("key-1", None, "thumbprint-1")


def found(*blocks: Block, now: float = NOW, issuers=(URL,), keys=KEYS, **caller: Any) -> bool:
    given = {"organization_id": "org-1", "claims": {"iat": NOW - 10}, **caller}
    one = Caller(
        app_id="app-orders", scopes=frozenset(), issuer=URL, audience="https://shopping.api", expires_at=NOW, **given
    )
    return BlockIndex(blocks).find(one, keys, issuers, now) is not None


@pytest.mark.parametrize(
    ("named", "other"),
    [
        ({"app_id": "app-orders"}, {"app_id": "app-billing"}),
        ({"organization": "org-1"}, {"organization": "org-2"}),
        ({"key_id": "key-1"}, {"key_id": "key-2"}),
        ({"key_id": "thumbprint-1"}, {"key_id": "thumbprint-2"}),
        ({"token_id": "token-1"}, {"token_id": "token-2"}),
    ],
)
def test_an_entry_is_about_one_thing(named, other):
    assert found(block(**named), token_id="token-1")
    assert not found(block(**other), token_id="token-1")
    assert found(block(**other), block(**named), token_id="token-1")


def test_what_a_token_does_not_say_is_not_blocked():
    assert not found(block(organization="org-1"), organization_id=None)
    assert not found(block(key_id="key-1"), keys=(None, None, "thumbprint-1"))
    assert not found(block(token_id="token-1"), token_id=None)


def test_an_entry_is_for_its_issuer():
    assert found(block(issuer=f"{URL}/"))
    assert not found(block(issuer="https://other.example"))
    assert not found(block(issuer=f"{URL}/more"))
    assert found(block(issuer="https://alias.example"), issuers=(URL, "https://alias.example"))


def test_an_entry_ends_by_itself():
    assert found(block(expires_at=NOW + 1))
    assert not found(block(expires_at=NOW))
    assert found(block(expires_at=NOW), block(expires_at=NOW + 1))


@pytest.mark.parametrize("subject", [{"app_id": "app-orders"}, {"organization": "org-1"}, {"key_id": "key-1"}])
def test_only_older_tokens_are_blocked(subject):
    rotated = block(**subject, issued_before=NOW - 100)
    assert found(rotated, claims={"iat": NOW - 101})
    assert not found(rotated, claims={"iat": NOW - 100})
    assert found(rotated, claims={})  # nobody can tell
    assert found(rotated, block(**subject), claims={"iat": NOW})


def test_nothing_is_blocked_by_an_empty_list():
    assert not found()


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"app_id": None}, "exactly one of app_id, token_id, key_id, organization"),
        ({"token_id": "token-1"}, "exactly one"),
        ({"app_id": ""}, "app_id must be a non-empty string"),
        ({"app_id": " app"}, "app_id has white space"),
        ({"app_id": 7}, "app_id must be a non-empty string"),
        ({"issuer": ""}, "issuer"),
        ({"issuer": None}, "issuer"),
        ({"reason": ""}, "reason"),
        ({"reason": "x" * 501}, "reason has more than 500"),
        ({"expires_at": None}, "expires_at must be a time"),
        ({"expires_at": True}, "expires_at must be a time"),
        ({"expires_at": float("nan")}, "expires_at must be a time"),
        ({"expires_at": -1}, "expires_at must be a time"),
        ({"expires_at": 1e12}, "expires_at must be a time"),  # milliseconds
        ({"issued_before": "yesterday"}, "issued_before must be a time"),
        ({"app_id": None, "token_id": "token-1", "issued_before": 1}, "issued_before has no effect"),
    ],
)
def test_an_invalid_entry_is_refused(members, named):
    good = {"issuer": URL, "reason": REASON, "expires_at": NOW, "app_id": "app-orders"}
    with pytest.raises(ConfigurationError, match=named):
        Block(**{**good, **members})
    assert Block(**good)


def test_a_list_is_written_and_read():
    blocks = [block(), block(token_id="token-1"), block(key_id="k", issued_before=NOW - 5, added_at=NOW)]
    assert blocks_from(document_of(blocks)) == (blocks, [])
    assert json.loads(document_of([])) == {"format": 1, "blocks": []}
    assert b'"expires_at": "2027-01-15T09:00:00Z"' in document_of(blocks)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"appid": "app-orders"}, "a member that does not exist: 'appid'"),
        ({"reason": ...}, "no reason"),
        ({"issuer": ...}, "no issuer"),
        ({"expires_at": ...}, "no expires_at"),
        ({"expires_at": "tomorrow"}, "a time must be a number of seconds, or text"),
        ({"expires_at": "2026-11-27T18:00:00"}, "no time zone"),
        ({"app_id": ["app-orders"]}, "app_id must be a non-empty string"),
    ],
)
def test_a_broken_entry_is_passed_over(changes, named):
    good = {"issuer": URL, "reason": REASON, "expires_at": "2026-11-27T18:00:00+01:00", "app_id": "app-orders"}
    broken = {name: value for name, value in {**good, **changes}.items() if value is not ...}
    with pytest.raises(UnusableBlock, match=named):
        block_from(broken)
    blocks, (said,) = blocks_from(json.dumps({"format": 1, "blocks": [broken, good]}).encode())
    assert said.startswith("blocks[0]: ")
    assert [one.expires_at for one in blocks] == [1795798800.0]
    with pytest.raises(UnusableBlock, match="must be an object"):
        block_from("app-orders")


@pytest.mark.parametrize(
    "document",
    [b"", b"[]", b"{", b'{"blocks": []}', b'{"format": 2, "blocks": []}', b'{"format": 1, "blocks": {}}',
     b'{"format": 1, "blocks": [], "blocked": []}', b'{"format": 1, "format": 1, "blocks": []}'],
)  # fmt: skip
def test_what_is_no_list_is_refused(document):
    with pytest.raises(UnusableBlock):
        blocks_from(document)
    assert blocks_from(b'{"format": 1, "blocks": []}') == ([], [])

"""Rotation and publication, beside the steps recorded from a real Logto."""

import json
from pathlib import Path

import pytest

from m2mguard.testing import SigningKey
from m2mguard.testing._keyring import KeyRing

RECORDED = json.loads((Path(__file__).parent.parent / "data" / "logto" / "rotation.json").read_text())


def published(ring: KeyRing) -> list[object]:
    return [jwk["kid"] for jwk in ring.jwks["keys"]]


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing(key=SigningKey.generate(kid="first"))


def test_every_step_of_two_rotations_publishes_and_signs_as_logto_was_seen_to():
    def step(ring: KeyRing) -> tuple[list[object], str]:
        return published(ring), ring.current_key.kid

    recorded = [([key["kid"] for key in step["jwks"]["keys"]], step["header"]["kid"]) for step in RECORDED]
    first, second, third = recorded[0][1], recorded[1][1], recorded[3][1]
    ring = KeyRing(key=SigningKey.generate(kid=first))
    steps = [step(ring)]
    ring.rotate(key=SigningKey.generate(kid=second))
    steps.append(step(ring))
    ring.rotate(key=SigningKey.generate(kid=third), grace=True)
    steps.append(step(ring))
    ring.promote()
    steps.append(step(ring))
    assert steps == recorded


def test_a_second_immediate_rotation_withdraws_the_oldest_key(ring):
    second, third = ring.rotate(), ring.rotate()
    assert published(ring) == [third.kid, second.kid]
    assert ring.keys == (third, second)


def test_an_immediate_rotation_drops_a_key_that_was_only_next(ring):
    dropped = ring.rotate(grace=True)
    current = ring.rotate()
    assert published(ring) == [current.kid, "first"]
    assert dropped not in ring.keys


def test_there_is_at_most_one_next_key(ring):
    ring.rotate(grace=True)
    newest = ring.rotate(grace=True)
    assert published(ring) == ["first", newest.kid]


def test_promoting_without_a_next_key_is_an_error(ring):
    with pytest.raises(ValueError, match="there is no next key"):
        ring.promote()


def test_a_rotation_may_change_the_algorithm_and_otherwise_keeps_it(ring):
    assert ring.rotate("ES256").algorithm == "ES256"
    assert ring.rotate().algorithm == "ES256"
    assert [jwk["crv"] for jwk in ring.jwks["keys"]] == ["P-256", "P-256"]


def test_a_withdrawn_current_key_signs_on_but_is_not_published(ring):
    ring.withdraw()
    assert published(ring) == []
    assert ring.current_key.kid == "first"


def test_a_withdrawn_key_stays_withdrawn_through_a_rotation(ring):
    ring.withdraw("first")
    new = ring.rotate()
    assert published(ring) == [new.kid]


def test_withdrawing_what_is_not_published_is_an_error(ring):
    ring.withdraw("first")
    for kid in (None, "first", "never"):
        with pytest.raises(ValueError, match="no published key"):
            ring.withdraw(kid)


def test_odd_keys_stand_where_they_were_put_and_can_be_withdrawn(ring):
    ring.publish({"kty": "oct", "kid": "odd-last"})
    ring.publish({"kty": "oct", "kid": "odd-first"}, position=0)
    assert published(ring) == ["odd-first", "first", "odd-last"]
    ring.withdraw("odd-first")
    assert published(ring) == ["first", "odd-last"]


def test_what_is_published_is_a_copy(ring):
    odd: dict[str, object] = {"kty": "oct", "kid": "odd"}
    ring.publish(odd)
    odd["kid"] = "changed"
    for jwk in ring.jwks["keys"]:
        jwk["kid"] = "changed"
    assert published(ring) == ["first", "odd"]


def test_replaced_material_has_the_same_kid_and_another_key(ring):
    before = ring.current_key
    after = ring.replace_material()
    assert ring.current_key is after
    assert published(ring) == ["first"]
    assert ring.jwks == {"keys": [after.public_jwk]}
    assert after.public_jwk["x"] != before.public_jwk["x"]


@pytest.mark.parametrize("algorithm", ["RS256", "EdDSA"])
def test_keys_of_every_kind_can_be_withdrawn(algorithm):
    ring = KeyRing(key=SigningKey.generate(algorithm, rsa_bits=1024))
    ring.withdraw()
    assert published(ring) == []

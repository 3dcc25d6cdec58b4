"""Properties of every input, each compared with a second implementation."""

import json
import string
import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fuzz.seeds import seeds
from fuzz.target import BrokenPromise, run, signed_claims, signer
from m2mguard import Requirement
from m2mguard._keys.key_set import UnusableKeySet, key_set_from_members, parse_key_set
from m2mguard._token.base64url import base64url_decode, base64url_encode
from m2mguard._token.bearer import bearer_token
from m2mguard._token.strict_json import NotStrictJson, parse_object
from m2mguard.errors import AnswerableError, InvalidRequest, InvalidToken, MissingToken
from m2mguard.paths import PublicPaths
from tests.refusals import refusal_of
from tests.security.forge import ACCEPTED, as_json, claims, header, key, mint, outcome, server

GUARD = server()
TOKEN = mint()
TOKEN68 = set(string.ascii_letters + string.digits + "-._~+/")
TCHAR = set(
    string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
)  # RFC 9110 section 5.6.2: the characters of a scheme
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**38), 10**38)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
without_deadline = settings(deadline=None, max_examples=200)


FIELD = st.one_of(
    st.text(),
    st.binary(),
    st.builds(
        "".join,
        st.tuples(
            st.sampled_from(["Bearer", "bearer", "BEARER", "Basic", "Bear", "", " Bearer"]),
            st.sampled_from([" ", "  ", "\t", "", ",", "=", "\n"]),
            st.text(st.sampled_from(sorted(TOKEN68) + list("= ,\t\n\x00é")), max_size=30),
        ),
    ),
)


@without_deadline
@given(FIELD)
def test_a_field_gives_a_token_or_one_of_two_refusals(field):
    text = (field if isinstance(field, str) else field.decode("latin-1")).strip(" \t")
    scheme, space, rest = text.partition(" ")
    credential = rest.lstrip(" ").rstrip("=")
    well_formed = (
        bool(space) and scheme.lower() == "bearer" and scheme.isascii() and credential and set(credential) <= TOKEN68
    )
    refusal = refusal_of(lambda: bearer_token([field]))
    assert (refusal is None) is bool(well_formed)
    if refusal is None:
        assert bearer_token([field]) == rest.lstrip(" ").encode()
    else:
        other = not text or not text.lower().startswith("bearer") or text[6:7] in TCHAR
        assert type(refusal) is (MissingToken if other else InvalidRequest)


@without_deadline
@given(st.lists(FIELD, max_size=3))
def test_authenticate_raises_only_refusals_for_any_fields(fields):
    with pytest.raises(AnswerableError):
        GUARD.authenticate(fields)


@without_deadline
@given(st.text() | st.binary() | st.lists(st.text(string.ascii_letters + "-_=", max_size=9), max_size=5).map(".".join))
def test_random_text_is_no_token(text):
    with pytest.raises(InvalidToken):
        GUARD.verify(text)


@without_deadline
@given(st.integers(0, len(TOKEN) - 1), st.characters(codec="latin-1"), st.sampled_from(["replace", "insert", "delete"]))
def test_a_token_with_one_character_changed_is_refused(position, character, how):
    rest = TOKEN[position + 1 :] if how != "insert" else TOKEN[position:]
    changed = TOKEN[:position] + ("" if how == "delete" else character) + rest
    assert (refusal_of(lambda: GUARD.verify(changed)) is None) is (changed == TOKEN)


@without_deadline
@given(st.binary(max_size=64))
def test_base64url_has_one_valid_form(data):
    text = base64url_encode(data)
    assert base64url_decode(text) == data
    for other in (text + "=", text + "A", text[:-1], text.replace("-", "+").replace("_", "/")):
        try:
            assert base64url_encode(base64url_decode(other)) == other
        except ValueError:
            continue


@without_deadline
@given(st.text(st.sampled_from(string.ascii_letters + string.digits + "-_+/= \n."), max_size=12))
def test_text_that_decodes_encodes_to_the_same_text(text):
    try:
        data = base64url_decode(text)
    except ValueError:
        return
    assert base64url_encode(data) == text


@without_deadline
@given(JSON)
def test_an_object_is_parsed_as_by_the_standard_library(value):
    data = json.dumps(value).encode()
    if isinstance(value, dict):
        assert parse_object(data) == value
    else:
        with pytest.raises(NotStrictJson):
            parse_object(data)


@without_deadline
@given(st.binary())
def test_the_json_parser_raises_only_its_own_error_for_any_bytes(data):
    with pytest.raises(NotStrictJson):
        parse_object(b"[" + data)


CLAIMS = st.dictionaries(
    st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "sub", "client_id", "jti", "scope", "cnf", "organization_id"]),
    JSON,
    max_size=4,
)


def broken_promise(check, *arguments):
    """What a check of the fuzzer has to say: the promise that is broken, or None."""
    try:
        check(*arguments)
    except BrokenPromise as broken:
        return str(broken)
    return None


@without_deadline
@given(CLAIMS, st.dictionaries(st.sampled_from(["alg", "typ", "kid", "crit", "b64", "jwk", "x"]), JSON, max_size=2))
def test_any_claims_and_header_are_accepted_only_by_the_rules(changes, header_changes):
    top = as_json({**header(signer=signer()), **header_changes})
    assert broken_promise(signed_claims, top, as_json({**claims(), **changes})) is None


@without_deadline
@given(CLAIMS)
def test_a_signed_token_is_refused_with_401_or_403(changes):
    result = outcome(GUARD, mint(changes))
    assert result == ACCEPTED or result[0] in (401, 403)


@pytest.mark.parametrize("seed", seeds(), ids=range(len(seeds())))
def test_the_seeds_of_the_fuzzer_pass_its_checks(seed):
    assert broken_promise(run, seed) is None


JWK = st.dictionaries(
    st.sampled_from(["kty", "crv", "alg", "use", "key_ops", "kid", "n", "e", "x", "y", "d", "k"]),
    JSON | st.sampled_from(["RSA", "EC", "OKP", "P-256", "Ed25519", "ES256", "sig", "AQAB"]),
)


@without_deadline
@given(st.lists(JSON | JWK | st.builds(lambda change: {**key().public_jwk, "kid": "other", **change}, JWK), max_size=4))
def test_other_members_never_remove_a_valid_key(others):
    keys = key_set_from_members({"keys": [*others, key().public_jwk]}, max_keys=9)
    assert "key-1" in keys
    assert len(keys.keys) + len(keys.skipped) <= len(others) + 1


@without_deadline
@given(JSON | st.dictionaries(st.just("keys"), JSON))
def test_the_key_set_parser_raises_only_its_own_error_for_any_document(document):
    with pytest.raises(UnusableKeySet):
        parse_key_set(json.dumps(document).encode(), max_keys=9)


@without_deadline
@given(st.binary() | st.text(st.sampled_from('{}[]":,\\ 0e')).map(str.encode))
def test_the_key_set_parser_raises_only_its_own_error_for_any_body(body):
    with pytest.raises(UnusableKeySet):
        parse_key_set(body, max_keys=9)


PLAIN = set(string.ascii_letters + string.digits + "-._~!$&'()+,=:@ ")


@without_deadline
@given(
    st.lists(st.text(st.sampled_from("ab./\\%;~\x00 é"), max_size=4), max_size=5).map(
        lambda parts: "/docs/" + "/".join(parts)
    )
)
def test_a_path_below_a_prefix_is_public_if_every_segment_is_plain(path):
    *inner, last = path.split("/")[2:]
    segments = [*inner, last] if last else inner
    plain = all(part and set(part) <= PLAIN and not part.endswith(".") and part == part.strip(" ") for part in segments)
    assert PublicPaths(["/docs/"]).match(path) is (plain and segments != [])


@without_deadline
@given(st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=3))
def test_a_public_path_has_the_same_segments_in_every_normal_form(names):
    path = "/docs/" + "/".join(names)
    assume(not any("\ud800" <= character <= "\udfff" for character in path))  # UTF-8 has no surrogates
    sent = quote(path, safe="/" + "".join(PLAIN - {" "}))
    public = PublicPaths(["/docs/"])
    if not public.match(path, raw_path=sent.encode()):
        return
    assert public.match(path.encode())
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        segments = unicodedata.normalize(form, path).split("/")
        assert len(segments) == path.count("/") + 1
        assert not {"", ".", ".."} & {segment.strip() for segment in segments[1:-1]}
        assert not set(";\\%\x00") & set("".join(segments))


SCOPES = st.frozensets(st.sampled_from(["a", "b", "c", "a:b"]))


@without_deadline
@given(granted=SCOPES, every=SCOPES, one_of=SCOPES)
def test_required_scopes_are_compared_as_sets(granted, every, one_of):
    caller = GUARD.verify(mint({"scope": " ".join(sorted(granted))}))
    fits = every <= granted and (not one_of or bool(one_of & granted))
    refusal = refusal_of(lambda: GUARD.authorize(caller, Requirement(scopes=every, any_scope=one_of)))
    assert (refusal is None) is fits
    assert refusal is None or set(refusal.scopes) == every | one_of

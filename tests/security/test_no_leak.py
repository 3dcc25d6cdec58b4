"""Tokens and claims are secrets (RFC 6750 section 5.2): a canary anywhere in a request must not appear in any output."""

import asyncio
import json
import logging
import traceback

import pytest

from m2mguard import Issuer, KeyCaching, ResourceServer
from m2mguard.errors import AnswerableError
from m2mguard.testing import LocalIssuer, base64url
from tests.security.forge import API, NOW, REMOVED, URL, as_json, claims, compact, header, inserted, key, mint

CANARY = "cAnArY7f3a9"
HEADER_MEMBERS = ["alg", "typ", "kid", "jwk", "jku", "x5u", "x5c", "x5t", "crit", "b64", "cty", "zip", "nonce", CANARY]
CLAIMS = [*claims(), "nbf", "cnf", "organization_id", "act", "roles", CANARY]
VALUES = [CANARY, [CANARY], {CANARY: CANARY}, [CANARY, 7]]
FOREIGN_KEY = key("ES256", "foreign")
SHOWN_OF_VERIFIED = ("got", "app_id", "issuer")  # set only if the signature is valid
LOGGED = ("header typ str", "claim aud str", "claim aud list", "claim client_id str")


def fields():
    """Authorization fields with a canary in every possible part, by name."""
    for member in HEADER_MEMBERS:
        for value in VALUES:
            yield f"header {member} {type(value).__name__}", [f"Bearer {mint(with_header={member: value})}"]
    for claim in CLAIMS:
        for value in VALUES:
            yield f"claim {claim} {type(value).__name__}", [f"Bearer {mint({claim: value})}"]
    yield "an expired token", [f"Bearer {mint({'exp': 1, 'x': CANARY})}"]
    yield "a person", [f"Bearer {mint({'sub': CANARY})}"]
    yield "a good token", [f"Bearer {mint({'x': CANARY, 'scope': CANARY, 'jti': CANARY})}"]
    yield "a good token of a canary", [f"Bearer {mint({'sub': CANARY, 'client_id': CANARY})}"]
    yield "a forged token", [f"Bearer {mint({'x': CANARY}, signer=FOREIGN_KEY.using(kid='key-1'))}"]
    yield "an organization", [f"Bearer {mint({'organization_id': CANARY})}"]
    yield "payload junk", [f"Bearer {mint(payload=CANARY.encode())}"]
    yield "payload cut", [f"Bearer {mint(payload=as_json(claims({'x': CANARY}))[:-1])}"]
    yield "payload not UTF-8", [f"Bearer {mint(payload=CANARY.encode() + bytes([255]))}"]
    yield (
        "payload with a number too long",
        [f"Bearer {mint(payload=inserted(claims({'x': CANARY}), chr(34) + 'y' + chr(34) + ':' + '9' * 5000))}"],
    )
    yield (
        "payload twice",
        [f"Bearer {mint(payload=inserted(claims(), f'{json.dumps(CANARY)}: 1, {json.dumps(CANARY)}: 2'))}"],
    )
    yield "header junk", [f"Bearer {mint(with_header=CANARY.encode())}"]
    yield "a JSON token", [f"Bearer {compact(header(), claims({'x': CANARY}), b'x')}{CANARY}="]
    yield "signature", [f"Bearer {compact(header(), claims(), CANARY.encode())}"]
    yield "signature text", [f"Bearer {compact(header(), claims())}.{CANARY}"]
    yield "segments", [f"Bearer {CANARY}.{CANARY}.{CANARY}"]
    yield "an opaque token", [f"Bearer {CANARY}"]
    yield "outside the grammar", [f"Bearer {CANARY} {CANARY}"]
    yield "with a quote", [f'Bearer "{CANARY}"']
    yield "another scheme", [f"Basic {CANARY}"]
    yield (
        "the scheme itself",
        [
            CANARY,
        ],
    )
    yield "several fields", [f"Bearer {CANARY}", f"Basic {CANARY}"]
    yield "bytes", [f"Bearer {CANARY}".encode(), CANARY.encode()]
    yield "not ASCII", [f"Bearer {CANARY}é\udcff"]
    yield "another type", [{CANARY: CANARY}]


def texts_of_error(error):
    """Every text of an exception and of the exceptions that are attached to it."""
    seen, waiting = [], [error]
    while waiting:
        one = waiting.pop()
        if one is None or one in seen:
            continue
        seen.append(one)
        members = {name: value for name, value in vars(one).items() if name not in SHOWN_OF_VERIFIED}
        yield from (str(one), repr(one), repr(one.args), repr(getattr(one, "__notes__", "")), repr(members))
        yield "".join(traceback.format_exception(one, chain=False))
        yield from (repr(getattr(one, name)) for name in ("object", "doc", "filename") if hasattr(one, name))
        waiting += [one.__cause__, one.__context__]


def texts_of(guard, given):
    """Every text that results from a request: of its refusal and answer, or of its Caller."""
    for attempt in (guard.authenticate, lambda values: asyncio.run(guard.aauthenticate(values))):
        try:
            caller = attempt(given)
        except AnswerableError as refusal:
            yield from texts_of_error(refusal)
            answer = guard.answer(refusal)
            yield from (repr(answer), answer.body.decode(), repr(dict(answer.headers)))
        else:
            yield repr(caller).replace(repr(caller.app_id), "the App ID")
    yield repr(guard.health())
    yield repr(guard)


CASES = dict(fields())


def outputs_of(given, caplog):
    """The output of a request: the texts of its errors and answers, and the logged texts for operators."""
    caplog.set_level(logging.DEBUG)
    events = []
    fixed = Issuer(url=URL, jwks={"keys": [key().public_jwk]})
    guard = ResourceServer(fixed, audience=API, clock=lambda: NOW, on_event=events.append)
    texts = list(texts_of(guard, given))
    assert events
    return texts, [repr(events), caplog.text, *(repr(vars(record)) for record in caplog.records)]


def secrets_of(given):
    yield from (CANARY, base64url(CANARY.encode()))
    yield from (
        part for value in given if isinstance(value, str) for part in value.split()[-1].split(".") if len(part) > 11
    )


@pytest.mark.parametrize("name", CASES)
def test_no_output_contains_a_part_of_the_request(name, caplog):
    given = CASES[name]
    texts, logged = outputs_of(given, caplog)
    out = texts if name in LOGGED else texts + logged
    assert not [text for text in out for secret in secrets_of(given) if secret in text]


@pytest.mark.parametrize("name", LOGGED)
def test_operators_see_the_invalid_claim_if_the_signature_is_valid(name, caplog):
    _, logged = outputs_of(CASES[name], caplog)
    assert any(CANARY in text for text in logged)
    [part] = [value for value in CASES[name] if isinstance(value, str)]
    assert not [text for text in logged for segment in part.split()[-1].split(".") if segment in text]


@pytest.mark.parametrize("name", LOGGED)
def test_no_claim_is_logged_if_the_signature_is_invalid(name, caplog):
    head, _, _ = CASES[name][0].rpartition(".")
    forged = FOREIGN_KEY.using(kid="key-1").sign(head.removeprefix("Bearer ").encode())
    texts, logged = outputs_of([f"{head}.{base64url(forged)}"], caplog)
    assert not [text for text in texts + logged if CANARY in text]


def test_the_search_finds_the_canary():
    """Checks `texts_of_error`: it includes contexts, notes and the input of a failed decoder."""

    def decode():
        try:
            (CANARY.encode() + b"\xff").decode("utf-8")
        except UnicodeDecodeError:
            raise KeyError("other") from None

    with pytest.raises(KeyError) as error:
        decode()
    assert any(CANARY in text for text in texts_of_error(error.value))
    error_with_note = ValueError("x")
    error_with_note.add_note(CANARY)
    assert any(CANARY in text for text in texts_of_error(error_with_note))


def test_no_output_contains_a_part_of_a_token_if_keys_are_fetched(caplog):
    caplog.set_level(logging.DEBUG)
    events = []
    with LocalIssuer() as issuer:
        guard = ResourceServer(
            issuer.url, audience=API, on_event=events.append, caching=KeyCaching(max_wait=1, timeout=5)
        )
        tokens = [
            issuer.mint(header={"kid": CANARY}),
            issuer.mint(claims={"x": CANARY}, header={"jku": f"https://{CANARY}.example/"}),
            issuer.mint(claims={"iss": f"https://{CANARY}.example/"}),
            issuer.mint(claims={"exp": 1, "x": CANARY}),
            issuer.mint(header={"kid": f"{CANARY}-2", "typ": REMOVED}),
        ]
        out = [text for token in tokens for text in texts_of(guard, [f"Bearer {token}"])]
        issuer.stop()
        guard.purge()
        out += texts_of(guard, [f"Bearer {tokens[1]}"])
        out += [repr(issuer.requests)]
    out += [repr(events), caplog.text, *(repr(vars(record)) for record in caplog.records)]
    assert {type(event).__name__ for event in events} >= {"KeysRefreshed", "TokenRefused", "RefreshFailed"}
    assert not [text for text in out if CANARY in text or base64url(CANARY.encode()) in text]
    assert not [text for text in out for token in tokens for part in token.split(".") if part in text]

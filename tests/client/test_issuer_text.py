"""Text of an issuer is shown as one short line of printable ASCII, without secrets and tokens."""

import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2mguard._authentication.proof import Client
from m2mguard._authentication.secret import ClientSecret
from m2mguard.client._issuer_text import MAX_LENGTH, REDACTED, safe_text

SECRET = 'p:a ss/w+\u00f6rd&=%<"x'
PROOF = Client(client_id="app-7", authentication=ClientSecret(SECRET)).proof(issuer="https://issuer.example", now_s=0)
JWT = "eyJhbGciOiJFUzM4NCJ9.eyJzdWIiOiJhcHAifQ.c2lnbmF0dXJl"
UUID = "7a1c6f6e-0b5e-4c0b-9d3f-2f6f0f6f4b11"


@pytest.mark.parametrize(
    "sentence",
    [
        "client authentication failed",
        'Client is not authorized to access "https://shopping.api". You need to create a "client-grant".',
        f"AADSTS700016: Application with identifier '{UUID}' was not found in the directory 'y'.",
        f"AADSTS500011: The resource principal named api://{UUID}/.default was not found. Trace ID: {UUID}",
        "unsupported_response_type: see https://login.example.com/realms/shop/protocol/openid-connect",
        "Request expired at 2026-11-22T12:00:00Z, after 86400 seconds",
        "a_very_long_word_made_of_letters_and_underscores_only",
        "12345678901234567890 is not a client",
    ],
)
def test_an_ordinary_sentence_is_shown_unchanged(sentence):
    assert safe_text(sentence) == sentence


@pytest.mark.parametrize(
    "token",
    [
        JWT,
        f"{JWT}.and.more",
        "eyJhbGciOiJub25lIn0.e30.",
        "eyJhbGciOiJub.eyJzdWIiOiJh.signature",
        "c4n4ry.t0k3n.v4lu3",
        "f85632530bf277ec9ac6f649fc327f17",
        "00D5g000004!AQcAQH0dMHZfz972Szmpkb58urFRkgeBGsxL_QJWwYMfAb",
        "2YotnFZFEjr1zCsicMWpAA",
        "dGhpcyBpcyBub3Q/YSBzZWNyZXQ+MTIzNDU2Nzg5MDEyMzQ1Njc4OTA=",
    ],
)
def test_text_that_looks_like_a_token_is_redacted(token):
    for sentence in ("{} is no token", "no such token: {}", "token={}&x", "({})", "<{}>", "'{}'", '"{}".'):
        shown = safe_text(sentence.format(token))
        assert REDACTED in shown
        assert token not in shown


FORMS = {
    "plain": SECRET,
    "percent-encoded": quote(SECRET, safe=""),
    "percent-encoded in lower case": quote(SECRET, safe="").lower(),
    "form-urlencoded": quote_plus(SECRET),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64url without padding": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    "JSON": json.dumps(SECRET)[1:-1],
    "HTML": "p:a ss/w+\u00f6rd&amp;=%&lt;&quot;x",
    "Basic": PROOF.headers["Authorization"].removeprefix("Basic "),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_our_secret_is_redacted_in_every_encoding(form):
    assert safe_text(f"we got >{form}< from you", secrets=PROOF.secrets) == f"we got >{REDACTED}< from you"


def test_a_piece_of_our_secret_is_redacted():
    signature = "dD0uTO-1eUYScA2SfJybEkvbLveAqZpSNVt0gQvRtq-Dd9tjh5EPkXpB63TfAfhrGCEHtXNyKI_QC6JFeEv9Hw"
    pieces = [signature[at : at + 10] for at in range(0, 80, 10)]
    for between in (" ", ",", '","', ";", "\n"):
        shown = safe_text(f"bad client: {between.join(pieces)}", secrets=[signature])
        assert shown.startswith(f"bad client: {REDACTED}")
        assert not any(piece in shown for piece in pieces), shown
    assert safe_text(f"{signature[:12]}... is unknown", secrets=[signature]) == f"{REDACTED} is unknown"


def test_what_we_sent_openly_is_shown_although_a_secret_holds_it():
    sentence = "the client orders-app is unknown"
    assert safe_text(sentence, secrets=["orders-app-2026"], known=["orders-app"]) == sentence
    assert safe_text(sentence, secrets=["another-secret"]) == sentence


def test_a_secret_is_redacted_before_the_text_is_shortened():
    shown = safe_text("x " * 97 + "c4n4ry-of-the-application", secrets=["c4n4ry-of-the-application"])
    assert "c4n4" not in shown
    assert len(shown) == MAX_LENGTH


def test_a_short_secret_is_redacted_only_as_a_whole_word():
    assert (
        safe_text("b is not the secret of bob (b)", secrets=["b"])
        == f"{REDACTED} is not the secret of bob ({REDACTED})"
    )


def test_public_values_that_we_sent_are_shown_although_token_like():
    known = ["x8KdPq29sLm4TzVb71RwYc05", "https://dev-1abc2345.eu.auth0.com/api/v2/"]
    sentence = f"client_id={known[0]} may not access {known[1]}."
    assert safe_text(sentence, known=known) == sentence
    assert safe_text(sentence).startswith(f"{REDACTED} may not access")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("one\r\ntwo\tthree  four ", "one two three four"),
        ("caf\u00e9 \U0001f600", "caf\\xe9 \\U0001f600"),
        ("\x1b[31mred\x00\x7f", "\\x1b[31mred\\x00\\x7f"),
        ("\ud800", "\\ud800"),
        ("a" * 300, "a" * 197 + "..."),
        ("a" * 200, "a" * 200),
    ],
)
def test_text_becomes_one_short_line_of_printable_ascii(sent, shown):
    assert safe_text(sent) == shown


@given(st.text(), st.lists(st.text(min_size=1)), st.lists(st.text(min_size=1)))
def test_any_text_becomes_one_short_line_of_printable_ascii(text, secrets, known):
    shown = safe_text(text, secrets=secrets, known=known)
    assert len(shown) <= MAX_LENGTH
    assert all(" " <= character <= "~" for character in shown)


@given(st.text(), st.text(min_size=8, alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E)), st.text())
def test_a_secret_is_never_shown(before, secret, after):
    shown = safe_text(before + secret + after, secrets=[secret])
    assert secret not in shown.replace(REDACTED, "\n")


@pytest.mark.parametrize("secret", ["one two-three-four", "abcdefgh-ijklmnop"])
@pytest.mark.parametrize("change", ["{}  {}", "{}\n{}", "{}\r\n   {}", "{}\t{}"])
def test_a_secret_with_changed_white_space_is_redacted_too(secret, change):
    wrapped = change.format(secret[:7].rstrip(), secret[7:].lstrip())
    assert safe_text(f"the secret {wrapped} is wrong", secrets=[secret]) == f"the secret {REDACTED} is wrong"
    assert safe_text("the secret of one two is wrong", secrets=[secret]) == "the secret of one two is wrong"

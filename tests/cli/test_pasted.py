"""What people paste: a token with whatever came along, or something that is no token at all."""

import base64
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m2mguard import ResourceServer
from m2mguard._cli.advice.not_a_token import advise_on_text
from m2mguard._cli.pasted import read_pasted_text
from m2mguard._cli.pasted.pasted_text import NOTES
from m2mguard.testing import SigningKey
from m2mguard.testing._signing import base64url, sign_with_secret
from tests.cli import issuer_tokens as tokens

KEY = SigningKey.generate("ES384", kid="key-1")
RSA = SigningKey.generate("RS256", kid="key-2")
TOKEN = tokens.logto_app(KEY)
OTHER = tokens.entra_v2(RSA)
ID_TOKEN = tokens.logto_id(KEY)
HEADER, CLAIMS, SIGNATURE = TOKEN.split(".")
HEADER_RS = OTHER.split(".")[0]
HS256 = sign_with_secret(
    {"alg": "HS256", "typ": "JWT"}, {"sub": "1234567890", "name": "John Doe", "iat": 1516239022}, b"s" * 32
)
JWE = ".".join((base64url(b'{"alg":"RSA-OAEP","enc":"A256GCM"}'), "b" * 342, "c" * 16, "d" * 200, "e" * 22))
DIRECT_JWE = ".".join((base64url(b'{"alg":"dir","enc":"A256GCM"}'), "", "c" * 16, "d" * 200, "e" * 22))
SECRET = "Zq8mRi0Q0pXyz4nTgd2sLw7vBeK1AUPh"
ENTRA_SECRET = "abc8Q~dEfGhIjKlMnOpQrStUvWxYz0123456789a"
ANSWER = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer", "scope": "read:orders"}
BASIC = base64.b64encode(f"app-id:{SECRET}".encode()).decode()
PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n"
CURL = f"""curl -sS -X GET 'https://api.example.com/orders?x=1' \\
  -H 'Accept: application/json' \\
  -H 'Authorization: Bearer {TOKEN}' \\
  --max-time 5"""
REQUEST = f"GET /orders HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer {TOKEN}\r\nAccept: */*\r\n\r\n"


def wrapped(text: str, width: int, end: str = "\n") -> str:
    return end.join(text[start : start + width] for start in range(0, len(text), width))


WITH_A_TOKEN = {
    "alone": (TOKEN, []),
    "newline": (f"{TOKEN}\n", []),
    "crlf": (f"  {TOKEN}\r\n", []),
    "bytes": (TOKEN.encode(), []),
    "prefix": (f"Bearer {TOKEN}", ["prefix"]),
    "prefix-lower": (f"bearer {TOKEN}", ["prefix"]),
    "prefix-upper": (f"BEARER\t{TOKEN}", ["prefix"]),
    "prefix-newline": (f"Bearer\n{TOKEN}", ["prefix"]),
    "prefix-colon": (f"Bearer: {TOKEN}", ["prefix"]),
    "prefix-twice": (f"Bearer Bearer {TOKEN}", ["prefix", "doubled_prefix"]),
    "line": (f"Authorization: Bearer {TOKEN}", ["header_line", "prefix"]),
    "line-lower": (f"authorization:bearer {TOKEN}", ["header_line", "prefix"]),
    "line-without-prefix": (f"Authorization: {TOKEN}", ["header_line"]),
    "line-of-python": (f"'Authorization': 'Bearer {TOKEN}'", ["quotes", "header_line", "prefix"]),
    "line-of-python-in-braces": (f"{{'Authorization': 'Bearer {TOKEN}'}}", ["header_line", "prefix"]),
    "headers-as-json": (json.dumps({"Authorization": f"Bearer {TOKEN}", "Accept": "*/*"}), ["header_line", "prefix"]),
    "variable-with-a-value": (f'export AUTHORIZATION="Bearer {TOKEN}"', ["quotes", "header_line", "prefix"]),
    "curl": (CURL, ["header_line", "prefix"]),
    "curl-double-quotes": (CURL.replace("'", '"'), ["header_line", "prefix"]),
    "curl-oauth2-bearer": (f"curl --oauth2-bearer {TOKEN} https://api.example.com", None),
    "line-and-quotes": (f'Authorization: Bearer "{TOKEN}"', ["quotes", "header_line", "prefix"]),
    "httpie": (f"http GET https://api.example.com 'Authorization:Bearer {TOKEN}'", ["quotes", "header_line", "prefix"]),
    "request": (REQUEST, ["header_line", "prefix"]),
    "request-folded": (f"Authorization: Bearer\r\n {TOKEN}\r\nAccept: */*", ["header_line", "prefix"]),
    "assignment": (f"TOKEN={TOKEN}", None),
    "assignment-export": (f"export ACCESS_TOKEN='{TOKEN}'", None),
    "yaml": (f"token: {TOKEN}", None),
    "single-quotes": (f"'{TOKEN}'", ["quotes"]),
    "double-quotes": (f'"{TOKEN}"', ["quotes"]),
    "backticks": (f"`{TOKEN}`", ["quotes"]),
    "typographic": (f"“{TOKEN}”", ["quotes"]),
    "german": (f"„{TOKEN}“", ["quotes"]),
    "french": (f"« {TOKEN} »", ["quotes"]),
    "one-quote": (f'"{TOKEN}', ["quotes"]),
    "escaped-quotes": (f'\\"{TOKEN}\\"', None),
    "quotes-and-prefix": (f'"Bearer {TOKEN}"', ["quotes", "prefix"]),
    "prefix-and-quotes": (f'Bearer "{TOKEN}"', ["quotes", "prefix"]),
    "angle-brackets": (f"<{TOKEN}>", None),
    "python-bytes": (f"b'{TOKEN}'", ["python_bytes"]),
    "python-bytes-prefix": (f"Bearer b'{TOKEN}'", ["prefix", "python_bytes"]),
    "comma": (f'"{TOKEN}",', ["quotes", "punctuation"]),
    "semicolon": (f"{TOKEN};", ["punctuation"]),
    "wrapped-80": (wrapped(TOKEN, 80), ["line_breaks"]),
    "wrapped-64-crlf": (wrapped(TOKEN, 64, "\r\n"), ["line_breaks"]),
    "wrapped-indented": (wrapped(TOKEN, 76, "\n    "), ["line_breaks"]),
    "wrapped-continuation": (wrapped(TOKEN, 76, "\\\n"), ["line_breaks"]),
    "wrapped-prefix": (f"Bearer {wrapped(TOKEN, 60)}", ["prefix", "line_breaks"]),
    "wrapped-quotes": (f'"{wrapped(TOKEN, 60)}"', ["quotes", "line_breaks"]),
    "wrapped-line": (f"Authorization: Bearer {wrapped(TOKEN, 60)}", None),
    "dots-apart": (f"{HEADER}.\n{CLAIMS}.\n{SIGNATURE}", ["line_breaks"]),
    "answer": (json.dumps(ANSWER), ["json_answer"]),
    "answer-pretty": (json.dumps(ANSWER, indent=2), ["json_answer"]),
    "answer-with-others": (json.dumps({"id_token": ID_TOKEN, "refresh_token": "r" * 43, **ANSWER}), ["json_answer"]),
    "answer-cut": (json.dumps(ANSWER)[:-20], ["json_answer"]),
    "answer-of-python": (str(ANSWER), ["json_answer"]),
    "answer-after-a-status": (f"HTTP/1.1 200 OK\ncontent-type: application/json\n\n{json.dumps(ANSWER)}", ["json_answer"]),
    "answer-bearer-inside": (json.dumps({"access_token": f"Bearer {TOKEN}"}), ["json_answer", "prefix"]),
    "answer-camel": (json.dumps({"accessToken": TOKEN}), ["json_answer"]),
    "answer-in-a-string": (json.dumps(json.dumps(ANSWER)), ["quotes", "json_answer"]),
    "answer-in-a-list": (json.dumps([ANSWER]), ["json_answer"]),
    "answer-nested": (json.dumps({"data": ANSWER}), ["json_answer"]),
    "url": (f"https://app.example.com/cb#access_token={TOKEN}&token_type=Bearer", ["url"]),
    "url-query": (f"https://api.example.com/orders?access_token={TOKEN}", ["url"]),
    "form": (f"access_token={TOKEN}&expires_in=3600", ["url"]),
    "percent": (quote(f"Bearer {TOKEN}", safe=""), ["percent_encoding", "prefix"]),
    "percent-dots": (TOKEN.replace(".", "%2E"), ["percent_encoding"]),
    "zero-width": (f"\u200b{TOKEN[:30]}\u200b{TOKEN[30:]}", ["invisible_characters"]),
    "no-break-space": (f"Bearer\u00a0{TOKEN}", ["prefix", "invisible_characters"]),
    "bom-text": (f"\ufeff{TOKEN}", ["byte_order_mark"]),
    "bom-utf8": (b"\xef\xbb\xbf" + TOKEN.encode(), ["byte_order_mark"]),
    "utf16-le": (b"\xff\xfe" + f"{TOKEN}\r\n".encode("utf-16-le"), ["utf16"]),
    "utf16-be": (b"\xfe\xff" + TOKEN.encode("utf-16-be"), ["utf16"]),
    "utf16-le-without-mark": (TOKEN.encode("utf-16-le"), ["utf16"]),
    "utf16-le-without-mark-quotes": (f"“{TOKEN}”".encode("utf-16-le"), ["utf16", "quotes"]),
    "utf16-be-without-mark": (TOKEN.encode("utf-16-be"), ["utf16"]),
    "twice-the-same": (f"{TOKEN}\n{TOKEN}\n", None),
    "prose": (f"Here is the token: {TOKEN} please have a look", None),
    "log-line": (f"2026-11-26 09:00:00 DEBUG sending token {TOKEN} to api", None),
    "markdown": (f"```\n{TOKEN}\n```", ["quotes"]),
}  # fmt: skip


@pytest.mark.parametrize(("text", "notes"), WITH_A_TOKEN.values(), ids=WITH_A_TOKEN)
def test_the_token_is_found_and_what_was_taken_off_is_said(text, notes):
    found = read_pasted_text(text)
    assert (found.kind, found.token) == ("token", TOKEN)
    if notes is not None:
        assert {note.code for note in found.notes} == set(notes)


WHOLE_TOKENS = {
    "id-token": ID_TOKEN,
    "hs256": HS256,
    "rs256": OTHER,
    "removed": f"{HEADER}.{CLAIMS}.SIGNATURE_REMOVED_BY_GOOGLE",
}


@pytest.mark.parametrize("token", WHOLE_TOKENS.values(), ids=WHOLE_TOKENS)
def test_a_whole_token_is_a_token_whatever_it_is_worth(token):
    found = read_pasted_text(token)
    assert (found.kind, found.token, found.notes) == ("token", token, ())
    assert found.header
    assert found.claims


SETTINGS = ResourceServer("https://tenant.logto.app/oidc", audience="https://shopping.api").settings
WHOLE_LENGTHS = (86, 321, 320)  # characters: a signature cut to this is as long as that of another algorithm or key
WITHOUT_A_TOKEN = {
    "empty": ("", "empty_value", ""),
    "blank": (" \r\n\t", "empty_value", ""),
    "bytes-empty": (b"", "empty_value", ""),
    "bearer-alone": ("Bearer ", "empty_value", ""),
    "bearer-none": ("Bearer None", "empty_value", ""),
    "field-empty": ("Authorization: Bearer", "empty_value", ""),
    "curl-empty": ("curl -H 'Authorization: Bearer ' https://api.example.com", "empty_value", ""),
    "none": ("None", "empty_value", ""),
    "null": ("null", "empty_value", ""),
    "undefined": ("Bearer undefined", "empty_value", ""),
    "object": ("Bearer [object Object]", "empty_value", ""),
    "bytes-of-nothing": ("b''", "empty_value", ""),
    "quotes-of-nothing": ('""', "empty_value", ""),
    "answer-null": (json.dumps({"access_token": None}), "empty_value", ""),
    "braces": ("${TOKEN}", "variable", "TOKEN"),
    "braces-prefix": ("Authorization: Bearer ${ACCESS_TOKEN}", "variable", "ACCESS_TOKEN"),
    "dollar": ("Bearer $TOKEN", "variable", "TOKEN"),
    "mustache": ("Bearer {{ access_token }}", "variable", "access_token"),
    "postman": ("{{token}}", "variable", "token"),
    "actions": ("${{ secrets.TOKEN }}", "variable", "secrets.TOKEN"),
    "windows": ("%TOKEN%", "variable", "TOKEN"),
    "powershell": ("Bearer $env:TOKEN", "variable", "TOKEN"),
    "angle": ("Bearer <token>", "variable", "token"),
    "angle-words": ("<your access token>", "variable", "your access token"),
    "yours": ("YOUR_ACCESS_TOKEN", "variable", ""),
    "curl-unexpanded": ("curl -H 'Authorization: Bearer $TOKEN' https://api.example.com", "variable", "TOKEN"),
    "cut-signature": (TOKEN[:-20], "cut_off", "end"),
    "cut-to-the-dot": (f"{HEADER}.{CLAIMS}.", "cut_off", "end"),
    "cut-claims": (f"{HEADER}.{CLAIMS[:-9]}", "cut_off", "end"),
    "cut-header": (HEADER[:-6], "cut_off", "end"),
    "cut-rsa": (OTHER[:-200], "cut_off", "end"),
    "cut-rsa-a-little": (OTHER[:-3], "cut_off", "end"),
    "cut-after-claims": (f"{HEADER}.{CLAIMS}", "cut_off", "end"),
    "cut-start": (TOKEN[5:], "cut_off", "start"),
    "cut-start-one": (TOKEN[1:], "cut_off", "start"),
    "cut-start-claims": (f"{CLAIMS}.{SIGNATURE}", "cut_off", "start"),
    "cut-start-in-claims": (f"{CLAIMS[7:]}.{SIGNATURE}", "cut_off", "start"),
    "cut-dots": (f"{TOKEN[:40]}...", "cut_off", "end"),
    "cut-ellipsis": (f"{TOKEN[:40]}…", "cut_off", "end"),
    "cut-ellipsis-prefix": (f"Bearer {TOKEN[:12]}...", "cut_off", "end"),
    "cut-ellipsis-start": (f"…{TOKEN[40:]}", "cut_off", "start"),
    "cut-ellipsis-middle": (f"{TOKEN[:40]}...{TOKEN[-20:]}", "cut_off", "middle"),
    "cut-rsa-4096": (f"{HEADER_RS}.{CLAIMS}.{'A' * 500}", "cut_off", "end"),
    "cut-255": (OTHER[:255], "cut_off", "end"),
    "cut-middle": (f"{HEADER}.{CLAIMS[:20]}{CLAIMS[23:]}.{SIGNATURE}", "cut_off", "middle"),
    "jwe": (JWE, "encrypted", ""),
    "jwe-direct": (f"Bearer {DIRECT_JWE}", "encrypted", ""),
    "opaque": ("x" * 10 + "Zq8mRi0Q0pXyz4nTgd2sLw7vBeK1AUPh-", "opaque", ""),
    "opaque-google": ("ya29.a0AfH6SMBx" + "c" * 100, "opaque", ""),
    "refresh-google": ("1//0gFakeFakeFakeFakeFake-L9Ir", "refresh_token", ""),
    "secret": (SECRET, "app_secret", ""),
    "secret-entra": (ENTRA_SECRET, "app_secret", ""),
    "secret-prefix": (f"Bearer {SECRET}", "app_secret", ""),
    "app-id": (tokens.APP, "app_id", ""),
    "app-id-guid": ("11112222-bbbb-3333-cccc-4444dddd5555", "app_id", ""),
    "basic": (f"Basic {BASIC}", "basic_credentials", ""),
    "basic-line": (f"Authorization: Basic {BASIC}", "basic_credentials", ""),
    "claims": (json.dumps({"iss": "https://tenant.logto.app/oidc", "sub": "a", "exp": 1}), "claims_alone", ""),
    "claims-segment": (CLAIMS, "claims_alone", ""),
    "header": (json.dumps({"alg": "ES384", "typ": "at+jwt", "kid": "k"}), "header_alone", ""),
    "header-segment": (HEADER, "header_alone", ""),
    "key-set": (json.dumps({"keys": [KEY.public_jwk]}), "key_set", ""),
    "jwk": (json.dumps(KEY.public_jwk), "key_set", ""),
    "pem": (PEM, "pem", ""),
    "error": (json.dumps({"error": "invalid_client", "error_description": "d"}), "error_answer", ""),
    "no-access-token": (json.dumps({"id_token": ID_TOKEN, "refresh_token": "r" * 43}), "no_access_token", ""),
    "two": (f"{TOKEN}\n{OTHER}", "several_tokens", ""),
    "two-comma": (f"{TOKEN},{OTHER}", "several_tokens", ""),
    "sentence": ("please give me a token", "text", ""),
    "three-words": ("a.b.c", "text", ""),
    "html": ("<!doctype html><html><body>Sign in</body></html>", "text", ""),
    "huge": ("a" * 1_000_001, "too_much", ""),
    "huge-bytes": (b"eyJ" * 1_000_000, "too_much", ""),
    "huge-utf16": (b"\xff\xfe" + ("a" * 1_000_000).encode("utf-16-le"), "too_much", ""),
}  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "place"), WITHOUT_A_TOKEN.values(), ids=WITHOUT_A_TOKEN)
def test_what_is_no_whole_token_is_called_what_it_is(text, kind, place):
    found = read_pasted_text(text)
    assert (found.kind, found.place) == (kind, place)


@pytest.mark.parametrize(
    "text", ["${hunter2hunter2}", "$pAssWordPassWord", "$(curl -u app:Zq8mRi0Q0pXyz4nT)", "<Zq8mRi0Q0pXyz4nT>"]
)
def test_what_stands_for_a_variable_and_may_be_a_secret_is_not_shown(text):
    found = read_pasted_text(text)
    assert (found.kind, found.place) == ("variable", "")


def test_every_note_can_be_had():
    codes = {note.code for text, _ in WITH_A_TOKEN.values() for note in read_pasted_text(text).notes}
    assert codes == NOTES.keys()


def test_every_kind_that_is_no_token_has_a_cause_and_what_to_do():
    for text, kind, _ in WITHOUT_A_TOKEN.values():
        advice = advise_on_text(read_pasted_text(text), SETTINGS)
        assert advice is not None, kind
        assert advice.cause.endswith(".")
        assert advice.cures
    assert advise_on_text(read_pasted_text(TOKEN), SETTINGS) is None


def test_a_token_is_in_no_repr():
    assert TOKEN[:20] not in repr(read_pasted_text(TOKEN))
    assert tokens.APP not in repr(read_pasted_text(TOKEN))


LONG = {
    "beginnings": "eyJ" * 20_000, "dots": "." * 60_000, "names": "authorization" * 4_000, "names-spaced": "authorization" + " " * 60_000,
    "percent": "%25" * 20_000, "brackets": "[" * 60_000, "objects": '{"a":' * 10_000, "braces": "${" * 30_000, "quotes": "\"'" * 30_000,
    "prefixes": "Bearer " * 9_000, "lines": "a\n" * 30_000, "number": "[" + "1" * 60_000 + "]", "marks": "\ufeff" * 60_000,
    "bytes": "b'" * 30_000, "urls": "?access_token=" * 4_000, "ellipses": "…" * 60_000, "begin-dots": "eyJabcdef." * 6_000,
}  # fmt: skip


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
def test_a_long_text_of_one_pattern_is_read_to_its_end(text):
    """In time, too: one that took a number of steps that grows with the square would not end before the test is stopped."""
    assert read_pasted_text(text).token is None


PIECES = st.sampled_from(
    (
        HEADER, CLAIMS, SIGNATURE, TOKEN, "Bearer ", "Basic ", "Authorization: ", "b'", "'", '"', "{", "}", "[", "]", ":", ",", ".", "...",
        "…", "\n", "\r\n", " ", "access_token", "?access_token=", "%20", "%", "${", "$", "<", ">", "\ufeff", "\u200b", "\u00a0", "\x00",
        "\ud800", "eyJ", "=", "-----BEGIN ",
    )
)  # fmt: skip


@given(st.text() | st.lists(PIECES | st.text(max_size=3), max_size=12).map("".join))
def test_any_text_is_read(text):
    found = read_pasted_text(text)
    assert found.token is None or found.kind in ("token", "cut_off")
    assert (found.token is not None) >= (found.kind == "token")


@given(
    st.binary() | st.lists(PIECES, max_size=8).map(lambda pieces: "".join(pieces).encode("utf-16-le", "surrogatepass"))
)
def test_any_bytes_are_read(data):
    found = read_pasted_text(data)
    assert found.token is None or found.kind in ("token", "cut_off")


SECRETS = st.from_regex(r"(?:[A-Za-z_-]{0,4}[0-9]){6,16}", fullmatch=True)
TEMPLATES = st.sampled_from(
    (
        "{}", "Bearer {}", "Basic {}", "Authorization: Bearer {}", "${{{}}}", "${}", "%{}%", "{{{{{}}}}}", "$({})", "$env:{}", "<{}>",
        "os.environ['{}']", "YOUR_{}_TOKEN", '{{"access_token": "{}"}}', '{{"client_secret": "{}"}}', '{{"alg": "{}"}}',
        '{{"error": "{}"}}', "-----BEGIN {}", "eyJ{}", "eyJ{}.eyJ{}", "eyJ{}.{}.{}", "{}...", "…{}", "https://a.example/?access_token={}",
        "b'{}'", "client_id:{}", "1//{}", "curl -u app:{} https://a.example",
    )
)  # fmt: skip


@given(secret=SECRETS, template=TEMPLATES)
def test_no_sentence_repeats_what_was_pasted(secret, template):
    found = read_pasted_text(template.replace("{}", secret).replace("{{", "{").replace("}}", "}"))
    advice = advise_on_text(found, SETTINGS)
    said = repr(found) + "".join(note.text for note in found.notes) + ("" if advice is None else repr(advice))
    assert not any(secret[start : start + 8] in said for start in range(len(secret) - 7))


WIDTHS = st.none() | st.tuples(st.integers(20, 120), st.sampled_from(("\n", "\r\n", "\n  ", " \n")))
QUOTED = st.sampled_from(("{}", '"{}"', "'{}'", "`{}`", "“{}”", "„{}“", "«{}»", '"{}",', "{};"))
PREFIXED = st.sampled_from(
    ("{}", "Bearer {}", "bearer  {}", "Bearer Bearer {}", "Authorization: Bearer {}", "authorization:{}", " \t{}\n")
)
AROUND = st.sampled_from(("text", "json", "json-pretty", "python", "url"))
ENCODED = st.sampled_from((None, "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"))


@given(
    token=st.sampled_from((TOKEN, OTHER, ID_TOKEN, HS256)),
    width=WIDTHS,
    quotes=QUOTED,
    prefix=PREFIXED,
    around=AROUND,
    encoding=ENCODED,
)
def test_a_real_token_is_found_in_every_wrapping(token, width, quotes, prefix, around, encoding):
    text = token if width is None or around == "url" else wrapped(token, *width)
    text = prefix.replace("{}", quotes.replace("{}", text))
    match around:
        case "json" | "json-pretty":
            text = json.dumps(
                {"token_type": "Bearer", "access_token": text}, indent=2 if around == "json-pretty" else None
            )
        case "python":
            text = str({"access_token": token, "expires_in": 3600})
        case "url":
            text = f"https://app.example/cb?state=x&access_token={quote(text, safe='')}&y=z"
    found = read_pasted_text(text if encoding is None else text.encode(encoding))
    assert (found.kind, found.token) == ("token", token)


@given(token=st.sampled_from((TOKEN, OTHER)), cut=st.integers(1, 60), at_the_start=st.booleans())
def test_a_token_that_was_cut_off_is_never_called_anything_else(token, cut, at_the_start):
    found = read_pasted_text(token[cut:] if at_the_start else token[:-cut])
    assert found.kind == "cut_off" or (not at_the_start and len(token.split(".")[2]) - cut in WHOLE_LENGTHS)
    assert found.place == ("start" if at_the_start else "end") or found.kind == "token"

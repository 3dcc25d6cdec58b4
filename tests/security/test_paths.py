"""Public paths, in the forms that ASGI and WSGI servers pass."""

from urllib.parse import quote, unquote, unquote_to_bytes

import pytest

from m2mguard import ConfigurationError
from m2mguard.paths import WEBSOCKET, PublicPaths

PUBLIC = PublicPaths(["/healthz", "/docs/", "/v1/status.json"])


def asgi(sent, *, root_path="", public=PUBLIC, method=None):
    """Match as under uvicorn: the path decoded once, and the path as sent."""
    raw = sent.partition("?")[0]
    return public.match(unquote(raw), root_path=root_path, raw_path=raw.encode(), method=method)


def wsgi(sent, *, script_name="", public=PUBLIC):
    """Match as in the WSGI adapter: the decoded bytes; WSGI does not pass the path as sent."""
    path_info = unquote_to_bytes(sent.partition("?")[0])
    return public.match(script_name.encode() + path_info, root_path=script_name)


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/docs/index.html",
        "/docs/a/b/",
        "/v1/status.json",
        "/docs/a-b_c~d.e",
        "/docs/x@1:2,3=4",
        "/docs/..a",
        "/docs/.well-known/x",
        "/healthz?x=1",
        "/docs/mein%20bericht.pdf",
        "/docs/a%20b/c%20%20d/",
        "/docs/gr%C3%B6%C3%9Fe.txt",
        "/docs/gr%c3%b6%c3%9fe.txt",
        "/docs/gro%CC%88%C3%9Fe.txt",  # the same name in the form that macOS uses
        "/docs/%D0%BE%D1%82%D1%87%D1%91%D1%82",
        "/docs/%E6%97%A5%E6%9C%AC%E8%AA%9E%EF%BC%881%EF%BC%89.pdf",
        "/docs/%F0%9F%8E%89.png",
        "/docs/a%E2%80%93b",  # an en dash
        "/docs/a%E2%80%AFb",  # a narrow space, as in the names of screenshots
        "/docs/a%20%281%29%2C%20b%2Bc%40d.txt",  # encodeURIComponent and urllib's quote encode more than necessary
    ],
)
def test_listed_plain_paths_are_public(path):
    assert asgi(path)
    assert wsgi(path)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "//",
        "/orders",
        "/healthz/",
        "/healthz/x",
        "/healthzx",
        "/Healthz",
        "/HEALTHZ",
        "healthz",
        "//healthz",
        "/docs",
        "/docs/",
        "/docsx",
        "/docs-internal/",
        "/Docs/",
        "/x/docs/",
        "/v1/status.jsonx",
        "/v1/statusXjson",
        "/v1/status",
        "*",
        "http://127.0.0.1/healthz",
        "/orders?path=/healthz",
        "/orders?/../healthz",
        "?/healthz",
        "/orders#/healthz",
    ],
)
def test_every_other_path_is_protected(path):
    assert not asgi(path)
    assert not wsgi(path)


@pytest.mark.parametrize(
    "path",
    [
        "/docs/../orders",
        "/docs/..",
        "/docs/.",
        "/docs/./x",
        "/docs/x/..",
        "/docs/...",
        "/docs/x.",
        "/docs/x/.",
        "/docs//x",
        "/docs//",
        "//docs/x",
        "/docs/\\x",
        "/docs\\..\\orders",
        "/docs/..\\orders",
        "/docs/..;/orders",
        "/docs/;x",
        "/docs/x;jsessionid=1",
        "/docs/x\n",
        "/docs/x\r\n",
        "/healthz\n",
        "/healthz\x00",
        "/docs/x\x00.html",
        "/docs/x\t",
        "/docs/ ",
        "/docs/ x",
        "/docs/x ",
        "/docs/x /y",
        "/docs/ /",
        "/docs/x\x7f",
        "/docs/ä",
        "/docs/\uff0e\uff0e/orders",
        "/docs/\u2215x",
        '/docs/"x"',
        "/docs/<x>",
        "/docs/x|y",
        "/docs/x^y",
        "/docs/x`y",
        "/docs/{x}",
        "/docs/[x]",
        "/docs/*",
    ],
)
def test_a_path_that_other_software_may_read_differently_is_protected(path):
    assert not PUBLIC.match(path)
    assert not PUBLIC.match(path, raw_path=path.encode())


@pytest.mark.parametrize(
    "path",
    [
        "/docs/%2e%2e/orders",
        "/docs/%2E%2E%2Forders",
        "/docs/..%2forders",
        "/docs/%2fx",
        "/docs/%5cx",
        "/docs/%252e%252e/orders",
        "/docs/%00",
        "/docs/%0a",
        "/docs/%3b",
        "/docs/%c0%ae%c0%ae/orders",
        "/docs/%u002e",
        "/healthz%00",
        "/healthz%0d%0a",
        "/healthz%3f",
    ],
)
def test_an_encoded_path_is_protected(path):
    assert not asgi(path)
    assert not wsgi(path)


@pytest.mark.parametrize("path", ["/health%7a", "/%68ealthz", "/docs%2fx", "/docs/%61"])
def test_any_other_percent_encoding_is_protected_if_the_server_shows_it(path):
    assert not asgi(path)
    assert wsgi(path)  # WSGI does not distinguish it from the plain path, and neither does the application's router


@pytest.mark.parametrize(
    "name",
    [
        "\uff0e\uff0e/orders",  # full-width full stops: ".." in NFKC
        "\uff0e",
        "\u2024\u2024/orders",  # one dot leaders
        "\u2025/orders",  # a two dot leader
        "x\u2026",  # an ellipsis, which ends in a dot
        "x\uff0forders",  # a full-width solidus
        "x\u2044y",  # a fraction slash
        "\u00bd",  # one half, with a fraction slash in it
        "x\u2215y",  # a division slash
        "x\u29f8y",  # a big solidus
        "\u2100",  # "a/c" in one character
        "x\uff3cy",  # a full-width backslash
        "x\ufe68y",  # a small one
        "x\u2216y",  # a set minus
        "x\u29f5y",
        "x\u29f9y",
        "x\u00a5y",  # a yen sign, the backslash of Shift JIS
        "x\u20a9y",  # a won sign, that of Korea
        "x\uff052e",  # a full-width percent sign
        "\uff1bx",  # a full-width semicolon
        "\u037ex",  # the Greek question mark, a semicolon in every normal form
        "x\uff1fy",  # a full-width question mark
        "\u00a0",  # spaces, at the start or end
        "\u3000",
        "\u3000x",
        "x\u202f",
        "x\u1680y",  # a space that NFKC does not replace
        "x\u2028y",  # line and paragraph separators
        "x\u2029y",
        "x\u0085y",  # controls of Latin-1
        "x\u009fy",
        ".\u200b.",  # invisible: a zero-width space, joiners, a soft hyphen, direction marks, a byte order mark
        ".\u200d.",
        ".\u00ad.",
        "x\u202ey",
        "\ufeffx",
        "x\ufffdy",  # the replacement of a server for bytes that are no UTF-8
        "x\ue000y",  # private use
        "x\U000e0001y",
        "x\u0378y",  # not assigned
    ],
    ids=ascii,
)
def test_a_path_with_lookalike_or_invisible_characters_is_protected(name):
    for name_or_path in (name, f"a/{name}", f"{name}/a"):
        assert not asgi("/docs/" + quote(name_or_path))
        assert not wsgi("/docs/" + quote(name_or_path))
        assert not PUBLIC.match(f"/docs/{name_or_path}")


@pytest.mark.parametrize("sent", ["%FF", "%C3%28", "%C0%AF", "%E0%80%AF", "%ED%A0%80", "%F5%80%80%80", "%C3", "%F6"])
def test_a_path_that_is_no_utf_8_is_protected(sent):
    for path in (f"/docs/{sent}", f"/docs/x{sent}y", f"/docs/{sent}/x"):
        assert not asgi(path)
        assert not wsgi(path)


def test_non_ascii_text_is_public_only_with_the_bytes_as_sent():
    assert PUBLIC.match("/docs/ö", raw_path=b"/docs/%C3%B6")
    assert PUBLIC.match("/docs/ö".encode())
    assert not PUBLIC.match("/docs/ö")
    assert not PUBLIC.match("/docs/ö".encode().decode("latin-1"))
    assert not PUBLIC.match("/docs/ö", raw_path="/docs/ö".encode())


def test_the_part_of_an_entry_must_be_sent_without_encoding():
    public = PublicPaths(["/a@b", "/c:d/"])
    assert asgi("/a@b", public=public)
    assert asgi("/c:d/e%40f", public=public)
    for sent in ("/a%40b", "/c%3Ad/e", "/%63:d/e"):
        assert not asgi(sent, public=public)


def test_a_query_in_raw_path_is_ignored():
    assert PUBLIC.match("/healthz", raw_path=b"/healthz?x=%2F")
    assert PUBLIC.match("/docs/a", raw_path=b"/docs/a?%2e%2e")
    assert not PUBLIC.match("/orders", raw_path=b"/healthz?x")


def test_a_prefix_covers_the_paths_below_it_but_not_itself():
    """ "/docs/" itself is public only if "/docs" is public too."""
    below, both, only = PublicPaths(["/docs/"]), PublicPaths(["/docs", "/docs/"]), PublicPaths(["/docs"])
    opened = {path: [public.match(path) for public in (below, both, only)] for path in ("/docs", "/docs/", "/docs/a")}
    assert opened == {"/docs": [False, True, True], "/docs/": [False, True, False], "/docs/a": [True, True, False]}
    nested = PublicPaths(["/docs/", "/docs/a/"])
    assert nested.match("/docs/a/")  # below "/docs/", like "/docs/a"
    assert not nested.match("/docs/")


METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "get", WEBSOCKET, None)


@pytest.mark.parametrize(
    ("path", "opened"),
    [
        ("/reports/a", ("GET", "HEAD")),
        ("/reports/", ()),
        ("/hook", ("POST", "PUT")),
        ("/live", (WEBSOCKET,)),
        ("/healthz", METHODS),
        ("/orders", ()),
    ],
)
def test_an_entry_may_name_methods(path, opened):
    public = PublicPaths(["GET /reports/", "POST,PUT /hook", "WEBSOCKET /live", "/healthz"])
    assert tuple(method for method in METHODS if asgi(path, public=public, method=method)) == opened


def test_get_includes_head_but_not_the_reverse():
    assert PublicPaths(["GET /a"]).match("/a", method="HEAD")
    assert not PublicPaths(["HEAD /a"]).match("/a", method="GET")


def test_entries_of_one_path_are_combined():
    public = PublicPaths(["GET /a", "POST /a", "GET /b/", "/b/"])
    assert [public.match("/a", method=method) for method in ("GET", "POST", "PUT")] == [True, True, False]
    assert public.match("/b/c", method="DELETE")
    both = PublicPaths(["GET /docs", "GET,POST /docs/"])
    assert [both.match("/docs/", method=method) for method in ("GET", "POST")] == [True, False]


def test_paths_of_a_mounted_application_are_relative_to_its_root():
    assert asgi("/api/healthz", root_path="/api")
    assert wsgi("/healthz", script_name="/api")
    assert not asgi("/api/orders", root_path="/api")
    assert not asgi("/apihealthz", root_path="/api")
    assert not asgi("/api2/healthz", root_path="/api")
    assert not asgi("/xyz/healthz", root_path="/api")
    assert not asgi("/api", root_path="/api")
    assert not asgi("/api/", root_path="/api")
    assert not asgi("/api//healthz", root_path="/api")
    assert not asgi("/docs/x", root_path="/docs")
    assert asgi("/docs/docs/x", root_path="/docs")
    assert not wsgi("/x", script_name="/docs")
    assert asgi("/a/b/healthz", root_path="/a/b")
    assert not asgi("/a/healthz", root_path="/a/b")


def test_a_path_without_the_root_is_read_as_starlette_reads_it():
    assert asgi("/healthz", root_path="/api")
    assert not asgi("/orders", root_path="/api")


def test_without_entries_no_path_is_public():
    nothing = PublicPaths([])
    assert not nothing
    assert PublicPaths(["/healthz"])
    assert PublicPaths(["/docs/"])
    assert not any(nothing.match(path) for path in ("", "/", "/healthz", "//"))


@pytest.mark.parametrize(
    "entries",
    [
        "/healthz",
        b"/healthz",
        None,
        7,
        {"/healthz": True},
        ["/"],
        [""],
        ["healthz"],
        [None],
        [b"/healthz"],
        ["//"],
        ["/docs//"],
        ["/docs/../x"],
        ["/./x"],
        ["/docs/.."],
        ["/*"],
        ["/docs/*"],
        ["/docs/**"],
        ["*"],
        ["/docs/.*"],
        ["/docs/.+"],
        ["/docs/x$"],
        ["^/docs"],
        ["/(docs|healthz)"],
        ["/users/{id}"],
        ["/users/<id>"],
        ["/docs?x=1"],
        ["/docs#x"],
        ["/docs%2f"],
        ["/docs x"],
        ["/docs\n"],
        ["/docs\\x"],
        ["/docs;x"],
        ["/dócs"],
        ["/docs/größe"],
        ["get /docs"],
        ["GET  /docs"],
        ["GET/docs"],
        ["GET, HEAD /docs"],
        ["GET HEAD /docs"],
        [",GET /docs"],
        [" /docs"],
        ["GET"],
        ["GET "],
        ["GET /"],
        ["GET docs"],
        ["* /docs"],
        ["/docs GET"],
        ["https://shopping.api/healthz"],
        ["/healthz", "/"],
    ],
    ids=repr,
)
def test_invalid_entries_are_rejected(entries):
    with pytest.raises(ConfigurationError, match="public"):
        PublicPaths(entries)


@pytest.mark.parametrize(
    "entries",
    [[], (), {"/healthz"}, ["/healthz", "/healthz"], ["/.well-known/oauth-protected-resource"], ["/a@b:c,d=e!f'g&h~i"]],
    ids=repr,
)
def test_valid_entries_are_accepted(entries):
    public = PublicPaths(entries)
    assert all(public.match(entry) for entry in entries)


@pytest.mark.parametrize("entry", ["GET /docs", "GET,POST,M-SEARCH /docs", "WEBSOCKET,GET /docs"])
def test_methods_must_be_in_capitals_without_spaces(entry):
    assert PublicPaths([entry]).match("/docs", method="GET")


def test_a_long_path_is_matched_in_linear_time():
    path = "/docs/" + "a/" * 100_000 + "\n"
    assert not PUBLIC.match(path)
    assert not PUBLIC.match("/docs/" + "." * 200_000)
    assert not PUBLIC.match("/docs/" + "a." * 100_000)
    assert not PUBLIC.match(("/docs/" + "\u0301\u0323" * 100_000).encode())  # marks that normalization has to sort
    assert not asgi("/docs/" + "%20" * 100_000)

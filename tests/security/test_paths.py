"""Which paths need no token, in the forms in which ASGI and WSGI servers give them."""

import pytest

from m2mguard import ConfigurationError
from m2mguard.paths import PublicPaths

PUBLIC = PublicPaths(["/healthz", "/docs/", "/v1/status.json"])


def asgi(sent, *, root_path="", public=PUBLIC):
    """As uvicorn does: the path decoded once, and the path as it was sent beside it."""
    from urllib.parse import unquote

    raw = sent.partition("?")[0]
    return public.match(unquote(raw), root_path=root_path, raw_path=raw.encode())


def wsgi(sent, *, script_name="", public=PUBLIC):
    """As WSGI servers do: decoded to bytes that are shown as Latin-1; how it was sent is not told."""
    from urllib.parse import unquote_to_bytes

    path_info = unquote_to_bytes(sent.partition("?")[0]).decode("latin-1")
    return public.match(script_name + path_info, root_path=script_name)


@pytest.mark.parametrize(
    "path",
    [
        "/healthz",
        "/docs/",
        "/docs/index.html",
        "/docs/a/b/",
        "/v1/status.json",
        "/docs/a-b_c~d.e",
        "/docs/x@1:2,3=4",
        "/healthz?x=1",
    ],
)
def test_plain_paths_that_are_named_are_public(path):
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
        "/docs/x y",
        "/docs/x ",
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
def test_what_a_router_a_proxy_or_a_file_system_may_read_differently_is_protected(path):
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
def test_even_a_harmless_encoding_is_protected_where_the_server_tells_of_it(path):
    assert not asgi(path)
    assert wsgi(path)  # here nobody can tell it from the plain spelling, the application's own router included


def test_a_mounted_application_names_paths_below_its_root():
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


def test_a_server_that_leaves_the_root_out_of_the_path_is_understood_as_starlette_does():
    assert asgi("/healthz", root_path="/api")
    assert not asgi("/orders", root_path="/api")


def test_without_entries_nothing_is_public():
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
        ["https://shopping.api/healthz"],
        ["/healthz", "/"],
    ],
    ids=repr,
)
def test_entries_that_open_everything_or_nothing_are_refused(entries):
    with pytest.raises(ConfigurationError, match="public"):
        PublicPaths(entries)


@pytest.mark.parametrize(
    "entries",
    [[], (), {"/healthz"}, ["/healthz", "/healthz"], ["/.well-known/oauth-protected-resource"], ["/a@b:c,d=e!f'g&h~i"]],
    ids=repr,
)
def test_the_nearest_entries_are_accepted(entries):
    public = PublicPaths(entries)
    assert all(public.match(entry) for entry in entries)


def test_a_long_path_costs_no_more_than_its_length():
    path = "/docs/" + "a/" * 100_000 + "\n"
    assert not PUBLIC.match(path)
    assert not PUBLIC.match("/docs/" + "." * 200_000)
    assert not PUBLIC.match("/docs/" + "a." * 100_000)

"""What a tool asks for is answered as HTTP 403, and nothing but the body says which tool is called."""

import json
from collections.abc import Collection, Mapping
from typing import Any

import pytest
import urllib3
from fastmcp import FastMCP, FastMCPApp
from fastmcp.server import create_proxy
from fastmcp.server.providers.addressing import hashed_backend_name

from m2mguard import ConfigurationError, Requirement, ResourceServer
from m2mguard.fastmcp import M2MAuth
from m2mguard.mcp import current_caller, protect
from m2mguard.testing import LocalIssuer
from tests.mcp.conftest import API, SCOPES, TOOLS, Service

BOTH = ("read:orders", "delete:orders")
METADATA = 'resource_metadata="https://orders.api/.well-known/oauth-protected-resource/mcp"'


async def application(scope, receive, send):
    """Accepts a WebSocket."""
    await send({"type": "websocket.accept"})


def result_of(answer):
    assert answer.status == 200, answer.data
    result = answer.json()["result"]
    assert not result.get("isError"), result
    return result["structuredContent"]


def challenge_of(answer):
    return answer.status, answer.headers.get("www-authenticate", "")


def test_a_tool_sees_who_calls_and_never_the_token(connect):
    service = connect("app-a", "read:orders").open()
    seen = result_of(service.call("read_order"))
    shown = seen.pop("shown")
    assert seen == {"caller": "app-a", "scopes": SCOPES, "client": "app-a", "granted": SCOPES}
    assert service.token not in shown
    assert service.token.rpartition(".")[2] not in shown


def test_a_tool_on_a_thread_sees_the_same(connect):
    service = connect("app-a", "read:orders", tools={}).open()
    assert result_of(service.call("count_orders"))["caller"] == "app-a"


def test_a_tool_without_its_scope_is_403_and_with_it_runs(connect):
    service = connect("app-a", "read:orders").open()
    status, challenge = challenge_of(service.call("delete_order"))
    assert status == 403
    assert 'error="insufficient_scope"' in challenge
    assert 'scope="read:orders delete:orders"' in challenge
    assert challenge.endswith(METADATA)
    service.token = connect("app-a", *BOTH).token  # the same session, with the token it stepped up to
    assert result_of(service.call("delete_order"))["granted"] == sorted(BOTH)
    assert result_of(service.call("read_order"))["scopes"] == sorted(BOTH)


def test_without_a_token_the_challenge_names_scopes_and_metadata(connect):
    service = connect(None)
    assert challenge_of(service.call("read_order")) == (401, f'Bearer realm="api", scope="read:orders", {METADATA}')
    document = urllib3.request("GET", service.url + "/.well-known/oauth-protected-resource/mcp").json()
    assert document["resource"] == API
    status, challenge = challenge_of(connect("app-a").call("read_order"))
    assert (status, 'scope="read:orders"' in challenge) == (403, True)


@pytest.mark.parametrize(
    "fields",
    [{"Mcp-Method": "tools/list"}, {"Mcp-Name": "read_order"}, {"Mcp-Method": "tools/call", "Mcp-Name": "read_order"}],
)
def test_no_header_says_which_tool_is_called(connect, fields):
    service = connect("app-a", "read:orders").open()
    assert service.call("delete_order", **fields).status == 403
    lying = {"Mcp-Method": "tools/call", "Mcp-Name": "delete_order"}
    assert service.call("read_order", **lying).status in (200, 400)  # a server may refuse what contradicts itself


def test_the_newest_era_is_checked_alike(connect):
    service = connect("app-a", "read:orders")
    fields = {"Mcp-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "read_order"}
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {},
    }

    def call(tool):
        return service.send(service.message("tools/call", name=tool, arguments={}, _meta=meta), **fields)

    assert result_of(call("read_order"))["caller"] == "app-a"
    assert call("delete_order").status == 403
    service.token = connect("app-a", *BOTH).token
    fields["Mcp-Name"] = "delete_order"
    assert result_of(call("delete_order"))["caller"] == "app-a"


def test_every_call_of_a_batch_is_checked(connect):
    service = connect("app-a", "read:orders").open()
    read, delete = service.call_of("read_order"), service.call_of("delete_order")
    for batch in ([read, delete], [delete], [7, None, delete]):
        assert service.send(batch).status == 403
    assert service.send([read]).status != 403  # whether batches exist is the server's affair


@pytest.mark.parametrize(
    "body",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call","params":{"name":"delete_order","arguments":{}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_order","name":"delete_order","arguments":{}}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_order"},"params":{"name":"delete_order"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":["delete_order"]}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["delete_order"]}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_order"}}'.encode("utf-16"),
        b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_order"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_order"}} {}',
        b"[" * 100_000,
        b"",
    ],
    ids=[
        "method twice", "name twice", "params twice", "a list of names", "params in a list", "no name", "UTF-16", "BOM",
        "two", "deep", "empty",
    ],
)  # fmt: skip
def test_what_two_readers_could_understand_differently_is_400(connect, body):
    service = connect("app-a", "read:orders").open()
    answer = service.send(body)
    assert (answer.status, answer.json()["error"]["code"]) == (400, -32700)


CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_order"}}'


async def status_of(server, issuer, body, *fields):
    """The status of a body at an application that reads JSON whatever its content type says, as another MCP server may."""
    answered = []

    async def reading(scope, receive, send):
        answered.append(200)

    async def receive():
        return {"type": "http.request", "body": body}

    async def send(message):
        answered.append(message.get("status"))

    token = issuer.mint("app-a", audience=API)
    headers = [(b"authorization", f"Bearer {token}".encode()), *fields]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": headers}
    await protect(reading, server, tools=TOOLS)(scope, receive, send)
    return answered[0]


@pytest.mark.parametrize("content_type", [b"text/plain", b"application/x-www-form-urlencoded", None])
async def test_what_a_reader_may_take_for_json_is_json_whatever_its_type(server, issuer, content_type):
    fields = [] if content_type is None else [(b"content-type", content_type)]
    for encoding in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        assert await status_of(server, issuer, CALL.encode(encoding), *fields) == 400
    for body in (CALL.replace("{", '{"method":"ping",', 1), CALL.replace('"delete_order"', "[]"), "[" * 100_000):
        assert await status_of(server, issuer, body.encode(), *fields) == 400
    assert await status_of(server, issuer, CALL.encode(), *fields) == 403
    for body in (b"name=delete_order&method=tools/call", b"", b"\xff\xfe{", CALL.replace("delete", "read").encode()):
        assert await status_of(server, issuer, body, *fields) == 200


async def test_a_declared_length_of_any_size_is_compared(server, issuer):
    body = CALL.replace("delete", "read").encode()
    for digits, status in ((b"9" * 5_000, 413), (b"4194305", 413), (b"0" * 5_000 + b"7", 200), (b"-1", 200)):
        assert await status_of(server, issuer, body, (b"content-length", digits)) == status


def test_an_escaped_name_is_the_same_name(connect):
    service = connect("app-a", "read:orders").open()
    escaped = json.dumps(service.call_of("delete_order")).replace("delete_order", "\\u0064elete_order")
    assert service.send(escaped.encode()).status == 403


def test_a_body_over_the_limit_is_413_and_one_at_the_limit_passes(connect):
    service = connect("app-a", "read:orders", max_body=2_000).open()
    call = json.dumps(service.call_of("read_order")).encode()
    assert result_of(service.send(call.ljust(2_000)))["caller"] == "app-a"
    assert service.send(call.ljust(2_001)).status == 413
    headers = {"Authorization": f"Bearer {service.token}", "Content-Type": "application/json"}
    with urllib3.PoolManager(retries=False, timeout=20) as pool:
        chunks = pool.request(
            "POST", f"{service.url}/mcp", body=iter([call, b" " * 2_000]), headers=headers, chunked=True
        )
    assert chunks.status == 413


def test_a_form_for_a_route_of_the_applications_own_passes(connect):
    service = connect("app-a", "read:orders")
    headers = {"Authorization": f"Bearer {service.token}", "Content-Type": "application/x-www-form-urlencoded"}
    answer = urllib3.request("POST", f"{service.url}/form", body=b"a=1\xff", headers=headers, timeout=20)
    assert (answer.status, answer.json()) == (200, {"received": "a=1\N{REPLACEMENT CHARACTER}"})
    del headers["Authorization"]
    assert urllib3.request("POST", f"{service.url}/form", body=b"a=1", headers=headers, timeout=20).status == 401


def test_two_authorization_fields_are_400(connect):
    service = connect("app-a", *BOTH)
    headers = urllib3.HTTPHeaderDict({"Content-Type": "application/json"})
    for _ in range(2):
        headers.add("Authorization", f"Bearer {service.token}")
    answer = urllib3.request("POST", f"{service.url}/mcp", body=b"{}", headers=headers, retries=False, timeout=20)
    assert answer.status == 400


def test_another_application_never_uses_a_session(connect, stack):
    first, second = connect("app-a", "read:orders").open(), connect("app-b", "read:orders").open()
    assert result_of(second.call("read_order"))["caller"] == "app-b"
    second.session = first.session
    answer = second.call("read_order")
    if "with sessions" in stack:
        assert answer.status == 404
    else:  # nothing is kept between two requests
        assert result_of(answer)["caller"] == "app-b"
    assert result_of(first.call("read_order"))["caller"] == "app-a"


def test_an_application_that_may_not_call_learns_no_scopes(connect):
    allowed = Requirement(scopes=SCOPES, app_ids=["app-a"])
    status, challenge = challenge_of(connect("app-b", *BOTH, requires=allowed, scopes=()).call("read_order"))
    assert (status, "scope=" in challenge) == (403, False)
    accepted = connect("app-a", *BOTH, requires=allowed, scopes=()).open()
    assert result_of(accepted.call("delete_order"))["caller"] == "app-a"


def test_a_person_learns_no_scopes(connect, issuer):
    service = connect("app-a", "read:orders")
    service.token = issuer.mint("app-a", audience=API, scopes=SCOPES, claims={"sub": "user-1"})
    status, challenge = challenge_of(service.call("read_order"))
    assert (status, "scope=" in challenge) == (403, False)


def test_an_outage_is_503_and_never_401(connect, issuer):
    with LocalIssuer() as other:
        server = ResourceServer([other.trusted, issuer.trusted], audience=API)
        token = other.mint("app-a", audience=API, scopes=SCOPES)
        other.outage()
        service = connect("app-a", "read:orders", server=server)
        assert result_of(service.open().call("read_order"))["caller"] == "app-a"
        service.token, service.session = token, {}
        answer = service.call("read_order")
    assert (answer.status, "retry-after" in answer.headers, "www-authenticate" in answer.headers) == (503, True, False)


def test_on_a_public_path_a_tool_with_scopes_still_needs_a_token(connect, stack):
    nobody = connect(None, public=["/mcp"], scopes=())
    listing = nobody.message(
        "initialize", protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "t", "version": "1"}
    )
    if stack.startswith("SDK"):
        assert nobody.send(listing).status == 200
    else:
        assert nobody.send(listing).status == 401  # FastMCP's own rule: it wants a user at its endpoint
    assert challenge_of(nobody.call("delete_order")) == (401, f'Bearer realm="api", scope="delete:orders", {METADATA}')
    nobody.token = connect("app-a").token
    assert nobody.call("delete_order").status == 403


def test_a_star_stands_for_every_tool_that_is_not_named(connect):
    tools = {"read_order": [], "*": ["delete:orders"]}
    service = connect("app-a", "read:orders", tools=tools).open()
    assert result_of(service.call("read_order"))["caller"] == "app-a"
    assert service.call("delete_order").status == service.call("no_such_tool").status == 403


@pytest.fixture
def proxied(serve, server, issuer):
    """Two tools of an app at another server, behind a proxy that protects them: `proxied("read:orders", tools={...})`."""
    app = FastMCPApp("shop")
    app.tool(name="read_order")(lambda: "read")
    app.tool(name="delete_order")(lambda: "deleted")
    other: FastMCP[Any] = FastMCP("other")
    other.add_provider(app)

    def connected(*scopes: str, tools: Mapping[str, Collection[str]]) -> Service:
        front = create_proxy(other, auth=M2MAuth(server, tools=tools))
        url = serve(front.http_app(stateless_http=True, json_response=True))
        return Service(url=url, token=issuer.mint("app-a", audience=API, scopes=list(scopes)))

    return connected


def text_of(answer):
    assert answer.status == 200, answer.data
    return answer.json()["result"]["content"][0]["text"]


def test_fastmcps_address_of_a_tool_opens_no_way_around(proxied):
    tools = {"read_order": ["read:orders"], "delete_order": ["delete:orders"]}
    address = hashed_backend_name("shop", "delete_order")
    reading = proxied("read:orders", tools=tools).open()
    assert text_of(reading.call("read_order")) == "read"
    for name in (address, address.replace("delete", "read"), address.replace("delete_order", "x")):
        assert reading.call(name).status == 403
    assert text_of(proxied(*BOTH, tools=tools).open().call(address)) == "deleted"


def test_an_address_that_is_named_has_its_own_scopes(proxied):
    address = hashed_backend_name("shop", "read_order")
    tools = {address: ["read:orders"], "read_order": ["read:orders"], "delete_order": ["delete:orders"]}
    service = proxied("read:orders", tools=tools).open()
    assert text_of(service.call(address)) == "read"
    assert service.call(address.replace("read_order", "other")).status == 403


async def test_fastmcp_verifies_a_token_alone(server, issuer):
    auth = M2MAuth(server, SCOPES, TOOLS)
    token = issuer.mint("app-a", audience=API, scopes=SCOPES)
    verified = await auth.verify_token(token)
    assert (verified.client_id, verified.scopes, verified.claims["iss"]) == ("app-a", SCOPES, issuer.url)
    assert await auth.verify_token(token[:-8]) is None
    assert await auth.verify_token(issuer.mint("app-a", audience=API)) is None


async def test_fastmcp_is_told_when_keys_are_not_available():
    with LocalIssuer() as issuer:
        server = ResourceServer(issuer.trusted, audience=API)
        token = issuer.mint("app-a", audience=API)
        issuer.outage()
        with pytest.raises(RuntimeError, match="cannot be checked"):
            await M2MAuth(server).verify_token(token)


async def test_a_websocket_is_closed_where_tools_need_scopes(server, issuer):
    sent = []

    async def send(message):
        sent.append(message["type"])

    headers = [(b"authorization", f"Bearer {issuer.mint('app-a', audience=API)}".encode())]
    scope = {"type": "websocket", "path": "/ws", "headers": headers}
    await protect(application, server)(scope, None, send)
    await protect(application, server, tools=TOOLS)(scope, None, send)
    assert sent == ["websocket.accept", "websocket.close"]


async def test_a_client_that_goes_away_calls_nothing(server, issuer):
    sent = []

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    token = issuer.mint("app-a", audience=API)
    headers = [(b"authorization", f"Bearer {token}".encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": headers}
    await protect(application, server, tools=TOOLS)(scope, receive, send)
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 400


async def test_the_application_reads_the_body_once_and_then_what_follows(server, issuer):
    received, sent = [], []
    messages = [
        {"type": "http.request", "body": b'{"method":', "more_body": True},
        {"type": "http.request", "body": b' "ping"}'},
    ]
    messages.append({"type": "http.disconnect"})

    async def reading(scope, receive, send):
        received.extend([await receive(), await receive()])

    async def receive():
        return messages.pop(0)

    headers = [(b"authorization", f"Bearer {issuer.mint('app-a', audience=API)}".encode())]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": headers}
    await protect(reading, server, tools=TOOLS)(scope, receive, sent.append)
    whole = {"type": "http.request", "body": b'{"method": "ping"}', "more_body": False}
    assert received == [whole, {"type": "http.disconnect"}]


def test_without_a_request_there_is_no_caller():
    with pytest.raises(RuntimeError, match="no Caller"):
        current_caller()


@pytest.mark.parametrize(
    "invalid",
    [
        {"tools": ["delete_order"]}, {"tools": {"delete_order": "delete:orders"}}, {"scopes": "read:orders"},
        {"max_body": 0}, {"max_body": True}, {"scopes": SCOPES, "requires": Requirement()}, {"requires": "read:orders"},
        {"public": "/healthz"}, {"preflight": "open"}, {"on_error": 7},
    ],
)  # fmt: skip
@pytest.mark.parametrize("build", [lambda server, **given: protect(application, server, **given), M2MAuth])
def test_an_invalid_argument_is_found_at_once(build, invalid, server):
    with pytest.raises(ConfigurationError):
        build(server, **invalid)
    with pytest.raises(ConfigurationError):
        build(None)


def test_on_error_answers_in_our_place(connect, server):
    def other(error, scope):
        return server.answer(error, scopes=["ask:here"]) if error.status == 403 else None

    service = connect("app-a", "read:orders", on_error=other).open()
    assert 'scope="read:orders delete:orders"' in challenge_of(service.call("delete_order"))[1]
    assert 'scope="read:orders"' in challenge_of(Service(url=service.url, token="x").call("read_order"))[1]


def test_a_server_without_metadata_protects_alike(issuer):
    server = ResourceServer(issuer.trusted, audience=API)
    assert protect(application, server, SCOPES, TOOLS)

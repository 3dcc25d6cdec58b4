"""The metadata document, its URL, and the challenge that names it: RFC 9728 sections 2, 3 and 5.1."""

import json

import pytest

from m2mguard import ConfigurationError, MissingToken, ResourceServer
from m2mguard._server.resource_metadata import ResourceMetadata

ISSUER = "https://tenant.logto.app/oidc"
API = "https://shopping.api"


def server(**settings) -> ResourceServer:
    return ResourceServer(ISSUER, audience=API, **settings)


def document(server: ResourceServer) -> object:
    assert server.resource_metadata is not None
    return json.loads(server.resource_metadata.answer.body)


def challenge(server: ResourceServer) -> str:
    return server.answer(MissingToken("missing", "no token")).headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("resource_url", "url"),
    [
        ("https://shopping.api", "https://shopping.api/.well-known/oauth-protected-resource"),
        ("https://shopping.api/", "https://shopping.api/.well-known/oauth-protected-resource"),
        ("https://shopping.api:8443", "https://shopping.api:8443/.well-known/oauth-protected-resource"),
        ("https://shopping.api/v1/orders", "https://shopping.api/.well-known/oauth-protected-resource/v1/orders"),
        ("https://shopping.api/v1/", "https://shopping.api/.well-known/oauth-protected-resource/v1/"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/.well-known/oauth-protected-resource/v1"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/.well-known/oauth-protected-resource/v1"),
    ],
)
def test_the_well_known_path_is_inserted_between_host_and_path(resource_url, url):
    protected = server(resource_url=resource_url)
    assert protected.resource_metadata.url == url
    assert url.endswith(protected.resource_metadata.path)
    assert document(protected)["resource"] == resource_url


def test_the_document_lists_issuers_in_order_and_omits_empty_lists():
    assert document(server(resource_url=API)) == {
        "resource": API,
        "authorization_servers": [ISSUER],
        "bearer_methods_supported": ["header"],
    }
    issuers = ["https://b.example", "https://a.example"]
    both = ResourceServer(issuers, audience=API, resource_url=API, scopes_supported=["write:orders", "read:orders"])
    assert document(both) == {
        "resource": API,
        "authorization_servers": issuers,
        "scopes_supported": ["write:orders", "read:orders"],
        "bearer_methods_supported": ["header"],
    }


def test_the_answer_is_json_of_the_right_length():
    answer = server(resource_url=API).resource_metadata.answer
    assert answer.status == 200
    assert answer.headers == {"Content-Type": "application/json", "Content-Length": str(len(answer.body))}
    assert json.loads(answer.body) == answer.detail


def test_the_challenge_names_the_document_automatically():
    parameter = f'resource_metadata="{API}/.well-known/oauth-protected-resource"'
    assert challenge(server(resource_url=API)) == f'Bearer realm="api", {parameter}'
    assert challenge(server()) == 'Bearer realm="api"'
    other = "https://other.example/metadata.json"
    assert challenge(server(resource_metadata_url=other)) == f'Bearer realm="api", resource_metadata="{other}"'


def test_without_a_resource_url_there_is_no_metadata():
    assert server().resource_metadata is None


def test_resource_metadata_can_be_set_in_the_environment():
    environ = {
        "M2MGUARD_ISSUER": ISSUER,
        "M2MGUARD_AUDIENCE": API,
        "M2MGUARD_RESOURCE_URL": API,
        "M2MGUARD_SCOPES_SUPPORTED": "read:orders, write:orders",
    }
    assert document(ResourceServer.from_env(environ))["scopes_supported"] == ["read:orders", "write:orders"]


@pytest.mark.parametrize(
    "settings",
    [
        {"resource_url": "http://shopping.api"},
        {"resource_url": "shopping.api"},
        {"resource_url": ""},
        {"resource_url": "https://shopping.api#a"},
        {"resource_url": "https://shopping.api?a=b"},
        {"resource_url": "https://shopping.api/../v1"},
        {"resource_url": "https://shopping.api/a%20b"},
        {"resource_url": 'https://shopping.api/"'},
        {"resource_url": API, "scopes_supported": "read:orders"},
        {"resource_url": API, "scopes_supported": ["read orders"]},
        {"resource_url": API, "scopes_supported": [""]},
        {"scopes_supported": ["read:orders"]},
        {"resource_url": API, "resource_metadata_url": "https://shopping.api/metadata.json"},
    ],
    ids=str,
)
def test_invalid_metadata_settings_are_rejected(settings):
    with pytest.raises(ConfigurationError, match=next(iter(reversed(settings)))):
        server(**settings)


PATH = "/.well-known/oauth-protected-resource/v1"


@pytest.mark.parametrize(
    ("is_served", "request_of"),
    [
        (True, {"method": "GET", "path": PATH}),
        (True, {"method": "HEAD", "path": PATH}),
        (True, {"method": "GET", "path": f"/shop{PATH}", "root_path": "/shop"}),
        (True, {"method": "GET", "path": PATH, "raw_path": PATH.encode()}),
        (False, {"method": "POST", "path": PATH}),
        (False, {"method": "OPTIONS", "path": PATH}),
        (False, {"method": "get", "path": PATH}),
        (False, {"method": "", "path": PATH}),
        (False, {"method": "GET", "path": f"{PATH}/"}),
        (False, {"method": "GET", "path": f"{PATH}/a"}),
        (False, {"method": "GET", "path": f"/{PATH}"}),
        (False, {"method": "GET", "path": "/.well-known/oauth-protected-resource"}),
        (False, {"method": "GET", "path": PATH.upper()}),
        (False, {"method": "GET", "path": f"/shop{PATH}"}),
        (False, {"method": "GET", "path": PATH, "raw_path": b"/.well-known/oauth-protected-resource/%761"}),
    ],
    ids=str,
)
def test_the_document_is_served_only_to_get_and_head_of_its_path(is_served, request_of):
    metadata = ResourceMetadata(resource_url="https://shopping.api/v1", authorization_servers=[ISSUER])
    assert metadata.is_asked_for(**request_of) == is_served

"""Guarantees of every HTTP plug-in: httpx2 (sync and async), requests, aiohttp."""

import contextlib

import aiohttp
import httpx2
import pytest
import requests

from m2mguard import ConfigurationError
from m2mguard.client import TokenRequestRefused

BODY = b'{"order": 7}'


def test_every_request_carries_a_token_that_is_fetched_once(send, api, source, issuer):
    assert send("POST", "/orders", body=BODY) == (200, BODY)
    assert send("GET", "/orders/7?details=yes") == (200, b"")
    assert [request.authorization for request in api.received] == [source.token().authorization] * 2
    assert issuer.count("token") == 1


def test_the_token_replaces_an_authorization_field_of_the_caller(send, api, source):
    send("GET", "/orders", headers={"Authorization": "Bearer of.the.caller"})
    assert [request.authorization for request in api.received] == [source.token().authorization]


def test_a_request_to_another_origin_gets_and_fetches_no_token(
    plugin, source, api, url, other_api, other_api_url, issuer
):
    assert plugin(source, url, "GET", f"{other_api_url}/orders")[0] == 200
    same_address_other_name = url.replace("127.0.0.1", "localhost")
    plugin(source, url, "GET", f"{same_address_other_name}/orders")
    assert [request.authorization for request in (*other_api.received, *api.received)] == [None, None]
    assert issuer.count("token") == 0


@pytest.mark.parametrize(
    "trick",
    ["{api}@{other}", "{api}%40{other}", "{api}\\@{other}", "{api}#@{other}", "{other}#@{api}", "{other}?@{api}"],
)
def test_a_url_that_resembles_that_of_the_api_gets_no_token(plugin, source, api, url, other_api, other_api_url, trick):
    names = {"api": url.removeprefix("http://"), "other": other_api_url.removeprefix("http://")}
    with contextlib.suppress(
        ValueError, httpx2.HTTPError, httpx2.InvalidURL, requests.RequestException, aiohttp.ClientError
    ):
        plugin(source, url, "GET", f"http://{trick.format(**names)}/orders")
    assert source.token().authorization not in [request.authorization for request in other_api.received]
    assert None not in [request.authorization for request in api.received]


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_to_another_origin_carries_no_token(send, api, other_api, other_api_url, source, status):
    api.redirects["/moved"] = (status, f"{other_api_url}/orders")
    assert send("GET", "/moved")[0] == 200
    assert [request.authorization for request in api.received] == [source.token().authorization]
    assert [request.authorization for request in other_api.received] == [None]


def test_a_redirect_within_the_origin_carries_the_token(send, api, source):
    api.redirects["/moved"] = (307, "/orders")
    assert send("POST", "/moved", body=BODY) == (200, BODY)
    assert [(request.path, request.authorization) for request in api.received] == [
        ("/moved", source.token().authorization),
        ("/orders", source.token().authorization),
    ]


def test_a_401_of_another_origin_replaces_nothing(send, api, other_api, other_api_url, source, clock, issuer):
    other_api.rejects_everything = True
    api.redirects["/moved"] = (302, f"{other_api_url}/orders")
    source.token()
    clock.advance(31)
    assert send("GET", "/moved")[0] == 401
    assert len(other_api.received) == 1
    assert issuer.count("token") == 1


def test_other_refusals_are_returned_and_replace_nothing(send, api, source, clock, issuer):
    source.token()
    clock.advance(31)
    api.redirects["/orders"] = (403, "/")
    assert send("GET", "/orders")[0] == 403
    assert (len(api.received), issuer.count("token")) == (1, 1)


def test_no_request_is_sent_without_a_token(plugin, make_source, api, url):
    with pytest.raises(TokenRequestRefused, match="the secret is wrong"):
        plugin(make_source(app_secret="wrong"), url, "GET", f"{url}/orders")
    assert api.received == []


@pytest.mark.parametrize("api_url", ["http://shopping.example", "shopping.example", "https://shopping.example?a=b", ""])
def test_the_api_url_must_be_https_or_loopback(plugin, source, api_url):
    with pytest.raises(ConfigurationError, match="api_url"):
        plugin(source, api_url, "GET", "http://127.0.0.1:1/")

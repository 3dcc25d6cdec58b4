"""Recognition of CORS preflights, and of requests that may run as another method."""

import pytest

from m2mguard.exemptions import is_preflight, may_run_as_another_method

PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "DELETE"}


def is_exempt(method="OPTIONS", query="", **fields):
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return is_preflight(method, (PREFLIGHT | named).items(), query)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"Access_Control_Request_Headers": "authorization, x-http-method-override"},
        {"Access_Control_Request_Private_Network": "true"},
        {"Content_Length": "0"},
        {"Host": "api.example", "Referer": "https://shop.example/", "Sec_Fetch_Mode": "cors", "User_Agent": "Mozilla/5.0"},
        {"X_Forwarded_For": "10.0.0.1", "X_Forwarded_Proto": "https", "Via": "1.1 proxy", "traceparent": "00-0"},
        {"X_HTTP_Method_Override": "", "Authorization": "", "Cookie": ""},
    ],
    ids=str,
)  # fmt: skip
def test_fields_of_browsers_and_proxies_are_part_of_a_preflight(fields):
    assert is_exempt(**fields)


@pytest.mark.parametrize("query", ["", "page=1", "payment_method=card", "_methodology=x", "q=a_method"])
def test_a_preflight_may_have_a_query(query):
    assert is_exempt(query=query)


def test_field_names_of_a_wsgi_environ_are_recognized():
    fields = {"ORIGIN": "https://shop.example", "ACCESS_CONTROL_REQUEST_METHOD": "GET"}
    assert is_preflight("OPTIONS", fields.items(), "")
    assert not is_preflight("OPTIONS", (fields | {"X_HTTP_METHOD_OVERRIDE": "DELETE"}).items(), "")


@pytest.mark.parametrize("method", ["GET", "POST", "options", "Options", "OPTIONS ", "", "WEBSOCKET"])
def test_another_method_is_no_preflight(method):
    assert not is_exempt(method)


@pytest.mark.parametrize("missing", list(PREFLIGHT))
def test_a_request_without_origin_or_requested_method_is_no_preflight(missing):
    assert not is_preflight("OPTIONS", [field for field in PREFLIGHT.items() if field[0] != missing], "")
    assert not is_preflight("OPTIONS", (PREFLIGHT | {missing: ""}).items(), "")


@pytest.mark.parametrize(
    "fields",
    [
        {"Authorization": "Bearer x"},
        {"authorization": "Basic eDp5"},
        {"Proxy_Authorization": "Basic eDp5"},
        {"Cookie": "session=1"},
        {"Content_Length": "7"},
        {"Content_Length": "00"},
        {"Transfer_Encoding": "chunked"},
    ],
    ids=str,
)
def test_credentials_or_a_body_are_never_part_of_a_preflight(fields):
    assert not is_exempt(**fields)


OVERRIDES = ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "X-Original-Method", "X-Override-Verb"]


@pytest.mark.parametrize("name", OVERRIDES)
def test_a_field_that_overrides_the_method_is_recognized(name):
    assert not is_exempt(**{name: "DELETE"})
    assert may_run_as_another_method([(name, "DELETE")], "")
    assert not may_run_as_another_method([(name, "")], "")


@pytest.mark.parametrize(
    "query", ["_method=DELETE", "a=1&_method=PUT", "a=1;_METHOD=PUT", "%5Fmethod=PUT", "_meth%6fd", "X-HTTP-Method-Override=PUT"]
)  # fmt: skip
def test_a_parameter_that_overrides_the_method_is_recognized(query):
    assert not is_exempt(query=query)
    assert may_run_as_another_method([], query)


def test_the_requested_method_of_a_preflight_is_no_override():
    assert not may_run_as_another_method(PREFLIGHT.items(), "")

"""The page without a browser: what each button does, and what is refused before it is read."""

import re
from html import unescape

import pytest

from m2mguard._cli.dev.access_control import HEADERS, MAX_BODY_BYTES
from m2mguard._cli.dev.explanation_rows import explain_text
from m2mguard._cli.dev.tenant import FAULTS
from m2mguard._cli.dev.tenant_file import read_tenant

API = "https://shopping.api"


def text_of(answer) -> str:
    """What a reader sees, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def minted(dev, **fields) -> str:
    answer = dev.post("/mint", app="app-orders", api=API, **{"scope": ["read:orders"], **fields})
    found = re.search(r'id="token"[^>]*>([^<]+)<', answer.text)
    assert found is not None, text_of(answer)
    return found[1]


def test_a_token_is_minted_with_one_click_and_its_curl_line_works(dev):
    token = minted(dev)
    called = dev.client.get("/example/orders", headers={"Authorization": f"Bearer {token}"})
    assert (called.status_code, called.json()) == (200, {"hello": "app-orders"})
    assert dev.client.get("/example/orders").status_code == 401
    page = dev.post("/mint", app="app-orders", api=API, scope=["read:orders"]).text
    assert "curl -i -H &#x27;Authorization: Bearer eyJ" in page
    assert f"{dev.url}/example/orders" in page


def test_the_example_api_is_called_by_a_button(dev):
    token = minted(dev, scope=["read:orders"])
    assert "200" in text_of(dev.post("/call", token=token, wanted="read:orders", app="app-orders", api=API))
    refused = text_of(dev.post("/call", token=token, wanted="write:orders", app="app-orders", api=API))
    assert "403" in refused
    assert "scope: the token lacks a scope" in refused


def test_a_rotated_and_a_withdrawn_key(dev):
    token, old = minted(dev), dev.tenant.issuer.current_key.kid
    assert "A new key signs" in text_of(dev.post("/rotate"))
    assert "200" in text_of(dev.post("/call", token=token, wanted=""))
    assert "The key is withdrawn" in text_of(dev.post("/withdraw", kid=old))
    dev.post("/restart")
    assert "401" in text_of(dev.post("/call", token=token, wanted=""))
    assert "withdrawn: its tokens are refused" in text_of(dev.client.get("/"))
    assert "That did not work" in text_of(dev.post("/withdraw", kid="nobody's"))


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_survived_by_a_warm_api_and_ends_in_503_for_a_cold_one_until_healed(dev, fault):
    token = minted(dev)
    assert "200" in text_of(dev.post("/call", token=token, wanted=""))
    broken = text_of(dev.post("/break", fault=fault))
    assert f"broken on purpose: {FAULTS[fault].label.lower()}" in broken
    assert "answered 200" in text_of(dev.post("/call", token=token, wanted=""))
    dev.post("/restart")
    cold = text_of(dev.post("/call", token=token, wanted=""))
    assert "answered 401" in cold if fault == "wrong" else "answered 503" in cold
    assert "is healthy" in text_of(dev.post("/heal"))
    dev.post("/restart")
    assert "answered 200" in text_of(dev.post("/call", token=token, wanted=""))


def test_a_pasted_token_is_explained_and_neither_kept_nor_shown(dev):
    token = dev.tenant.issuer.mint(audience=f"{API}/")
    answer = dev.post("/explain", pasted=f"Bearer {token}")
    shown = text_of(answer)
    assert "Refused (401), audience" in shown
    assert "Cause: The token is for" in shown
    assert 'The prefix "Bearer " was removed' in shown
    assert token.rpartition(".")[2] not in answer.text
    assert token.rpartition(".")[2] not in dev.client.get("/").text
    assert "Accepted: the caller is app-orders." in text_of(dev.post("/explain", pasted=minted(dev)))
    assert "App Secret" in text_of(dev.post("/explain", pasted="aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1gI"))


def test_nothing_in_a_token_becomes_markup(dev):
    evil = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
    token = dev.tenant.issuer.mint(claims={"iss": evil, "sub": evil, "client_id": evil})
    for answer in (
        dev.post("/explain", pasted=token),
        dev.post("/explain", pasted=evil),
        dev.post("/mint", app=evil, api=evil),
    ):
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text


def test_only_the_pages_own_names_are_hosts(dev):
    port = dev.url.rpartition(":")[2]
    for good in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        assert dev.client.get("/", headers={"Host": good}).status_code == 200
    for evil in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1.evil.example:{port}", ""):
        assert dev.client.get("/", headers={"Host": evil}).status_code in (400, 421)


def test_a_form_comes_from_the_page_itself(dev):
    token = dev.form_token()
    fields = {"form_token": token}
    before = dev.tenant.issuer.current_key
    for headers in (
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": dev.url.replace("http:", "https:")},
    ):
        assert dev.client.post("/rotate", data=fields, headers=headers).status_code == 403
    for wrong in ({}, {"form_token": ""}, {"form_token": "0" * 64}):
        assert dev.client.post("/rotate", data=wrong, headers={"Origin": dev.url}).status_code == 403
    dev.client.cookies.clear()
    another_session = dev.client.post("/rotate", data=fields, headers={"Origin": dev.url})
    assert another_session.status_code == 403
    assert dev.tenant.issuer.current_key == before
    assert dev.post("/rotate").status_code == 200
    assert dev.tenant.issuer.current_key != before


def test_a_form_that_is_too_long_is_refused_and_one_that_is_not_is_read(dev):
    assert dev.post("/explain", pasted="a" * MAX_BODY_BYTES).status_code == 403
    assert dev.post("/explain", pasted="a" * 60_000).status_code == 200


def test_a_get_changes_nothing(dev):
    for path in ("/rotate", "/withdraw", "/mint", "/heal", "/break", "/explain"):
        assert dev.client.get(path).status_code == 405


def test_every_answer_has_a_strict_policy_and_the_cookie_is_for_this_page_only(dev):
    for path in ("/", "/static/style.css", "/static/page.js", "/nowhere", "/example/orders"):
        answer = dev.client.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value or (name == "Cache-Control" and path.startswith("/static"))
    cookie = dev.client.get("/").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page = dev.client.get("/").text
    assert "style=" not in page
    assert "onclick" not in page
    assert not re.findall(r'(?:src|href)="(?!/static/|#)', page)


def test_listening_beyond_this_machine_is_warned_of_loudly(serve_dev):
    assert "listens beyond this machine" in serve_dev(is_exposed=True).client.get("/").text
    assert "listens beyond this machine" not in serve_dev().client.get("/").text


def test_what_is_asked_of_the_issuer_is_shown(dev):
    assert "None yet." in text_of(dev.client.get("/"))
    dev.post("/call", token=minted(dev), wanted="")
    assert "/oidc/jwks" in text_of(dev.client.get("/"))


def test_a_fault_that_does_not_exist_is_an_error(serve_dev):
    with pytest.raises(ValueError, match="no such fault"):
        serve_dev().tenant.break_issuer("nothing")


def test_without_keys_the_explanation_says_that_the_token_could_not_be_checked(serve_dev):
    tenant = serve_dev().tenant
    token = tenant.issuer.mint(audience=next(iter(tenant.settings.apis)))
    tenant.break_issuer("down")
    tenant.restart_api()
    assert explain_text(tenant, token, "").verdict.startswith("Could not check (503): ")


def test_organizations_of_the_settings_can_be_chosen(serve_dev, tmp_path):
    file = tmp_path / "dev.toml"
    file.write_text('[apis."urn:api"]\n[apps.a]\n[apps.a.organizations.org-blue]\npermissions = []\n')
    assert "org-blue" in serve_dev(read_tenant(str(file))).client.get("/").text

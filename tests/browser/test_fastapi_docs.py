"""FastAPI's page /docs in a real browser: a person authorizes with a token and tries two routes.

`SCREENSHOT=1 pytest tests/browser` also renews the picture that docs/guides/fastapi.md shows.
"""

import os
import re
import runpy
import shutil
from collections.abc import Iterator
from pathlib import Path

import drf_spectacular_sidecar
import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

from m2mguard.testing import SHOPPING_API, LocalIssuer

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update "
    "--disable-sync"
)
PICTURE = Path(__file__).parents[2] / "docs" / "images" / "fastapi-docs.png"
# The page loads Swagger UI from a CDN; the test answers these requests with the same files from a wheel.
ASSETS = Path(drf_spectacular_sidecar.__file__).parent / "static" / "drf_spectacular_sidecar" / "swagger-ui-dist"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    if CHROMIUM is None:
        if "CI" in os.environ:
            pytest.fail("chromium is missing, and CI has to run this: apt-get install chromium")
        pytest.skip("chromium is not installed: apt-get install chromium")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=CHROMIUM,
            args=FLAGS.split(),
            viewport={"width": 1000, "height": 1160},
        ) as context,
    ):
        page = context.new_page()
        page.route(re.compile(r"^https://"), _from_the_wheel)
        yield page


def _from_the_wheel(route: Route) -> None:
    file = ASSETS / route.request.url.rpartition("/")[2]
    if file.is_file():
        route.fulfill(path=file)
    else:
        route.abort()


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalIssuer]:
    """A running issuer that the environment of the example names."""
    with LocalIssuer() as issuer:
        monkeypatch.setenv("M2MGUARD_LOGTO_ENDPOINT", issuer.endpoint)
        monkeypatch.setenv("M2MGUARD_AUDIENCE", SHOPPING_API)
        yield issuer


@pytest.mark.slow
def test_a_person_authorizes_and_tries_both_routes(page, issuer, serve):
    page.goto(serve(_example()) + "/docs")
    page.get_by_role("button", name="Authorize").first.click()
    page.locator(".auth-container input").fill(issuer.mint("app-orders", scopes=["read:orders"]))
    page.locator(".auth-btn-wrapper").get_by_role("button", name="Apply credentials").click()
    page.locator(".auth-btn-wrapper").get_by_role("button", name="Close").click()

    accepted = _try(page, "GET")
    expect(accepted.locator(".response-col_status").first).to_contain_text("200")
    expect(accepted.locator(".response-col_description").first).to_contain_text('"hello": "app-orders"')

    refused = _try(page, "POST")
    expect(refused.locator(".response-col_status").first).to_contain_text("403")
    expect(refused.locator(".response-col_description").first).to_contain_text("insufficient_scope")
    expect(refused.locator(".response-col_description").first).to_contain_text('scope="write:orders"')

    if "SCREENSHOT" in os.environ:
        _photograph(page)


def _example():
    """The example, loaded again with the issuer of this test."""
    return runpy.run_path("examples/fastapi_app.py")["app"]


def _try(page: Page, method: str):
    """Open a route, execute it, and return the part of the page that shows the answer."""
    route = page.locator(".opblock").filter(has=page.locator(".opblock-summary-method", has_text=method)).first
    route.locator(".opblock-summary-control").click()
    route.get_by_role("button", name="Try it out").click()
    route.get_by_role("button", name="Execute").click()
    return route.locator(".live-responses-table tbody")


def _photograph(page: Page) -> None:
    """Save a picture of the answers without the rest: the curl command, which shows the token, and the documentation."""
    page.add_style_tag(
        content=".curl-command, .parameters-container, .opblock-section-header, .execute-wrapper, .btn-group, .models, "
        ".responses-inner > div > h4, .responses-inner > h4, .responses-table:not(.live-responses-table), .request-url "
        "{ display: none !important }"
    )
    page.evaluate("window.scrollTo(0, 0)")
    page.mouse.move(0, 0)
    page.screenshot(path=PICTURE)

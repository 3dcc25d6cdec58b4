"""The page in a real browser, as a person uses it: by mouse, and once by keyboard alone.

`SCREENSHOT=1 pytest tests/dev/test_browser.py` also renews the pictures of docs/guides/dev.md.
"""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from m2mguard._cli.dev import dev_app as dev_module

CHROMIUM = shutil.which("chromium")
FLAGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync"
IMAGES = Path(__file__).parents[2] / "docs" / "images"
STYLE = Path(dev_module.__file__).parent / "static" / "style.css"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    if CHROMIUM is None:
        if "CI" in os.environ:
            pytest.fail("chromium is missing, and CI has to run this: apt-get install chromium")
        pytest.skip("chromium is not installed: apt-get install chromium")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=CHROMIUM, args=FLAGS.split(), viewport={"width": 1180, "height": 900}
        ) as context,
    ):
        context.set_default_timeout(10_000)
        page = context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: refused.append(str(error)))
        yield page
        assert refused == []  # no script failed, and the policy refused nothing of the page's own


def result(page: Page):
    return page.locator("#result")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


@pytest.mark.slow
def test_a_person_mints_calls_rotates_withdraws_and_reads_why(page, dev):
    page.goto(dev.url)
    press(page, "Mint a token")
    expect(result(page)).to_contain_text("A token for app-orders was minted.")
    token = page.locator("#token").input_value()
    expect(page.locator("#curl")).to_have_value(re.compile("^curl -i -H 'Authorization: Bearer eyJ"))
    press(page, "Call the example API")
    expect(result(page)).to_contain_text("200")
    expect(result(page)).to_contain_text('{"hello": "app-orders"}')

    old = dev.tenant.issuer.current_key.kid
    press(page, "Rotate")
    expect(page.locator("#keys").locator("..")).to_contain_text("previous: its tokens are still valid")
    press(page, "Mint a token")
    press(page, "Call the example API")
    expect(result(page)).to_contain_text("200")

    press(page, f"Withdraw {old[:8]}")
    expect(result(page)).to_contain_text("The key is withdrawn")
    press(page, "Restart the example API")
    assert page.request.get(f"{dev.url}/example/orders", headers={"Authorization": f"Bearer {token}"}).status == 401
    page.get_by_label("Token to explain").fill(token)
    press(page, "Explain")
    expect(result(page)).to_contain_text("Refused (401), unknown_key")
    expect(result(page)).to_contain_text("The key was withdrawn")
    expect(result(page)).to_contain_text("Get a new token.")


@pytest.mark.slow
def test_a_person_breaks_the_issuer_and_heals_it(page, dev):
    page.goto(dev.url)
    press(page, "Mint a token")
    press(page, "Call the example API")
    expect(result(page)).to_contain_text("200")
    press(page, "Down")
    expect(page.locator("header")).to_contain_text("broken on purpose: down")
    press(page, "Mint a token")
    press(page, "Call the example API")
    expect(result(page)).to_contain_text("200")  # the API has its keys
    press(page, "Restart the example API")
    press(page, "Mint a token")
    press(page, "Call the example API")
    expect(result(page)).to_contain_text("503")
    press(page, "Heal")
    expect(page.locator("header")).to_contain_text("healthy")
    press(page, "Restart the example API")
    press(page, "Mint a token")
    press(page, "Call the example API")
    expect(result(page)).to_contain_text("200")


def focus_by_tab(page: Page, name: str) -> None:
    """Press Tab until what has the focus is called so, as somebody without a mouse does."""
    for _ in range(80):
        page.keyboard.press("Tab")
        label = page.evaluate(
            "() => { const e = document.activeElement, labels = e.labels;"
            " return (labels && labels[0] ? labels[0].innerText : e.innerText || '').trim() }"
        )
        if label == name:
            outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"{name} does not show that it has the focus"
            return
    pytest.fail(f"{name} cannot be reached by Tab")


@pytest.mark.slow
def test_everything_can_be_done_by_keyboard_alone(page, dev):
    page.goto(dev.url)
    focus_by_tab(page, "read:orders")
    page.keyboard.press("Space")  # off
    page.keyboard.press("Space")  # and on again
    focus_by_tab(page, "Mint a token")
    page.keyboard.press("Enter")
    expect(result(page)).to_contain_text("was minted")
    expect(result(page)).to_be_focused()
    focus_by_tab(page, "Call the example API")
    page.keyboard.press("Enter")
    expect(result(page)).to_contain_text("200")
    focus_by_tab(page, "Token to explain")
    page.keyboard.insert_text("${ACCESS_TOKEN}")
    focus_by_tab(page, "Explain")
    page.keyboard.press("Enter")
    expect(result(page)).to_contain_text("name of a variable")
    focus_by_tab(page, "Down")
    page.keyboard.press("Enter")
    expect(page.locator("header")).to_contain_text("broken on purpose")
    focus_by_tab(page, "Heal")
    page.keyboard.press("Enter")
    expect(page.locator("header")).to_contain_text("healthy")


@pytest.mark.slow
def test_a_narrow_screen_needs_no_sideways_scrolling_and_every_field_has_a_label(page, dev):
    for width in (360, 768, 1400):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(dev.url)
        press(page, "Mint a token")
        expect(result(page)).to_contain_text("was minted")
        assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"), width
    unlabelled = page.evaluate(
        "() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea')].filter(e => !e.labels.length).length"
    )
    assert unlabelled == 0
    assert page.get_by_role("main").count() == page.get_by_role("banner").count() == 1


@pytest.mark.slow
@pytest.mark.skipif("SCREENSHOT" not in os.environ, reason="makes the pictures of docs/guides/dev.md")
def test_pictures(page, dev):
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.goto(dev.url)
        press(page, "Mint a token")
        press(page, "Call the example API")
        page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0) }")
        page.screenshot(
            path=IMAGES / f"dev-{scheme}.png", clip={"x": 0, "y": 0, "width": 1180, "height": 1000}, full_page=True
        )
        page.get_by_label("Token to explain").fill(dev.tenant.issuer.mint(audience="https://shopping.api/"))
        press(page, "Explain")
        page.evaluate("() => { document.activeElement.blur(); window.scrollTo(0, 0) }")
        page.screenshot(path=IMAGES / f"dev-explain-{scheme}.png", clip={"x": 0, "y": 0, "width": 1180, "height": 760})
        assert min((IMAGES / f"{name}-{scheme}.png").stat().st_size for name in ("dev", "dev-explain")) > 10_000


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(scheme):
    blocks = re.findall(r":root \{(.*?)\}", STYLE.read_text(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[scheme]))
    pairs = [
        ("text", "page"),
        ("text", "card"),
        ("dim", "card"),
        ("dim", "page"),
        ("main", "card"),
        ("on-main", "main"),
        ("good", "good-back"),
    ]
    pairs += [("bad", "bad-back"), ("bad", "card"), ("good", "card"), ("main", "page")]
    for front, back in pairs:
        light, dark = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (front, back)

"""Renders the page as HTML, around its cards and the result of the last action. Pure, except that it reads the tenant."""

from __future__ import annotations

from m2mguard._cli.dev.cards import (
    render_apps,
    render_explain,
    render_faults,
    render_keys,
    render_mint,
    render_requests,
)
from m2mguard._cli.dev.markup import escape, render_copyable
from m2mguard._cli.dev.page_view import View
from m2mguard._cli.dev.result import render_result
from m2mguard._cli.dev.tenant import FAULTS, DevTenant


def render_page(tenant: DevTenant, view: View) -> str:
    """Render the whole page."""
    fault = tenant.active_fault
    state = f"broken on purpose: {FAULTS[fault].label.lower()}" if fault else "healthy"
    warning = (
        '<p class="alarm" role="alert">This page listens beyond this machine: everybody who reaches it can mint tokens, and read the App '
        "Secrets.</p>"
        if view.is_exposed
        else ""
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>m2mguard dev</title>
<link rel="icon" href="/static/icon.svg">
<link rel="stylesheet" href="/static/style.css">
<script src="/static/page.js" defer></script>
</head>
<body>
<a class="skip" href="#result">Skip to the result</a>
<header>
<h1>m2mguard <span>dev</span></h1>
<p class="state {"bad" if fault else "good"}">Issuer {escape(tenant.issuer.url)} is <strong>{escape(state)}</strong></p>
{warning}
</header>
<main>
<div id="result" tabindex="-1" aria-live="polite" data-focus="{"yes" if _has_result(view) else "no"}">{render_result(tenant, view)}</div>
<div class="columns">
{render_mint(tenant, view)}
{render_explain(view)}
{render_keys(tenant, view)}
{render_faults(tenant, view)}
{render_apps(tenant)}
{render_requests(tenant)}
</div>
</main>
<footer>{_render_settings(tenant)}</footer>
</body>
</html>
"""


def _has_result(view: View) -> bool:
    return bool(view.message or view.token or view.call or view.explanation)


def _render_settings(tenant: DevTenant) -> str:
    lines = tenant.variables()
    return render_copyable("Settings of your own API", "settings", "\n".join(lines), rows=len(lines))

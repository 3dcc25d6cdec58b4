"""Renders the page as HTML: the state of the tenant, and the result of the last action. Pure, except that it reads the tenant."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from m2mguard._cli.advice import Advice, Who
from m2mguard._cli.dev.access_control import FORM_TOKEN_FIELD
from m2mguard._cli.dev.explanation_rows import ExplanationRows
from m2mguard._cli.dev.markup import (
    escape,
    render_button,
    render_checkboxes,
    render_code,
    render_copyable,
    render_select,
    render_table,
)
from m2mguard._cli.dev.tenant import FAULTS, DevTenant

EXAMPLE_PATH = "/example/orders"
_OK = 200
_WHO: dict[Who, str] = {"caller": "The calling service", "api": "This API", "issuer": "The operator of the issuer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class MintChoice:
    """The chosen values of the mint form, which the next page shows again."""

    app: str = ""
    api: str = ""
    scopes: tuple[str, ...] = ()
    organization: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An answer of the example API: status, body and log line."""

    status: int
    body: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The input of the page besides the tenant.

    Attributes:
        base: the URL of the page, without a path.
        form_token: the form token of the session.
        is_exposed: whether other machines can reach the page.
        message: the result of the last action in one sentence, or "".
        token: the minted token, or "".
        chosen: the chosen values of the mint form.
        call: the answer of the example API, or None.
        explanation: the explanation of a pasted token, or None.
        scope: the scope that the example route requires, or "".
    """

    base: str
    form_token: str
    is_exposed: bool = False
    message: str = ""
    token: str = ""
    chosen: MintChoice = field(default_factory=MintChoice)
    call: Call | None = None
    explanation: ExplanationRows | None = None
    scope: str = ""


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
<div id="result" tabindex="-1" aria-live="polite" data-focus="{"yes" if _has_result(view) else "no"}">{_render_result(tenant, view)}</div>
<div class="columns">
{_render_mint(tenant, view)}
{_render_explain(view)}
{_render_keys(tenant, view)}
{_render_faults(tenant, view)}
{_render_apps(tenant)}
{_render_requests(tenant)}
</div>
</main>
<footer>{_render_settings(tenant)}</footer>
</body>
</html>
"""


def _has_result(view: View) -> bool:
    return bool(view.message or view.token or view.call or view.explanation)


def _render_result(tenant: DevTenant, view: View) -> str:
    parts = [f'<p class="message">{escape(view.message)}</p>'] if view.message else []
    if view.call is not None:
        parts.append(_render_call(view.call))
    if view.explanation is not None:
        parts.append(_render_explanation(view.explanation))
    if view.token:
        parts.append(_render_token(tenant, view))
    return (
        f'<section class="card result" aria-labelledby="result-title"><h2 id="result-title">Result</h2>{"".join(parts)}</section>'
        if parts
        else ""
    )


def _render_form(view: View, action: str, inner: str, *, look: str = "") -> str:
    look = f' class="{look}"' if look else ""
    hidden = f'<input type="hidden" name="{FORM_TOKEN_FIELD}" value="{escape(view.form_token)}">'
    return f'<form method="post" action="{escape(action)}"{look}>{hidden}{inner}</form>'


def _render_card(identifier: str, title: str, inner: str) -> str:
    return f'<section class="card" aria-labelledby="{identifier}"><h2 id="{identifier}">{escape(title)}</h2>{inner}</section>'


def _render_mint(tenant: DevTenant, view: View) -> str:
    chosen, settings = view.chosen, tenant.settings
    scopes = list(dict.fromkeys(scope for api in settings.apis.values() for scope in api.scopes))
    organizations = sorted({name for app in settings.apps.values() for name in app.organizations})
    ticked = chosen.scopes if chosen.app else tuple(scopes[:1])
    parts = [
        render_select(
            "Application",
            "app",
            [(name, f"{app.name} ({name})" if app.name != name else name) for name, app in settings.apps.items()],
            chosen.app,
        ),
        render_select("API", "api", [(name, name) for name in settings.apis], chosen.api),
        render_checkboxes("Scopes", "scope", scopes, ticked),
    ]
    if organizations:
        parts.append(
            render_select(
                "Organization",
                "organization",
                [("", "none"), *((one, one) for one in organizations)],
                chosen.organization,
            )
        )
    return _render_card(
        "mint", "Mint a token", _render_form(view, "/mint", "".join(parts) + render_button("Mint a token", kind="main"))
    )


def _render_token(tenant: DevTenant, view: View) -> str:
    curl = f"curl -i -H {shlex.quote(f'Authorization: Bearer {view.token}')} {view.base}{EXAMPLE_PATH}"
    hidden = (
        f'<input type="hidden" name="token" value="{escape(view.token)}"><input type="hidden" name="app" value="{escape(view.chosen.app)}">'
        f'<input type="hidden" name="api" value="{escape(view.chosen.api)}">'
        + "".join(f'<input type="hidden" name="scope" value="{escape(one)}">' for one in view.chosen.scopes)
    )
    scopes = list(dict.fromkeys(scope for api in tenant.settings.apis.values() for scope in api.scopes))
    route = render_select(
        "The example route requires", "wanted", [("", "any token"), *((one, one) for one in scopes)], view.scope
    )
    call = _render_form(
        view, "/call", hidden + route + render_button("Call the example API", kind="main"), look="inline"
    )
    pasted = f'<input type="hidden" name="pasted" value="{escape(view.token)}">'
    why = _render_form(view, "/explain", pasted + render_button("Explain this token"), look="inline")
    fields = render_copyable("Access token", "token", view.token, rows=5) + render_copyable(
        "Call it from a shell", "curl", curl, rows=5
    )
    return f'<div class="pair">{fields}</div><div class="actions">{call}{why}</div>'


def _render_call(call: Call) -> str:
    look = "good" if call.status == _OK else "bad"
    return (
        f'<p class="verdict {look}">The example API answered <strong>{call.status}</strong>: {render_code(call.body)}</p>'
        f'<p class="hint">Its log says: {render_code(call.log)}</p>'
    )


def _render_explain(view: View) -> str:
    inner = (
        '<label for="pasted">Token to explain</label>'
        '<textarea id="pasted" name="pasted" rows="5" required spellcheck="false" autocomplete="off" aria-describedby="local"></textarea>'
        '<p id="local" class="hint">It stays on this machine: it is not stored, not logged and not sent.</p>'
    )
    return _render_card(
        "explain", "Explain a token", _render_form(view, "/explain", inner + render_button("Explain", kind="main"))
    )


def _render_explanation(found: ExplanationRows) -> str:
    notes = "".join(f'<p class="hint">{escape(note)}</p>' for note in found.notes)
    rows = [
        (
            f'<span class="mark {escape(one.state.replace(" ", "-"))}">{escape(one.state)}</span>',
            escape(one.name),
            escape(one.text),
        )
        for one in found.steps
    ]
    steps = render_table("Each check", ("State", "Check", "Found and expected"), rows) if rows else ""
    advice = "" if found.advice is None else _render_advice(found.advice)
    look = "good" if found.is_accepted else "bad"
    return f'<h3>Explanation</h3>{notes}<p class="verdict {look}">{escape(found.verdict)}</p>{advice}{steps}'


def _render_advice(advice: Advice) -> str:
    cures = "".join(
        f"<li><strong>{escape(_WHO[cure.who])}:</strong> "
        f"{escape(cure.text)}{f' <em>What this opens: {escape(cure.opens)}.</em>' if cure.opens else ''}</li>"
        for cure in advice.cures
    )
    return f'<p><strong>Cause:</strong> {escape(advice.cause)}</p><h4>What to do</h4><ul class="cures">{cures}</ul>'


def _render_keys(tenant: DevTenant, view: View) -> str:
    def withdraw(kid: str, *, is_published: bool) -> str:
        hidden = f'<input type="hidden" name="kid" value="{escape(kid)}">'
        label = render_button(f"Withdraw {kid[:8]}", kind="quiet danger")
        return _render_form(view, "/withdraw", hidden + label, look="inline") if is_published else ""

    rows = [
        (
            render_code(one.kid[:16]),
            escape(one.algorithm),
            escape(one.state),
            withdraw(one.kid, is_published=one.is_published),
        )
        for one in tenant.list_key_rows()
    ]
    return _render_card(
        "keys",
        "Keys",
        render_table("Signing keys", ("Key id", "Algorithm", "State", "Action"), rows)
        + _render_form(view, "/rotate", render_button("Rotate")),
    )


def _render_faults(tenant: DevTenant, view: View) -> str:
    choices = "".join(
        f'<button type="submit" name="fault" value="{escape(name)}" aria-pressed="{"true" if tenant.active_fault == name else "false"}" '
        f'title="{escape(fault.meaning)}">{escape(fault.label)}</button>'
        for name, fault in FAULTS.items()
    )
    return _render_card(
        "faults",
        "Break the issuer",
        _render_form(
            view, "/break", f'<div class="row" role="group" aria-label="Ways to break the issuer">{choices}</div>'
        )
        + _render_form(view, "/heal", render_button("Heal", kind="main"), look="inline")
        + _render_form(view, "/restart", render_button("Restart the example API"), look="inline")
        + '<p class="hint">The example API keeps its keys for a while, so it still works while the issuer is down. A restarted API '
        "has no keys.</p>",
    )


def _render_apps(tenant: DevTenant) -> str:
    def granted(scopes: Callable[[], object]) -> str:
        return escape(scopes()) or "nothing"

    rows = [
        (
            render_code(name),
            render_code(app.secret),
            granted(lambda app=app: ", ".join(f"{api}: {' '.join(scopes)}" for api, scopes in app.scopes.items())),  # type: ignore[misc]
        )
        for name, app in tenant.settings.apps.items()
    ]
    hint = '<p class="hint">These secrets are shown because they are for development only.</p>'
    return _render_card(
        "apps", "Applications", render_table("Applications", ("App ID", "App Secret", "Granted"), rows) + hint
    )


def _render_requests(tenant: DevTenant) -> str:
    rows = [
        (escape(f"{one.seconds_ago} s ago"), escape(one.method), render_code(one.path))
        for one in tenant.list_requests()
    ]
    inner = (
        render_table("The last requests to the issuer", ("When", "Method", "Path"), rows)
        if rows
        else "<p>None yet.</p>"
    )
    return _render_card("requests", "Requests to the issuer", inner)


def _render_settings(tenant: DevTenant) -> str:
    lines = tenant.variables()
    return render_copyable("Settings of your own API", "settings", "\n".join(lines), rows=len(lines))

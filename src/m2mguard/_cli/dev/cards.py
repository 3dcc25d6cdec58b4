"""Renders the cards of the page: what can be done to the tenant, and its state. Pure, except that it reads the tenant."""

from __future__ import annotations

from m2mguard._cli.dev.markup import (
    escape,
    render_button,
    render_card,
    render_checkboxes,
    render_code,
    render_form,
    render_hidden,
    render_select,
    render_table,
)
from m2mguard._cli.dev.page_view import View
from m2mguard._cli.dev.tenant import FAULTS, DevTenant


def render_mint(tenant: DevTenant, view: View) -> str:
    """Render the form that mints a token."""
    chosen, settings = view.chosen, tenant.settings
    organizations = sorted({name for app in settings.apps.values() for name in app.organizations})
    ticked = chosen.scopes if chosen.app else settings.scopes[:1]
    parts = [
        render_select(
            "Application",
            "app",
            [(name, f"{app.name} ({name})" if app.name != name else name) for name, app in settings.apps.items()],
            chosen.app,
        ),
        render_select("API", "api", [(name, name) for name in settings.apis], chosen.api),
        render_checkboxes("Scopes", "scope", settings.scopes, ticked),
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
    return render_card(
        "mint",
        "Mint a token",
        render_form(view.form_token, "/mint", "".join(parts) + render_button("Mint a token", kind="main")),
    )


def render_explain(view: View) -> str:
    """Render the form that explains a pasted token."""
    inner = (
        '<label for="pasted">Token to explain</label>'
        '<textarea id="pasted" name="pasted" rows="5" required spellcheck="false" autocomplete="off" aria-describedby="local"></textarea>'
        '<p id="local" class="hint">It stays on this machine: it is not stored, not logged and not sent.</p>'
    )
    return render_card(
        "explain",
        "Explain a token",
        render_form(view.form_token, "/explain", inner + render_button("Explain", kind="main")),
    )


def render_keys(tenant: DevTenant, view: View) -> str:
    """Render the issuer's keys, to be rotated and withdrawn."""

    def withdraw(kid: str, *, is_published: bool) -> str:
        hidden = render_hidden("kid", kid)
        label = render_button(f"Withdraw {kid[:8]}", kind="quiet danger")
        return render_form(view.form_token, "/withdraw", hidden + label, look="inline") if is_published else ""

    rows = [
        (
            render_code(one.kid[:16]),
            escape(one.algorithm),
            escape(one.state),
            withdraw(one.kid, is_published=one.is_published),
        )
        for one in tenant.list_key_rows()
    ]
    return render_card(
        "keys",
        "Keys",
        render_table("Signing keys", ("Key id", "Algorithm", "State", "Action"), rows)
        + render_form(view.form_token, "/rotate", render_button("Rotate")),
    )


def render_faults(tenant: DevTenant, view: View) -> str:
    """Render the ways to break the issuer."""
    choices = "".join(
        f'<button type="submit" name="fault" value="{escape(name)}" aria-pressed="{"true" if tenant.active_fault == name else "false"}" '
        f'title="{escape(fault.meaning)}">{escape(fault.label)}</button>'
        for name, fault in FAULTS.items()
    )
    group = f'<div class="row" role="group" aria-label="Ways to break the issuer">{choices}</div>'
    return render_card(
        "faults",
        "Break the issuer",
        render_form(view.form_token, "/break", group)
        + render_form(view.form_token, "/heal", render_button("Heal", kind="main"), look="inline")
        + render_form(view.form_token, "/restart", render_button("Restart the example API"), look="inline")
        + '<p class="hint">The example API keeps its keys for a while, so it still works while the issuer is down. A restarted API '
        "has no keys.</p>",
    )


def render_apps(tenant: DevTenant) -> str:
    """Render the applications and their secrets."""
    rows = []
    for name, app in tenant.settings.apps.items():
        granted = ", ".join(f"{api}: {' '.join(scopes)}" for api, scopes in app.scopes.items())
        rows.append((render_code(name), render_code(app.secret), escape(granted) or "nothing"))
    hint = '<p class="hint">These secrets are shown because they are for development only.</p>'
    return render_card(
        "apps", "Applications", render_table("Applications", ("App ID", "App Secret", "Granted"), rows) + hint
    )


def render_requests(tenant: DevTenant) -> str:
    """Render the last requests to the issuer."""
    rows = [
        (escape(f"{one.seconds_ago} s ago"), escape(one.method), render_code(one.path))
        for one in tenant.list_requests()
    ]
    inner = (
        render_table("The last requests to the issuer", ("When", "Method", "Path"), rows)
        if rows
        else "<p>None yet.</p>"
    )
    return render_card("requests", "Requests to the issuer", inner)

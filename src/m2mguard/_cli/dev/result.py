"""Renders the result of the last action: a token, an answer of the example API, an explanation. Pure, except that it reads the tenant."""

from __future__ import annotations

import shlex

from m2mguard._cli.advice import Advice, Who
from m2mguard._cli.dev.explanation_rows import ExplanationRows
from m2mguard._cli.dev.markup import (
    escape,
    render_button,
    render_code,
    render_copyable,
    render_form,
    render_hidden,
    render_select,
    render_table,
)
from m2mguard._cli.dev.page_view import EXAMPLE_PATH, Call, View
from m2mguard._cli.dev.tenant import DevTenant

_OK = 200
_WHO: dict[Who, str] = {"caller": "The calling service", "api": "This API", "issuer": "The operator of the issuer"}


def render_result(tenant: DevTenant, view: View) -> str:
    """Render the result, or nothing where there is none."""
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


def _render_token(tenant: DevTenant, view: View) -> str:
    curl = f"curl -i -H {shlex.quote(f'Authorization: Bearer {view.token}')} {view.base}{EXAMPLE_PATH}"
    chosen = view.chosen
    fields = [
        ("token", view.token),
        ("app", chosen.app),
        ("api", chosen.api),
        *(("scope", one) for one in chosen.scopes),
    ]
    hidden = "".join(render_hidden(name, value) for name, value in fields)
    choices = [("", "any token"), *((one, one) for one in tenant.settings.scopes)]
    route = render_select("The example route requires", "wanted", choices, view.scope)
    button = render_button("Call the example API", kind="main")
    call = render_form(view.form_token, "/call", hidden + route + button, look="inline")
    pasted = render_hidden("pasted", view.token)
    why = render_form(view.form_token, "/explain", pasted + render_button("Explain this token"), look="inline")
    pair = render_copyable("Access token", "token", view.token, rows=5)
    pair += render_copyable("Call it from a shell", "curl", curl, rows=5)
    return f'<div class="pair">{pair}</div><div class="actions">{call}{why}</div>'


def _render_call(call: Call) -> str:
    look = "good" if call.status == _OK else "bad"
    return (
        f'<p class="verdict {look}">The example API answered <strong>{call.status}</strong>: {render_code(call.body)}</p>'
        f'<p class="hint">Its log says: {render_code(call.log)}</p>'
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

"""The page as HTML: what the tenant is like now, and the result of what was done last. Pure but for looking at the tenant."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field

from m2mguard._cli.advice import Advice, Who
from m2mguard._cli.dev.access_control import FIELD
from m2mguard._cli.dev.explanations import ExplanationRows
from m2mguard._cli.dev.markup import button, checkboxes, code, copyable, select, table, text
from m2mguard._cli.dev.tenant import FAULTS, DevTenant

EXAMPLE_PATH = "/example/orders"
_OK = 200
_WHO: dict[Who, str] = {"caller": "The calling service", "api": "This API", "issuer": "The operator of the issuer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What was chosen in the form that mints, so that it is there again after a click."""

    app: str = ""
    api: str = ""
    scopes: tuple[str, ...] = ()
    organization: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What the example API answered: the status, the answer, and the log line."""

    status: int
    told: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Everything that the page shows beside the tenant.

    Attributes:
        base: the page's own address.
        form_token: what each form carries.
        is_exposed: whether others than this machine can reach the page.
        message: what was done, in one sentence, or "".
        token: the token that was minted, or "".
        chosen: what was chosen.
        call: what the example API answered, or None.
        explanation: of a pasted token, or None.
        scope: which scope the example route asks for.
    """

    base: str
    form_token: str
    is_exposed: bool = False
    message: str = ""
    token: str = ""
    chosen: Chosen = field(default_factory=Chosen)
    call: Call | None = None
    explanation: ExplanationRows | None = None
    scope: str = ""


def render(tenant: DevTenant, view: View) -> str:
    """The whole page."""
    broken = tenant.broken
    state = f"broken on purpose: {FAULTS[broken].label.lower()}" if broken else "healthy"
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
<p class="state {"bad" if broken else "good"}">Issuer {text(tenant.issuer.url)} is <strong>{text(state)}</strong></p>
{warning}
</header>
<main>
<div id="result" tabindex="-1" aria-live="polite" data-focus="{"yes" if _has_result(view) else "no"}">{_result(tenant, view)}</div>
<div class="columns">
{_mint(tenant, view)}
{_explain(view)}
{_keys(tenant, view)}
{_faults(tenant, view)}
{_apps(tenant)}
{_requests(tenant)}
</div>
</main>
<footer>{_connect(tenant)}</footer>
</body>
</html>
"""


def _has_result(view: View) -> bool:
    return bool(view.message or view.token or view.call or view.explanation)


def _result(tenant: DevTenant, view: View) -> str:
    parts = [f'<p class="message">{text(view.message)}</p>'] if view.message else []
    if view.call is not None:
        parts.append(_called(view.call))
    if view.explanation is not None:
        parts.append(_explained(view.explanation))
    if view.token:
        parts.append(_minted(tenant, view))
    return (
        f'<section class="card result" aria-labelledby="result-title"><h2 id="result-title">Result</h2>{"".join(parts)}</section>'
        if parts
        else ""
    )


def _form(view: View, action: str, inner: str, *, look: str = "") -> str:
    look = f' class="{look}"' if look else ""
    hidden = f'<input type="hidden" name="{FIELD}" value="{text(view.form_token)}">'
    return f'<form method="post" action="{text(action)}"{look}>{hidden}{inner}</form>'


def _card(identifier: str, title: str, inner: str) -> str:
    return f'<section class="card" aria-labelledby="{identifier}"><h2 id="{identifier}">{text(title)}</h2>{inner}</section>'


def _mint(tenant: DevTenant, view: View) -> str:
    chosen, settings = view.chosen, tenant.settings
    scopes = list(dict.fromkeys(scope for api in settings.apis.values() for scope in api.scopes))
    organizations = sorted({name for app in settings.apps.values() for name in app.organizations})
    ticked = chosen.scopes if chosen.app else tuple(scopes[:1])
    parts = [
        select(
            "Application",
            "app",
            [(name, f"{app.name} ({name})" if app.name != name else name) for name, app in settings.apps.items()],
            chosen.app,
        ),
        select("API", "api", [(name, name) for name in settings.apis], chosen.api),
        checkboxes("Scopes", "scope", scopes, ticked),
    ]
    if organizations:
        parts.append(
            select(
                "Organization",
                "organization",
                [("", "none"), *((one, one) for one in organizations)],
                chosen.organization,
            )
        )
    return _card("mint", "Mint a token", _form(view, "/mint", "".join(parts) + button("Mint a token", kind="main")))


def _minted(tenant: DevTenant, view: View) -> str:
    curl = f"curl -i -H {shlex.quote(f'Authorization: Bearer {view.token}')} {view.base}{EXAMPLE_PATH}"
    hidden = (
        f'<input type="hidden" name="token" value="{text(view.token)}"><input type="hidden" name="app" value="{text(view.chosen.app)}">'
        f'<input type="hidden" name="api" value="{text(view.chosen.api)}">'
        + "".join(f'<input type="hidden" name="scope" value="{text(one)}">' for one in view.chosen.scopes)
    )
    wanted = list(dict.fromkeys(scope for api in tenant.settings.apis.values() for scope in api.scopes))
    route = select(
        "The example route asks for", "wanted", [("", "any token"), *((one, one) for one in wanted)], view.scope
    )
    call = _form(view, "/call", hidden + route + button("Call the example API", kind="main"), look="inline")
    pasted = f'<input type="hidden" name="pasted" value="{text(view.token)}">'
    why = _form(view, "/explain", pasted + button("Explain this token"), look="inline")
    fields = copyable("Access token", "token", view.token, rows=5) + copyable(
        "Call it from a shell", "curl", curl, rows=5
    )
    return f'<div class="pair">{fields}</div><div class="actions">{call}{why}</div>'


def _called(call: Call) -> str:
    look = "good" if call.status == _OK else "bad"
    return (
        f'<p class="verdict {look}">The example API answered <strong>{call.status}</strong>: {code(call.told)}</p>'
        f'<p class="hint">Its log says: {code(call.log)}</p>'
    )


def _explain(view: View) -> str:
    inner = (
        '<label for="pasted">Token to explain</label>'
        '<textarea id="pasted" name="pasted" rows="5" required spellcheck="false" autocomplete="off" aria-describedby="local"></textarea>'
        '<p id="local" class="hint">It stays on this machine: it is not kept, not logged, and sent nowhere.</p>'
    )
    return _card("explain", "Explain a token", _form(view, "/explain", inner + button("Explain", kind="main")))


def _explained(found: ExplanationRows) -> str:
    notes = "".join(f'<p class="hint">{text(note)}</p>' for note in found.notes)
    rows = [
        (
            f'<span class="mark {text(one.state.replace(" ", "-"))}">{text(one.state)}</span>',
            text(one.name),
            text(one.text),
        )
        for one in found.steps
    ]
    steps = table("Each check", ("State", "Check", "Found and expected"), rows) if rows else ""
    advice = "" if found.advice is None else _advice(found.advice)
    look = "good" if found.is_accepted else "bad"
    return f'<h3>Explanation</h3>{notes}<p class="verdict {look}">{text(found.verdict)}</p>{advice}{steps}'


def _advice(advice: Advice) -> str:
    cures = "".join(
        f"<li><strong>{text(_WHO[cure.who])}:</strong> "
        f"{text(cure.text)}{f' <em>What this opens: {text(cure.opens)}.</em>' if cure.opens else ''}</li>"
        for cure in advice.cures
    )
    return f'<p><strong>Cause:</strong> {text(advice.cause)}</p><h4>What to do</h4><ul class="cures">{cures}</ul>'


def _keys(tenant: DevTenant, view: View) -> str:
    def withdraw(kid: str, *, is_published: bool) -> str:
        hidden = f'<input type="hidden" name="kid" value="{text(kid)}">'
        label = button(f"Withdraw {kid[:8]}", kind="quiet danger")
        return _form(view, "/withdraw", hidden + label, look="inline") if is_published else ""

    rows = [
        (code(one.kid[:16]), text(one.algorithm), text(one.state), withdraw(one.kid, is_published=one.is_published))
        for one in tenant.key_rows()
    ]
    return _card(
        "keys",
        "Keys",
        table("Signing keys", ("Key id", "Algorithm", "State", "Action"), rows)
        + _form(view, "/rotate", button("Rotate")),
    )


def _faults(tenant: DevTenant, view: View) -> str:
    choices = "".join(
        f'<button type="submit" name="fault" value="{text(name)}" aria-pressed="{"true" if tenant.broken == name else "false"}" '
        f'title="{text(fault.meaning)}">{text(fault.label)}</button>'
        for name, fault in FAULTS.items()
    )
    return _card(
        "faults",
        "Break the issuer",
        _form(view, "/break", f'<div class="row" role="group" aria-label="Ways to break the issuer">{choices}</div>')
        + _form(view, "/heal", button("Heal", kind="main"), look="inline")
        + _form(view, "/restart", button("Restart the example API"), look="inline")
        + '<p class="hint">The example API keeps its keys for a while, so it goes on while the issuer is down. A restarted one '
        "has no key.</p>",
    )


def _apps(tenant: DevTenant) -> str:
    def granted(scopes: Callable[[], object]) -> str:
        return text(scopes()) or "nothing"

    rows = [
        (
            code(name),
            code(app.secret),
            granted(lambda app=app: ", ".join(f"{api}: {' '.join(scopes)}" for api, scopes in app.scopes.items())),  # type: ignore[misc]
        )
        for name, app in tenant.settings.apps.items()
    ]
    hint = '<p class="hint">These secrets are for development only, and so they are shown.</p>'
    return _card("apps", "Applications", table("Applications", ("App ID", "App Secret", "Granted"), rows) + hint)


def _requests(tenant: DevTenant) -> str:
    rows = [(text(f"{one.seconds_ago} s ago"), text(one.method), code(one.path)) for one in tenant.requests()]
    inner = table("The last requests to the issuer", ("When", "Method", "Path"), rows) if rows else "<p>None yet.</p>"
    return _card("requests", "Requests to the issuer", inner)


def _connect(tenant: DevTenant) -> str:
    audience = next(iter(tenant.settings.apis))
    lines = f"M2MGUARD_LOGTO_ENDPOINT={tenant.issuer.endpoint}\nM2MGUARD_AUDIENCE={audience}"
    return copyable("Settings of your own API", "settings", lines, rows=2)

"""The routes of the page: the page itself, one per button, and the example API. Blocking work runs on threads."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from m2mguard._cli.dev.access_control import AccessControl, Sessions
from m2mguard._cli.dev.explanation_rows import explain_text
from m2mguard._cli.dev.page import render_page
from m2mguard._cli.dev.page_view import EXAMPLE_PATH, Call, MintChoice, View
from m2mguard._cli.dev.tenant import FAULTS, DevTenant
from m2mguard.errors import AnswerableError, ConfigurationError

_STATIC = Path(__file__).parent / "static"
_FILES = {"style.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
Form = dict[str, list[str]]
Action = Callable[[Form, View], View]


def create_dev_app(tenant: DevTenant, *, host: str, port: int, is_exposed: bool = False) -> AccessControl:
    """Create the web application of a tenant.

    Args:
        tenant: the running tenant.
        host: the host name of the page; loopback addresses are accepted as well.
        port: the port of the page.
        is_exposed: whether other machines can reach it.
    """
    names = {host, "127.0.0.1", "localhost", "[::1]"}
    page = _Page(tenant, base=f"http://{host}:{port}", is_exposed=is_exposed)
    routes = [Route("/", page.show, methods=["GET"]), Route(EXAMPLE_PATH, page.orders, methods=["GET"])]
    routes += [Route(f"/static/{name}", _serve_file(name, kind), methods=["GET"]) for name, kind in _FILES.items()]
    routes += [Route(f"/{name}", page.post(action), methods=["POST"]) for name, action in page.actions().items()]
    return AccessControl(Starlette(routes=routes), {f"{name}:{port}" for name in names})


def _serve_file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(_: Request) -> Response:
        return FileResponse(_STATIC / name, media_type=kind)

    return serve


class _Page:
    def __init__(self, tenant: DevTenant, *, base: str, is_exposed: bool) -> None:
        self._tenant = tenant
        self._sessions = Sessions()
        self._view = View(base=base, form_token="", is_exposed=is_exposed)

    async def show(self, request: Request) -> Response:
        """Show the page."""
        session = self._sessions.get_session(request)
        return self._respond(replace(self._view, form_token=self._sessions.make_form_token(session)), session)

    async def orders(self, request: Request) -> Response:
        """Serve the example API, for curl: it accepts any valid token for an API of the tenant."""
        call = await run_in_threadpool(self._call_example_api, request.headers.getlist("authorization"), "")
        return PlainTextResponse(call.body + "\n", call.status)

    def post(self, action: Action) -> Callable[[Request], Awaitable[Response]]:
        """Create the handler of one button."""

        async def handle(request: Request) -> Response:
            form = await self._sessions.read_form(request)
            if form is None:
                return PlainTextResponse("The form is not from this session, or too long. Reload the page.\n", 403)
            session = self._sessions.get_session(request)
            view = replace(self._view, form_token=self._sessions.make_form_token(session))
            try:
                view = await run_in_threadpool(action, form, view)
            except (ValueError, ConfigurationError) as error:
                view = replace(view, message=f"That did not work: {error}")
            return self._respond(view, session)

        return handle

    def actions(self) -> dict[str, Action]:
        """Return the action of each button, by the path of its form."""
        return {
            "mint": self._mint,
            "call": self._call_with_token,
            "explain": self._explain,
            "rotate": self._rotate,
            "withdraw": self._withdraw,
            "break": self._break,
            "heal": self._heal,
            "restart": self._restart,
        }

    def _respond(self, view: View, session: str) -> Response:
        return self._sessions.set_cookie(HTMLResponse(render_page(self._tenant, view)), session)

    def _mint(self, form: Form, view: View) -> View:
        chosen = _read_choice(form)
        token = self._tenant.mint(chosen.app, chosen.api, list(chosen.scopes), chosen.organization)
        granted = self._tenant.settings.apps[chosen.app].scopes.get(chosen.api, ())
        not_granted = [scope for scope in chosen.scopes if scope not in granted]
        note = (
            f" Its roles do not grant {' '.join(not_granted)}: the token endpoint would leave that out."
            if not_granted
            else ""
        )
        return replace(view, message=f"A token for {chosen.app} was minted.{note}", token=token, chosen=chosen)

    def _call_with_token(self, form: Form, view: View) -> View:
        token, scope = _get_field(form, "token"), _get_field(form, "wanted")
        call = self._call_example_api([f"Bearer {token}"], scope)
        return replace(view, token=token, chosen=_read_choice(form), scope=scope, call=call)

    def _call_example_api(self, fields: list[str], scope: str) -> Call:
        server = self._tenant.example_api
        try:
            caller = server.authenticate(fields, self._tenant.create_requirement(scope), route=("GET", EXAMPLE_PATH))
        except AnswerableError as error:
            answer = server.answer(error)
            return Call(status=answer.status, body=answer.body.decode(), log=f"{error.reason}: {error.detail}")
        return Call(
            status=200, body=json.dumps({"hello": caller.app_id}), log="nothing, since the request was accepted"
        )

    def _explain(self, form: Form, view: View) -> View:
        return replace(
            view, explanation=explain_text(self._tenant, _get_field(form, "pasted"), _get_field(form, "wanted"))
        )

    def _rotate(self, _: Form, view: View) -> View:
        self._tenant.rotate()
        return replace(
            view, message="A new key signs from now on. The previous key is still published; older keys are not."
        )

    def _withdraw(self, form: Form, view: View) -> View:
        self._tenant.withdraw(_get_field(form, "kid"))
        return replace(
            view,
            message="The key is withdrawn. An API that has it trusts it for at most five more minutes; a restarted API refuses it at once.",
        )

    def _break(self, form: Form, view: View) -> View:
        fault = _get_field(form, "fault")
        self._tenant.break_issuer(fault)
        return replace(view, message=f"The issuer is broken: {FAULTS[fault].meaning}.")

    def _heal(self, _: Form, view: View) -> View:
        self._tenant.heal()
        return replace(view, message="The issuer is healthy again.")

    def _restart(self, _: Form, view: View) -> View:
        self._tenant.restart_api()
        return replace(view, message="The example API has restarted. It has no key yet.")


def _get_field(form: Form, name: str) -> str:
    return form.get(name, [""])[0]


def _read_choice(form: Form) -> MintChoice:
    return MintChoice(
        app=_get_field(form, "app"),
        api=_get_field(form, "api"),
        scopes=tuple(form.get("scope", ())),
        organization=_get_field(form, "organization"),
    )

"""The page's routes: one to look, one for each button, and the example API. Blocking work runs on threads."""

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
from m2mguard._cli.dev.explanations import explain_text
from m2mguard._cli.dev.tenant import FAULTS, DevTenant
from m2mguard._cli.dev.view import EXAMPLE_PATH, Call, Chosen, View, render
from m2mguard.errors import AnswerableError, ConfigurationError

_STATIC = Path(__file__).parent / "static"
_FILES = {"style.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
Form = dict[str, list[str]]
Action = Callable[[Form, View], View]


def dev_app(tenant: DevTenant, *, host: str, port: int, is_exposed: bool = False) -> AccessControl:
    """Make the page of a tenant.

    Args:
        tenant: the tenant, running.
        host: the name under which the page is reached; a loopback address works beside it.
        port: its port.
        is_exposed: whether others than this machine can reach it.
    """
    names = {host, "127.0.0.1", "localhost", "[::1]"}
    page = _Page(tenant, base=f"http://{host}:{port}", is_exposed=is_exposed)
    routes = [Route("/", page.show, methods=["GET"]), Route(EXAMPLE_PATH, page.orders, methods=["GET"])]
    routes += [Route(f"/static/{name}", _file(name, kind), methods=["GET"]) for name, kind in _FILES.items()]
    routes += [Route(f"/{name}", page.post(action), methods=["POST"]) for name, action in page.actions().items()]
    return AccessControl(Starlette(routes=routes), {f"{name}:{port}" for name in names})


def _file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(_: Request) -> Response:
        return FileResponse(_STATIC / name, media_type=kind)

    return serve


class _Page:
    def __init__(self, tenant: DevTenant, *, base: str, is_exposed: bool) -> None:
        self._tenant = tenant
        self._sessions = Sessions()
        self._view = View(base=base, form_token="", is_exposed=is_exposed)

    async def show(self, request: Request) -> Response:
        """The page as it is."""
        session = self._sessions.cookie_of(request)
        return self._answer(replace(self._view, form_token=self._sessions.token_for(session)), session)

    async def orders(self, request: Request) -> Response:
        """The example API, for curl: asks for any good token."""
        call = await run_in_threadpool(self._call, request.headers.getlist("authorization"), "")
        return PlainTextResponse(call.told + "\n", call.status)

    def post(self, action: Action) -> Callable[[Request], Awaitable[Response]]:
        """The route of one button."""

        async def handle(request: Request) -> Response:
            form = await self._sessions.form(request)
            if form is None:
                return PlainTextResponse("This form is not of this session, or too long. Reload the page.\n", 403)
            session = self._sessions.cookie_of(request)
            view = replace(self._view, form_token=self._sessions.token_for(session))
            try:
                view = await run_in_threadpool(action, form, view)
            except (ValueError, ConfigurationError) as error:
                view = replace(view, message=f"That did not work: {error}")
            return self._answer(view, session)

        return handle

    def actions(self) -> dict[str, Action]:
        """What each button does, by the path of its form."""
        return {
            "mint": self._mint,
            "call": self._called,
            "explain": self._explain,
            "rotate": self._rotate,
            "withdraw": self._withdraw,
            "break": self._break,
            "heal": self._heal,
            "restart": self._restart,
        }

    def _answer(self, view: View, session: str) -> Response:
        return self._sessions.remember(HTMLResponse(render(self._tenant, view)), session)

    def _mint(self, form: Form, view: View) -> View:
        chosen = _chosen(form)
        token = self._tenant.mint(chosen.app, chosen.api, list(chosen.scopes), chosen.organization)
        granted = self._tenant.settings.apps[chosen.app].scopes.get(chosen.api, ())
        more = [scope for scope in chosen.scopes if scope not in granted]
        note = f" Its roles do not grant {' '.join(more)}: the token endpoint would leave that out." if more else ""
        return replace(view, message=f"A token for {chosen.app} was minted.{note}", token=token, chosen=chosen)

    def _called(self, form: Form, view: View) -> View:
        token, wanted = _one(form, "token"), _one(form, "wanted")
        call = self._call([f"Bearer {token}"], wanted)
        return replace(view, token=token, chosen=_chosen(form), scope=wanted, call=call)

    def _call(self, fields: list[str], wanted: str) -> Call:
        server = self._tenant.example_api
        try:
            caller = server.authenticate(fields, self._tenant.requirement(wanted), route=("GET", EXAMPLE_PATH))
        except AnswerableError as error:
            answer = server.answer(error)
            return Call(status=answer.status, told=answer.body.decode(), log=f"{error.reason}: {error.detail}")
        return Call(status=200, told=json.dumps({"hello": caller.app_id}), log="nothing, since the request was let in")

    def _explain(self, form: Form, view: View) -> View:
        return replace(view, explanation=explain_text(self._tenant, _one(form, "pasted"), _one(form, "wanted")))

    def _rotate(self, _: Form, view: View) -> View:
        self._tenant.rotate()
        return replace(
            view, message="A new key signs from now on. The one before is still published; one before that is not."
        )

    def _withdraw(self, form: Form, view: View) -> View:
        self._tenant.withdraw(_one(form, "kid"))
        return replace(
            view,
            message="The key is withdrawn. An API that has it trusts it for at most five minutes more; a restarted one refuses at once.",
        )

    def _break(self, form: Form, view: View) -> View:
        fault = _one(form, "fault")
        self._tenant.break_it(fault)
        return replace(view, message=f"The issuer is broken: {FAULTS[fault].meaning}.")

    def _heal(self, _: Form, view: View) -> View:
        self._tenant.heal()
        return replace(view, message="The issuer is healthy again.")

    def _restart(self, _: Form, view: View) -> View:
        self._tenant.restart_api()
        return replace(view, message="The example API has restarted. It has no key yet.")


def _one(form: Form, name: str) -> str:
    return form.get(name, [""])[0]


def _chosen(form: Form) -> Chosen:
    return Chosen(
        app=_one(form, "app"),
        api=_one(form, "api"),
        scopes=tuple(form.get("scope", ())),
        organization=_one(form, "organization"),
    )

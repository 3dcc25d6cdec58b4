"""The audit of Flask applications against reality: each route is called without a token, through Flask's own test client."""

import functools
from typing import Any

import pytest
from flask import Blueprint, Flask, request
from flask.views import MethodView, View
from werkzeug.exceptions import Unauthorized
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from m2mguard.flask import M2MGuard, readiness
from m2mguard.flask._extension import METADATA_ENDPOINT
from m2mguard.testing import assert_all_routes_protected
from m2mguard.wsgi import BearerAuthMiddleware
from tests.routes.audit_truth import SERVER, failing


def view():
    return "up"


def fresh_view():
    return lambda **_: "up"


def application():
    app = Flask("shop", static_folder=None)
    return app, M2MGuard(app, SERVER)


def is_open(app: Any, path: str = "/orders", method: str = "GET") -> bool:
    return Client(app).open(path, method=method).status_code == 200


def caching(function):
    answers: list[Any] = []

    @functools.wraps(function)
    def cached(*args, **kwargs):
        if not request.headers.get("X-Token"):
            return "from the cache"
        answers.append(function(*args, **kwargs))
        return answers[-1]

    return cached


def logging(function):
    @functools.wraps(function)
    def logged(*args, **kwargs):
        request.environ["logged"] = True
        return function(*args, **kwargs)

    return logged


def trying(function):
    @functools.wraps(function)
    def tried(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        except Unauthorized:
            return view()

    return tried


def answering_partial(function):
    return functools.partial(caching(function))


def hides(function):
    def hidden():
        return "up"

    hidden.__dict__.update(vars(function))
    return hidden


def decorated(*decorators):
    app, guard = application()
    function = guard.requires("read")(fresh_view())
    for one in decorators:
        function = one(function)
    app.get("/orders", endpoint="orders")(function)
    return app


def below_the_guard(decorator):
    app, guard = application()
    app.get("/orders", endpoint="orders")(guard.requires("read")(decorator(fresh_view())))
    return app


def replaced():
    app = decorated()
    app.view_functions["orders"] = fresh_view()
    return app


def guarded_later():
    app, guard = application()
    app.get("/orders", endpoint="orders")(fresh_view())
    app.view_functions["orders"] = guard.requires("read")(fresh_view())
    return app


def by_url_rule(*, guarded):
    app, guard = application()
    app.add_url_rule("/orders", "orders", guard.requires("read")(fresh_view()) if guarded else fresh_view())
    return app


def named_static():
    app = Flask("shop", static_folder=None)
    app.get("/orders", endpoint="static")(fresh_view())
    app.get("/metadata", endpoint=METADATA_ENDPOINT)(fresh_view())
    return app


def blueprints(*, protect, nested=False):
    app, guard = application()
    outer, inner = Blueprint("outer", "shop"), Blueprint("inner", "shop")
    if protect:
        guard.protect(outer if protect == "outer" else inner if protect == "inner" else app, "read")
    (inner if nested else outer).get("/orders")(fresh_view())
    if nested:
        outer.register_blueprint(inner)
    else:
        app.register_blueprint(inner)
    app.register_blueprint(outer)
    return app


def hooked(*hooks, after=False):
    app, guard = application()
    if after:
        guard.protect(app, "read")
    for hook in hooks:
        app.before_request(hook)
    if not after:
        guard.protect(app, "read")
    app.get("/orders")(fresh_view())
    return app


def remembers():
    request.environ["seen"] = True


def answers():
    return None if request.headers.get("X-Token") else "an answer"


def hook_of_a_guard(*decorators):
    app, guard = application()
    hook = guard.requires("read")(lambda: None)
    for one in decorators:
        hook = one(hook)
    app.before_request(hook)
    app.get("/orders")(fresh_view())
    return app


def skips_some(function):
    @functools.wraps(function)
    def skipped():
        return None if request.path == "/orders" else function()

    return skipped


def class_view(**members):
    app, _ = application()
    kind: Any = type("Orders", (MethodView,), {"get": lambda self: "up"} | members)
    app.add_url_rule("/orders", view_func=kind.as_view("orders"))
    return app


def with_wsgi(*wrappers, guarded=True):
    app = decorated() if guarded else by_url_rule(guarded=False)
    for one in wrappers:
        app.wsgi_app = one(app.wsgi_app)  # type: ignore[method-assign]
    return app


GUARD = M2MGuard(server=SERVER)


@GUARD.requires("read")
def guarded_get(self):
    return "up"


APPS = {
    "guarded": lambda: decorated(),
    "logging_above": lambda: decorated(logging),
    "hides": lambda: decorated(hides),
    "caching_above": lambda: decorated(caching),
    "trying_above": lambda: decorated(logging, trying),
    "caching_below": lambda: below_the_guard(caching),
    "replaced": replaced,
    "guarded_later": guarded_later,
    "partial": lambda: decorated(functools.partial),
    "partial_of_open": lambda: decorated(answering_partial),
    "rule": lambda: by_url_rule(guarded=False),
    "guarded_rule": lambda: by_url_rule(guarded=True),
    "blueprint": lambda: blueprints(protect="outer"),
    "blueprint_beside": lambda: blueprints(protect="inner"),
    "nested": lambda: blueprints(protect="outer", nested=True),
    "nested_inner": lambda: blueprints(protect="inner", nested=True),
    "nested_open": lambda: blueprints(protect="", nested=True),
    "whole_app": lambda: blueprints(protect="app", nested=True),
    "remembers": lambda: hooked(remembers),
    "hook_of_a_guard": lambda: hook_of_a_guard(),
    "hook_that_skips": lambda: hook_of_a_guard(skips_some),
    "answers_after": lambda: hooked(answers, after=True),
    "class": lambda: class_view(),
    "class_decorators": lambda: class_view(decorators=[GUARD.requires("read")]),
    "class_decorators_order": lambda: class_view(decorators=[GUARD.requires("read"), caching]),
    "class_method": lambda: class_view(get=guarded_get),
    "class_method_cached": lambda: class_view(get=caching(guarded_get)),
    "class_dispatch": lambda: class_view(get=guarded_get, dispatch_request=lambda self: "up"),
    "proxy_fix": lambda: with_wsgi(ProxyFix),
    "wsgi_guard": lambda: with_wsgi(lambda app: BearerAuthMiddleware(app, SERVER), guarded=False),
    "wsgi_open": lambda: with_wsgi(ProxyFix, guarded=False),
}


@pytest.mark.parametrize("name", APPS)
def test_the_audit_is_right_about_one_route(name):
    app = APPS[name]()
    assert ("/orders" in failing(app)) is is_open(app), name


def test_a_hook_above_the_guard_that_may_answer_is_found():
    app = hooked(answers)
    assert is_open(app)
    assert failing(app) == {"/*"}
    with pytest.raises(AssertionError, match="put the guard above it"):
        assert_all_routes_protected(app)


def test_a_guard_above_the_route_fails_though_nobody_is_let_in():
    app, guard = application()
    guard.requires("read")(app.get("/orders", endpoint="orders")(fresh_view()))
    assert Client(app).get("/orders").status_code == 500
    assert failing(app) == {"/orders"}


def test_endpoints_that_are_named_as_flasks_own_are_open():
    assert failing(named_static()) == {"/orders", "/metadata"}
    assert is_open(named_static())


def test_files_of_the_app_and_of_a_blueprint_are_not_looked_at(tmp_path):
    (tmp_path / "file").write_text("up")
    app = Flask("shop", static_folder=tmp_path)
    app.register_blueprint(Blueprint("b", "shop", static_folder=tmp_path, url_prefix="/b", static_url_path="/files"))
    with Client(app).get("/b/files/file") as answer:
        assert answer.status_code == 200
    assert failing(app) == set()


class Methods(MethodView):
    @GUARD.requires("read")
    def get(self):
        return "up"

    def post(self):
        return "up"

    def head(self):
        return ""

    def options(self):
        return "up"


def test_each_method_of_a_class_is_told_from_the_others():
    app, _ = application()
    app.add_url_rule("/orders", view_func=Methods.as_view("orders"))
    found = {method for method in ("GET", "POST", "HEAD", "OPTIONS") if is_open(app, method=method)}
    assert found == {"POST", "HEAD", "OPTIONS"}
    with pytest.raises(AssertionError) as caught:
        assert_all_routes_protected(app)
    for method in ("POST", "HEAD", "OPTIONS"):
        assert f"  {method} /orders is not protected" in str(caught.value)
    assert failing(app, except_=["POST,HEAD,OPTIONS /orders"]) == set()


def test_options_that_a_view_answers_itself_are_called():
    app, _ = application()
    app.add_url_rule("/orders", "orders", fresh_view(), methods=["OPTIONS"], provide_automatic_options=False)
    assert is_open(app, method="OPTIONS")
    assert failing(app) == {"/orders"}


class Dispatching(View):
    @GUARD.requires("read")
    def dispatch_request(self):
        return "up"


class DispatchingBelow(Dispatching):
    def dispatch_request(self):
        return "up"


class CallingSuper(Dispatching):
    def dispatch_request(self):
        return super().dispatch_request()


@pytest.mark.parametrize("kind", [Dispatching, DispatchingBelow, CallingSuper])
def test_the_method_that_dispatches_is_read(kind):
    app, _ = application()
    app.add_url_rule("/orders", view_func=kind.as_view("orders"))
    assert ("/orders" in failing(app)) is is_open(app)


def test_applications_beside_each_other_are_surveyed():
    app = decorated()
    other = by_url_rule(guarded=False)
    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/other": other})  # type: ignore[method-assign]
    assert is_open(app, "/other/orders")
    assert failing(app) == {"/other/orders"}
    around = DispatcherMiddleware(decorated(), {"/other": other, "/guarded": decorated()})
    assert is_open(around, "/other/orders")
    assert failing(around) == {"/other/orders"}
    assert failing(BearerAuthMiddleware(around, SERVER)) == set()


class Answers:
    def __init__(self, app):
        self.app = app

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == "/orders":
            start_response("200 OK", [])
            return [b"up"]
        return self.app(environ, start_response)


def test_middleware_that_may_answer_before_the_guard_is_found():
    app = with_wsgi(Answers)
    assert is_open(app)
    assert failing(app) == {"/*"}
    behind = with_wsgi(Answers, lambda app: BearerAuthMiddleware(app, SERVER))
    assert (failing(behind), is_open(behind)) == (set(), False)


def test_another_application_in_the_place_of_flasks_is_surveyed():
    app = decorated()
    app.wsgi_app = by_url_rule(guarded=False)  # type: ignore[method-assign]
    assert is_open(app)
    assert failing(app) == {"/orders"}


def test_a_class_of_applications_that_skips_the_hooks_is_found():
    class Own(Flask):
        def preprocess_request(self, *_: Any):
            return None

    app = Own("shop", static_folder=None)
    M2MGuard(app, SERVER).protect(app, "read")
    app.get("/orders")(fresh_view())
    assert is_open(app)
    assert failing(app) == {"/*"}


def test_error_handlers_let_nobody_in():
    app = decorated()
    app.errorhandler(404)(lambda error: ("up", 200))
    assert is_open(app, "/unknown")
    assert failing(app) == set()


def test_public_paths_and_probes_are_named_in_the_exceptions():
    app, guard = application()
    guard.protect(app, "read", public=["/docs/", "/ready", "GET /orders"])
    for path in ("/docs/a", "/docs/<name>", "/<name>", "/inner/<name>"):
        app.get(path, endpoint=path)(fresh_view())
    app.route("/orders", methods=["GET", "POST"])(fresh_view())
    app.add_url_rule("/ready", view_func=readiness)
    opened = {one for one in ("/docs/a", "/docs/x", "/orders", "/ready", "/inner/x") if is_open(app, one)}
    assert opened == {"/docs/a", "/docs/x", "/orders"}  # the probe answers 503
    assert failing(app) == {"/docs/a", "/docs/<name>", "/<name>", "/orders"}
    assert failing(app, except_=["/docs/", "GET /orders"]) == {"/<name>"}
    assert failing(app, except_=["/docs/", "GET /orders", "/<name>"]) == set()


def test_public_paths_of_an_application_below_another_are_its_own():
    app, guard = application()
    guard.protect(app, "read", public=["/orders"])
    app.get("/orders", endpoint="orders")(fresh_view())
    app.get("/below/orders", endpoint="below")(fresh_view())
    around = DispatcherMiddleware(decorated(), {"/below": app})
    opened = {path for path in ("/orders", "/below/orders", "/below/below/orders") if is_open(around, path)}
    assert opened == failing(around) == {"/below/orders"}


def test_a_public_head_beside_a_protected_get_is_found():
    app, guard = application()
    guard.protect(app, public=["HEAD /orders", "HEAD /class"])
    app.get("/orders")(fresh_view())
    app.add_url_rule("/class", view_func=Methods.as_view("class"))
    assert is_open(app, method="HEAD")
    assert not is_open(app)
    assert failing(app) == {"/orders", "/class"}
    assert failing(app, except_=["HEAD /orders", "HEAD /class"]) == set()

"""The Flask adapter: configuration, decorators, blueprints, error handlers. The common behavior is in tests/contract."""

import functools
import json

import pytest
from flask import Blueprint, Flask, jsonify
from flask.views import MethodView, View
from werkzeug.exceptions import HTTPException, Unauthorized

from m2mguard import Caller, ConfigurationError, InvalidToken, Issuer, MissingToken, ResourceServer
from m2mguard.flask import M2MGuard, current_caller
from m2mguard.testing import SHOPPING_API, LocalIssuer


@pytest.fixture
def app():
    return Flask(__name__)


@pytest.fixture
def guard(app, server):
    return M2MGuard(app, server)


@pytest.fixture
def client(app):
    return app.test_client()


def test_current_caller_is_the_caller_of_the_request(app, guard, client, bearer):
    @app.get("/orders")
    @guard.requires("read:orders")
    def orders():
        assert isinstance(current_caller, Caller)
        return {"app": current_caller.app_id, "scopes": sorted(current_caller.scopes)}

    answer = client.get("/orders", headers=bearer("app-orders"))
    assert answer.json == {"app": "app-orders", "scopes": ["read:orders"]}


def test_a_refusal_has_our_body_and_headers(app, guard, client, bearer, server):
    @app.get("/orders")
    @guard.requires("write:orders")
    def orders():
        raise AssertionError("must not be called")

    answer = client.get("/orders", headers=bearer())
    assert answer.status_code == 403
    assert answer.json["error"] == "insufficient_scope"
    assert answer.headers["WWW-Authenticate"].endswith('scope="write:orders"')
    assert answer.headers["Cache-Control"] == "no-store"
    assert client.get("/orders").headers["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize(
    "arguments", [{"any_scope": ["a", "b"]}, {"app_ids": ["app-admin"]}, {"organization": "org-red"}]
)
def test_requires_accepts_every_argument_of_a_requirement(app, guard, client, bearer, arguments):
    app.get("/orders")(guard.requires(**arguments)(lambda: "in"))
    assert client.get("/orders", headers=bearer(organization_id="org-blue")).status_code == 403
    app_id = arguments.get("app_ids", ["app-orders"])[0]
    valid = bearer(app_id, scopes=["b"], organization_id=arguments.get("organization"))
    assert client.get("/orders", headers=valid).status_code == 200


def test_the_organization_can_be_taken_from_the_route(app, guard, client, bearer):
    @app.get("/orgs/<org>")
    @guard.requires(organization=lambda request: request.view_args["org"])
    def organization(org):
        return org

    headers = bearer(organization_id="org-blue")
    assert client.get("/orgs/org-blue", headers=headers).text == "org-blue"
    assert client.get("/orgs/org-red", headers=headers).status_code == 403
    assert client.get("/orgs/*", headers=headers).status_code == 403


def test_an_async_view_is_protected(app, guard, client, bearer):
    @app.get("/orders")
    @guard.requires("read:orders")
    async def orders():
        return current_caller.app_id

    assert client.get("/orders", headers=bearer("app-orders")).text == "app-orders"
    assert client.get("/orders").status_code == 401


def test_an_async_view_awaits_keys_on_its_own_loop(app, monkeypatch):
    monkeypatch.delattr(ResourceServer, "authenticate")  # it blocks that loop
    with LocalIssuer() as issuer:
        app.config |= {"M2MGUARD_ISSUER": issuer.url, "M2MGUARD_AUDIENCE": SHOPPING_API}
        guard = M2MGuard(app)

        @app.get("/orders")
        @guard.requires()
        async def orders():
            return current_caller.app_id

        headers = {"Authorization": f"Bearer {issuer.mint()}"}
        assert [app.test_client().get("/orders", headers=headers).status_code for _ in range(2)] == [200, 200]
        assert issuer.count("jwks") == 1


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_view_class_is_protected_by_its_decorators(app, guard, client, bearer, method):
    class Orders(MethodView):
        decorators = [guard.requires("read:orders")]

        def get(self):
            return current_caller.app_id

        async def post(self):
            return current_caller.app_id

    app.add_url_rule("/orders", view_func=Orders.as_view("orders"))
    assert client.open("/orders", method=method, headers=bearer("app-orders")).text == "app-orders"
    assert client.open("/orders", method=method).status_code == 401
    assert client.options("/orders").status_code == 401


def test_protecting_a_blueprint_includes_nested_blueprints_only(app, guard, client, bearer):
    outer, inner = Blueprint("outer", __name__), Blueprint("inner", __name__)
    guard.protect(outer, "read:orders")
    outer.get("/orders")(lambda: current_caller.app_id)
    inner.get("/deep")(lambda: current_caller.app_id)
    outer.register_blueprint(inner, url_prefix="/inner")
    app.register_blueprint(outer, url_prefix="/api")
    app.get("/open", endpoint="open")(lambda: "open")
    for path in ("/api/orders", "/api/inner/deep"):
        assert client.get(path).status_code == 401
        assert client.options(path).status_code == 401
        assert client.get(path, headers=bearer(scopes=["other"])).status_code == 403
        assert client.get(path, headers=bearer("app-orders")).text == "app-orders"
    assert client.get("/open").status_code == 200


def test_protecting_an_app_includes_unknown_paths_and_static_files(app, guard, client, bearer):
    guard.protect(app, public=["/healthz", "/docs/"])
    app.get("/healthz", endpoint="healthz")(lambda: "up")
    app.get("/docs/<page>", endpoint="docs")(lambda page: page)
    assert client.get("/healthz").text == "up"
    assert client.get("/docs/a").text == "a"
    for path in (
        "/docs/%61",
        "/docs/",
        "/docs",
        "/healthz/",
        "//healthz",
        "/unknown",
        "/static/x.css",
        "/docs/..%2fsecret",
    ):
        assert client.get(path).status_code == 401
    assert client.get("/unknown", headers=bearer()).status_code == 404


def test_requirements_of_app_blueprint_and_view_are_combined(app, guard, client, bearer):
    blueprint = Blueprint("orders", __name__)
    guard.protect(app, "a")
    guard.protect(blueprint, "b")
    blueprint.get("/orders")(guard.requires("c")(lambda: "in"))
    app.register_blueprint(blueprint)
    assert client.get("/orders", headers=bearer(scopes=list("abc"))).status_code == 200
    for scopes in ("ab", "bc", "ac"):
        assert client.get("/orders", headers=bearer(scopes=list(scopes))).status_code == 403


def test_the_automatic_options_answer_of_a_view_is_protected(app, guard, client, bearer):
    app.get("/orders")(guard.requires("read:orders")(lambda: "in"))
    app.get("/open", endpoint="open")(lambda: "open")
    assert client.options("/orders").status_code == 401
    assert client.options("/orders", headers=bearer()).status_code == 200
    assert client.options("/open").status_code == 200


def test_a_view_that_handles_options_itself_is_protected(app, guard, client, bearer):
    app.route("/orders", methods=["OPTIONS"])(guard.requires("read:orders")(lambda: "mine"))
    assert client.options("/orders").status_code == 401
    assert client.options("/orders", headers=bearer()).text == "mine"


def test_preflights_pass_only_if_they_are_exempt(server, bearer):
    preflight = {"Origin": "https://shop.example", "Access-Control-Request-Method": "GET"}
    for guard, status in ((M2MGuard(server=server), 401), (M2MGuard(server=server, preflight="exempt"), 200)):
        app = Flask(__name__)
        guard.init_app(app)
        guard.protect(app)
        app.get("/orders")(guard.requires("read:orders")(lambda: "in"))
        assert app.test_client().options("/orders", headers=preflight).status_code == status
        assert app.test_client().options("/orders").status_code == 401


PREFLIGHT = {"Origin": "https://shop.example", "Access-Control-Request-Method": "DELETE"}


@pytest.fixture
def exempting_guard(app, server):
    guard = M2MGuard(app, server, preflight="exempt")
    guard.protect(app, public=["GET /open/"])
    return guard


def test_an_exempt_preflight_reaches_no_view_with_its_own_options(app, exempting_guard, client, bearer):
    called = []
    app.route("/orders", methods=["GET", "OPTIONS"])(lambda: called.append(1) or "all the orders")
    for view in (MethodView, View):
        options_view = type(
            "Stock", (view,), {"methods": ["GET", "OPTIONS"], "options": lambda self: called.append(1) or ""}
        )
        options_view.dispatch_request = getattr(options_view, "dispatch_request", None) or options_view.options  # type: ignore[attr-defined]
        app.add_url_rule(f"/{view.__name__}", view_func=options_view.as_view(view.__name__))  # type: ignore[attr-defined]
    for path in ("/orders", "/MethodView", "/View"):
        assert client.options(path, headers=PREFLIGHT).status_code == 401
    assert called == []
    assert client.options("/orders", headers=PREFLIGHT | bearer()).text == "all the orders"


def test_flask_and_after_request_answer_an_exempt_preflight(app, exempting_guard, client):
    @app.after_request
    def cors(response):
        response.headers["Access-Control-Allow-Origin"] = "https://shop.example"
        return response

    app.delete("/orders")(exempting_guard.requires("delete:orders")(lambda: "deleted"))
    for path, status in (("/orders", 200), ("/unknown", 401)):
        answer = client.options(path, headers=PREFLIGHT)
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert set(client.options("/orders", headers=PREFLIGHT).allow) == {"DELETE", "OPTIONS"}


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({"X-HTTP-Method-Override": "DELETE"}, b""),
        ({"Proxy-Authorization": "Basic eDp5"}, b""),
        ({}, b"_method=DELETE"),
    ],
)
def test_a_request_with_more_than_a_browser_sends_is_no_preflight(app, exempting_guard, client, fields, body):
    app.delete("/orders")(exempting_guard.requires()(lambda: "deleted"))
    assert client.options("/orders", headers=PREFLIGHT).status_code == 200
    assert client.options("/orders", headers=PREFLIGHT | fields, data=body).status_code == 401


def test_public_paths_may_have_methods_spaces_and_any_letters(app, exempting_guard, client):
    app.route("/open/<name>", methods=["GET", "POST"])(lambda name: name)
    assert client.get("/open/mein bericht").text == "mein bericht"
    assert client.get("/open/größe").text == client.get("/open/gr%C3%B6%C3%9Fe").text == "größe"
    for refused in (client.get("/open/"), client.post("/open/a"), client.get("/open/a?_method=POST")):
        assert refused.status_code == 401


# --- A decorator above the route, which the app does not see


def above_the_route(app, guard):
    @guard.requires("read:orders")
    @app.get("/orders")
    def orders():
        raise AssertionError("must not be called")


def above_the_route_of_an_async_view(app, guard):
    @guard.requires("read:orders")
    @app.get("/orders", endpoint="orders")
    async def orders():
        raise AssertionError("must not be called")


def above_the_route_of_a_blueprint(app, guard):
    blueprint = Blueprint("shop", __name__)
    above_the_route(blueprint, guard)
    app.register_blueprint(blueprint)


def above_another_decorator(app, guard):
    def with_log(view):
        return functools.wraps(view)(lambda: view())

    @guard.requires("read:orders")
    @with_log
    @app.get("/orders")
    def orders():
        raise AssertionError("must not be called")


def between_two_routes(app, guard):
    @app.get("/v2/orders", endpoint="v2")
    @guard.requires("read:orders")
    @app.get("/orders")
    def orders():
        return "in"


def above_a_route_whose_view_has_a_weaker_guard(app, guard):
    @guard.requires("read:orders")
    @app.get("/orders")
    @guard.requires()
    def orders():
        raise AssertionError("must not be called")


def around_a_class_of_views(app, guard):
    class Orders(View):
        def dispatch_request(self):
            raise AssertionError("must not be called")

    view = Orders.as_view("orders")
    app.add_url_rule("/orders", view_func=view)
    guard.requires("read:orders")(view)


REVERSED = [
    above_the_route,
    above_the_route_of_an_async_view,
    above_the_route_of_a_blueprint,
    above_another_decorator,
    between_two_routes,
    above_a_route_whose_view_has_a_weaker_guard,
    around_a_class_of_views,
]


@pytest.mark.parametrize("register", REVERSED, ids=lambda register: register.__name__)
def test_a_view_with_a_reversed_decorator_is_never_called(app, guard, client, bearer, register):
    """The app does not see the decorator, so every request fails with an error that explains the right order."""
    register(app, guard)
    assert client.get("/orders").status_code == 500
    app.testing = True
    for headers in ({}, bearer()):
        for method in ("GET", "HEAD", "OPTIONS"):
            with pytest.raises(ConfigurationError, match=r"below the route") as refused:
                client.open("/orders", method=method, headers=headers)
            assert "orders'" in str(refused.value)


@pytest.mark.parametrize("register", REVERSED, ids=lambda register: register.__name__)
def test_the_log_names_a_view_with_a_reversed_decorator_once(app, guard, client, caplog, register):
    register(app, guard)
    app.get("/open", endpoint="open")(lambda: "open")
    assert client.get("/open").text == client.get("/open").text == "open"
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert "orders'" in record.getMessage()
    assert "below the route" in record.getMessage()


def test_another_route_of_the_view_with_the_right_order_works(app, guard, client, bearer):
    between_two_routes(app, guard)
    assert client.get("/v2/orders", headers=bearer()).text == "in"
    assert client.get("/v2/orders").status_code == 401


def test_one_view_may_have_other_requirements_on_each_route(app, guard, client, bearer):
    def orders():
        return "in"

    app.get("/a", endpoint="a")(guard.requires("a")(orders))
    app.get("/b", endpoint="b")(guard.requires("b")(orders))
    assert [client.get(path, headers=bearer(scopes=["a"])).status_code for path in ("/a", "/b")] == [200, 403]


def test_a_registered_view_may_be_replaced_by_a_protected_one(app, guard, client, bearer):
    app.get("/orders", endpoint="orders")(lambda: "in")
    app.view_functions["orders"] = guard.requires()(app.view_functions["orders"])
    assert client.get("/orders").status_code == 401
    assert client.get("/orders", headers=bearer()).text == "in"


def test_a_decorator_for_one_app_does_not_affect_another(guard, server):
    def orders():
        return "in"

    guard.requires()(orders)
    other = Flask("other")
    M2MGuard(other, server)
    other.get("/orders")(orders)
    assert other.test_client().get("/orders").text == "in"


def test_requires_rejects_a_class(guard):
    with pytest.raises(ConfigurationError, match="decorators"):
        guard.requires()(type("Orders", (MethodView,), {}))


def test_an_error_handler_of_the_app_gets_the_refusal(app, guard, client):
    errors = []

    @app.errorhandler(Unauthorized)
    def unauthorized(error):
        errors.append(error)
        response = error.get_response()
        response.set_data(json.dumps({"problem": error.description}))
        return response

    app.get("/orders")(guard.requires()(lambda: "in"))
    answer = client.get("/orders")
    assert (answer.status_code, answer.json) == (401, {"problem": "A bearer token is required"})
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert isinstance(errors[0].__cause__, MissingToken)


@pytest.mark.parametrize("handled", [401, HTTPException])
def test_handlers_by_status_and_for_every_http_error_work(app, guard, client, handled):
    app.register_error_handler(handled, lambda error: (jsonify(mine=True), error.code))
    app.get("/orders")(guard.requires()(lambda: "in"))
    answer = client.get("/orders")
    assert (answer.status_code, answer.json) == (401, {"mine": True})


def test_an_error_of_a_view_is_raised_even_if_it_is_one_of_ours(app, guard, client, bearer):
    @app.get("/orders")
    @guard.requires()
    def orders():
        raise InvalidToken("expired", "raised by the view itself")

    app.testing = True
    with pytest.raises(InvalidToken):
        client.get("/orders", headers=bearer())


def test_the_caller_is_removed_after_the_request(app, guard, client, bearer):
    app.get("/orders")(guard.requires()(lambda: current_caller.app_id))
    app.get("/open", endpoint="open")(lambda: repr(current_caller.app_id))
    app.testing = True
    with app.app_context():  # both requests share it and its `g`
        assert client.get("/orders", headers=bearer()).status_code == 200
        with pytest.raises(RuntimeError, match="no Caller"):
            client.get("/open")


def test_outside_a_request_there_is_no_caller():
    with pytest.raises(RuntimeError):
        current_caller.app_id  # noqa: B018


def test_several_apps_of_one_guard_have_their_own_settings(issuer, bearer):
    guard = M2MGuard()
    shared = Blueprint("orders", __name__)
    shared.get("/orders")(guard.requires()(lambda: current_caller.app_id))
    clients = {}
    for audience in (SHOPPING_API, "https://stock.api"):
        app = Flask(__name__)
        app.config["M2MGUARD_ISSUER"] = Issuer(url=issuer.url, jwks=issuer.jwks)
        app.config["M2MGUARD_AUDIENCE"] = audience
        guard.init_app(app)
        app.register_blueprint(shared)
        clients[audience] = app.test_client()
    for audience, client in clients.items():
        for token_audience in clients:
            status = client.get("/orders", headers=bearer(audience=token_audience)).status_code
            assert status == (200 if token_audience == audience else 401)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "M2MGUARD_ISSUER"),
        ({"M2MGUARD_ISSUER": "https://issuer.example"}, "M2MGUARD_AUDIENCE"),
        ({"M2MGUARD_ISSUER": "https://issuer.example", "M2MGUARD_AUDIENCE": "a", "M2MGUARD_AUDIENCES": "b"}, "M2MGUARD_AUDIENCES"),
        ({"M2MGUARD_ISSUER": "http://issuer.example", "M2MGUARD_AUDIENCE": "a"}, "https"),
    ],
)  # fmt: skip
def test_an_invalid_setting_is_rejected_when_the_app_is_built(app, config, message):
    app.config |= config
    with pytest.raises(ConfigurationError, match=message):
        M2MGuard(app)


def test_other_settings_of_the_app_are_ignored(app, issuer):
    app.config |= {"M2MGUARD_ISSUER": issuer.url, "M2MGUARD_AUDIENCE": SHOPPING_API, "SECRET_KEY": "x"}
    M2MGuard(app)
    (health,) = app.extensions["m2mguard"].health().issuers
    assert health.issuer == issuer.url


def test_an_app_has_one_guard(app, guard, server):
    with pytest.raises(ConfigurationError, match="already"):
        M2MGuard(app, server)
    with pytest.raises(ConfigurationError, match="ResourceServer"):
        M2MGuard(server=app)
    with pytest.raises(ConfigurationError, match="preflight"):
        M2MGuard(preflight="allow")  # type: ignore[arg-type]


def test_an_app_without_init_app_admits_no_request(server, app, client, bearer):
    app.get("/orders")(M2MGuard(server=server).requires()(lambda: "in"))
    app.testing = True
    with pytest.raises(RuntimeError, match="init_app"):
        client.get("/orders", headers=bearer())


def test_options_must_satisfy_every_decorator_of_a_view(app, guard, client, bearer):
    class Orders(View):
        decorators = [guard.requires("a"), guard.requires("b")]

        def dispatch_request(self):
            return "in"

    app.add_url_rule("/orders", view_func=Orders.as_view("orders"))
    assert client.options("/orders").status_code == 401
    assert client.options("/orders", headers=bearer(scopes=["a"])).status_code == 403
    assert client.options("/orders", headers=bearer(scopes=["b"])).status_code == 403
    assert client.options("/orders", headers=bearer(scopes=["a", "b"])).status_code == 200


def test_flask_m2mguard_health_shows_the_keys_and_fails_without_them(app):
    with LocalIssuer() as issuer:
        app.config |= {"M2MGUARD_ISSUER": issuer.url, "M2MGUARD_AUDIENCE": SHOPPING_API}
        M2MGuard(app)
        valid = app.test_cli_runner().invoke(args=["m2mguard", "health"])
        assert valid.exit_code == 0, valid.output
        assert json.loads(valid.output)["issuers"][0]["keys"][0]["key_id"] == issuer.current_key.kid
    other = Flask(__name__)
    other.config |= app.config
    M2MGuard(other)
    invalid = other.test_cli_runner().invoke(args=["m2mguard", "health"])
    assert invalid.exit_code == 1
    assert json.loads(invalid.output)["ready"] is False

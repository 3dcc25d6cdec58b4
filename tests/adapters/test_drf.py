"""The adapter for Django REST framework: permissions, throttles, schema. The common behavior is in tests/contract."""

import subprocess
import sys
import types
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.test import override_settings
from django.urls import path
from rest_framework.authentication import BaseAuthentication
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import AllowAny, IsAdminUser, IsAuthenticated
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.throttling import UserRateThrottle
from rest_framework.views import APIView
from rest_framework.viewsets import ViewSet

from m2mguard import Caller, ConfigurationError, InsufficientScope, Issuer, MissingToken, ResourceServer
from m2mguard.drf import HasScopes, M2MAuthentication, Machine, RefusedRequest, caller_of
from m2mguard.testing import SHOPPING_API, LocalIssuer


class Orders(APIView):
    authentication_classes = (M2MAuthentication,)

    def get(self, request, **_):
        return Response({"app": request.auth.app_id, "user": str(request.user)})

    post = get


def view(*permissions, authentication=M2MAuthentication, base=Orders, **members):
    """A view class with these permissions."""
    members |= {"permission_classes": permissions or (AllowAny,), "authentication_classes": [authentication]}
    return type("Guarded", (base,), members)


@pytest.fixture
def call(server, client):
    """Send one request to a view: `call(view, headers)`."""

    def send(view: Any, headers=None, method="get", path_="/orders/", **overrides):
        urls: Any = types.ModuleType("urls")
        callback = view.as_view() if hasattr(view, "as_view") else view
        urls.urlpatterns = [path("orders/", callback), path("orgs/<organization>/", callback)]
        with override_settings(M2MGUARD={"SERVER": server}, ROOT_URLCONF=urls, **overrides):
            return getattr(client, method)(path_, headers=headers or {})

    return send


@pytest.fixture
def client():
    return APIClient()


def test_request_auth_is_the_caller_and_request_user_a_machine(call, bearer):
    answer = call(view(HasScopes("read:orders")), bearer("app-orders"))
    assert answer.json() == {"app": "app-orders", "user": "app-orders"}


def test_caller_of_returns_the_caller_of_an_authenticated_request(call, bearer):
    class Typed(Orders):
        def get(self, request, **_):
            return Response(caller_of(request).app_id)

    assert call(view(base=Typed), bearer("app-mine")).json() == "app-mine"
    open_view = type("OpenView", (Typed,), {"authentication_classes": ()})
    with pytest.raises(RuntimeError, match="M2MAuthentication"):
        call(open_view, bearer("app-mine"))


@pytest.mark.parametrize("permissions", [(), (HasScopes("read:orders"),), (IsAuthenticated,)])
def test_a_request_without_a_token_is_401_with_any_permissions(call, permissions):
    answer = call(view(*permissions))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {"error": "unauthorized", "error_description": "A bearer token is required"}


def test_an_invalid_token_is_401_and_an_invalid_field_400(call, bearer):
    answer = call(view(), {"Authorization": "Bearer a.b.c"})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert call(view(), {"Authorization": "Bearer a b"}).status_code == 400


def test_a_missing_scope_is_403_with_our_challenge(call, bearer):
    answer = call(view(HasScopes("write:orders")), bearer())
    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"].endswith('scope="write:orders"')
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["error"] == "insufficient_scope"


def test_unavailable_keys_are_503_with_retry_after(call):
    unreachable_issuer = LocalIssuer()  # not running
    unreachable = type(
        "Unreachable", (M2MAuthentication,), {"server": ResourceServer(unreachable_issuer.url, audience=SHOPPING_API)}
    )
    answer = call(view(authentication=unreachable), {"Authorization": f"Bearer {unreachable_issuer.mint()}"})
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) >= 1
    assert "WWW-Authenticate" not in answer.headers
    assert answer.json()["error"] == "temporarily_unavailable"


def test_without_has_scopes_a_token_of_an_organization_is_refused(call, bearer):
    headers = bearer(organization_id="org-blue")
    assert call(view(), headers).status_code == 403
    for permission in (
        IsAuthenticated,
        HasScopes() | IsAuthenticated,
        ~HasScopes("x"),
        HasScopes(),
        HasScopes("read:orders"),
    ):
        assert call(view(permission), headers).status_code == 403


def test_has_scopes_may_require_an_organization(call, bearer):
    blue, none = bearer(organization_id="org-blue"), bearer()
    anyone, only_blue = HasScopes(organization="*"), HasScopes(organization="org-blue")
    for permission in (anyone, anyone & IsAuthenticated, anyone | HasScopes("x", organization="*")):
        assert call(view(permission), blue).status_code == 200
        assert call(view(permission), none).status_code == 200
    assert call(view(only_blue), blue).status_code == 200
    assert call(view(only_blue), none).status_code == 403


def by_user(self):
    return [HasScopes("admin")()] if self.request.user.is_staff else [HasScopes(organization="org-blue")()]


def by_auth(self):
    return [HasScopes(organization=self.request.auth.organization_id)()]


def by_authenticator(self):
    ours = isinstance(self.request.successful_authenticator, M2MAuthentication)
    return [HasScopes(organization="*")()] if ours else [IsAdminUser()]


def by_method(self):
    return [HasScopes("write:orders")()] if self.request.method == "POST" else [HasScopes(organization="*")()]


def without_requirement(self):
    return [IsAuthenticated()] if self.request.user.is_authenticated else []


def with_scopes_only(self):
    return [HasScopes("read:orders")()] if isinstance(self.request.user, Machine) else []


@pytest.mark.parametrize(
    ("get_permissions", "allowed"),
    [
        (by_user, True),
        (by_auth, True),
        (by_authenticator, True),
        (by_method, True),
        (without_requirement, False),
        (with_scopes_only, False),
    ],
)
def test_permissions_may_depend_on_the_caller(call, bearer, get_permissions, allowed):
    dependent = view(get_permissions=get_permissions)
    assert call(dependent).status_code == 401
    assert call(dependent, {"Authorization": "Bearer a.b.c"}).status_code == 401
    answer = call(dependent, bearer(organization_id="org-blue"))
    assert answer.status_code == (200 if allowed else 403)
    if not allowed:
        assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="api", error="insufficient_scope"')


@pytest.mark.parametrize("get_permissions", [by_user, by_auth, by_authenticator, without_requirement, with_scopes_only])
def test_permissions_that_depend_on_the_caller_apply_to_global_tokens(call, bearer, get_permissions):
    dependent = view(get_permissions=get_permissions)
    assert call(dependent, bearer()).status_code == (403 if get_permissions is by_user else 200)


def test_get_permissions_is_called_twice_only_for_organization_tokens(call, bearer):
    calls = []

    class Counted(Orders):
        def get_permissions(self):
            calls.append(self.request.auth.organization_id)
            return [HasScopes(organization="*")()]

    call(Counted, bearer())
    call(Counted, bearer(organization_id="org-blue"))
    assert calls == [None, "org-blue", "org-blue"]


def test_a_view_without_permissions_refuses_an_organization_token(call, bearer):
    without_permissions = type("Unasked", (Orders,), {"permission_classes": []})
    assert call(without_permissions, bearer()).status_code == 200
    assert call(without_permissions, bearer(organization_id="org-blue")).status_code == 403
    without_check = type(
        "Unchecked", (Orders,), {"check_permissions": lambda self, request: None, "permission_classes": []}
    )
    assert call(without_check, bearer(organization_id="org-blue")).status_code == 403


def test_permissions_of_a_view_set_may_depend_on_the_action(call, bearer):
    class OrderSet(ViewSet):
        authentication_classes = (M2MAuthentication,)

        def get_permissions(self):
            assert self.request.user.is_authenticated
            return [HasScopes(organization="*")()] if self.action == "list" else [IsAuthenticated()]

        def create(self, request):
            return Response()

        def list(self, request):
            return Response()

    orders = OrderSet.as_view({"get": "list", "post": "create"})
    headers = bearer(organization_id="org-blue")
    assert call(orders, headers).status_code == 200
    assert call(orders, headers, method="post").status_code == 403


def test_a_refused_token_leaves_no_user_and_no_auth(call, bearer):
    """After a refusal there is no user and no auth; errors of `get_permissions` are raised."""
    observed = []

    class Observed(Orders):
        def get_permissions(self):
            observed.append(self.request.user)
            if self.raises is not None:
                raise self.raises
            return []

        def handle_exception(self, exc):
            observed.append((type(self.request.user).__name__, self.request.auth))
            with pytest.raises(type(exc)):  # a second call does not treat the token as valid
                M2MAuthentication().authenticate(self.request)
            return super().handle_exception(exc)

        raises: Exception | None = None

    headers = bearer(organization_id="org-blue")
    assert call(Observed, headers).status_code == 403
    assert isinstance(observed[0], Machine)
    assert observed[1] == ("AnonymousUser", None)
    for raises, status in ((Http404(), 404), (PermissionDenied(), 403)):
        observed.clear()
        assert call(type("Raising", (Observed,), {"raises": raises}), headers).status_code == status
        assert observed[1][1] is None
        assert observed[1][0] in ("NoneType", "AnonymousUser")


def test_permissions_may_depend_on_the_kind_of_credential(call, bearer):
    mixed = type(
        "Mixed",
        (Orders,),
        {"authentication_classes": (ByHeader, M2MAuthentication), "get_permissions": by_authenticator},
    )
    assert call(mixed, bearer(organization_id="org-blue")).status_code == 200
    assert call(mixed).status_code == 401


def test_reading_the_user_early_refuses_organization_tokens(call, bearer):
    class Early(Orders):
        permission_classes = (HasScopes(organization="*"),)

        def initialize_request(self, request, *args, **kwargs):
            early = super().initialize_request(request, *args, **kwargs)
            assert early.user.is_authenticated
            return early

    assert call(Early, bearer()).status_code == 200
    with pytest.raises(RefusedRequest):
        call(Early, bearer(organization_id="org-blue"))


def test_the_organization_can_be_taken_from_the_route(call, bearer):
    of_route = HasScopes(organization=lambda request: request.parser_context["kwargs"]["organization"])
    headers = bearer(organization_id="blue")
    assert call(view(of_route), headers, path_="/orgs/blue/").status_code == 200
    assert call(view(of_route), headers, path_="/orgs/red/").status_code == 403


@pytest.mark.parametrize("arguments", [{"any_scope": ["a", "b"]}, {"app_ids": ["app-admin"]}])
def test_has_scopes_accepts_every_argument_of_a_requirement(call, bearer, arguments):
    good = bearer(arguments.get("app_ids", ["app-orders"])[0], scopes=["b"])
    assert call(view(HasScopes(**arguments)), bearer()).status_code == 403
    assert call(view(HasScopes(**arguments)), good).status_code == 200


class ByMethod(Orders):
    authentication_classes = (M2MAuthentication,)
    required_scopes = {"GET": ["read"], "POST": ["write"], "DELETE": []}

    def delete(self, _):
        return Response("gone")

    def patch(self, _):
        return Response("changed")


@pytest.mark.parametrize(
    ("method", "scopes", "status"),
    [
        ("get", ["read"], 200), ("get", ["write"], 403), ("head", ["read"], 200), ("head", [], 403),
        ("post", ["write"], 200), ("post", ["read"], 403), ("delete", [], 200), ("options", [], 200), ("put", [], 405),
    ],
)  # fmt: skip
def test_required_scopes_may_depend_on_the_method(call, bearer, method, scopes, status):
    answer = call(ByMethod, bearer(scopes=scopes), method)
    assert answer.status_code == status
    if status == 403:
        expected = "write" if method == "post" else "read"
        assert f'scope="{expected}"' in answer.headers["WWW-Authenticate"]
    assert call(ByMethod, method=method).status_code == 401


def test_a_method_without_required_scopes_is_an_error(call, bearer):
    with pytest.raises(ConfigurationError, match="names neither the method PATCH nor the action None"):
        call(ByMethod, bearer(scopes=["read", "write"]), "patch")


class ByAction(ViewSet):
    authentication_classes = (M2MAuthentication,)
    required_scopes = {"list": ["read"], "POST": ["write"], "GET": ["never"]}

    def list(self, _):
        return Response("in")

    def create(self, _):
        return Response("made")


@pytest.mark.parametrize(
    ("method", "scopes", "status"),
    [("get", ["read"], 200), ("get", ["write"], 403), ("post", ["write"], 200), ("post", ["read"], 403)],
)
def test_required_scopes_of_an_action_take_precedence_over_the_method(call, bearer, method, scopes, status):
    assert (
        call(ByAction.as_view({"get": "list", "post": "create"}), bearer(scopes=scopes), method).status_code == status
    )


def test_required_scopes_of_a_view_apply_with_and_without_has_scopes(call, bearer):
    for permissions in ((), (HasScopes("a"),), (HasScopes(organization="*"),)):
        guarded = view(*permissions, required_scopes=["b"])
        assert call(guarded, bearer(scopes=["a", "b"])).status_code == 200
        refused = call(guarded, bearer(scopes=["a"]))
        assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")


def test_permissions_can_be_combined(call, bearer):
    either, both, neither = HasScopes("a") | HasScopes("b"), HasScopes("a") & HasScopes("b"), ~HasScopes("a")
    granted = {
        "a": bearer(scopes=["a"]),
        "b": bearer(scopes=["b"]),
        "ab": bearer(scopes=["a", "b"]),
        "": bearer(scopes=[]),
    }
    for permission, allowed in ((either, {"a", "b", "ab"}), (both, {"ab"}), (neither, {"b", ""})):
        found = {name for name, headers in granted.items() if call(view(permission), headers).status_code == 200}
        assert found == allowed
    passed = call(view(either), granted["b"])
    assert "WWW-Authenticate" not in passed.headers  # the first permission refuses, but the combination does not


def test_a_requirement_in_a_conjunction_has_its_own_answer(call, bearer):
    permission = HasScopes("read:orders") & IsAuthenticated & HasScopes("write:orders")
    for scopes, lacking in ((["write:orders"], "read:orders"), (["read:orders"], "write:orders")):
        refused = call(view(permission), bearer(scopes=scopes))
        assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
        assert f'scope="{lacking}"' in refused.headers["WWW-Authenticate"]
    assert call(view(permission), bearer(scopes=["read:orders", "write:orders"])).status_code == 200
    either = (HasScopes("read:orders") & IsAuthenticated) | HasScopes("admin")
    assert call(view(either), bearer(scopes=["admin"])).status_code == 200


class ByHeader(BaseAuthentication):
    """Another kind of credential, for people."""

    def authenticate(self, request):
        name = request.headers.get("X-Person")
        return None if name is None else (types.SimpleNamespace(is_authenticated=True, is_staff=True, pk=1), None)


def test_m2m_authentication_works_as_the_last_of_several_classes(call, bearer):
    class Mixed(APIView):
        authentication_classes = (ByHeader, M2MAuthentication)
        permission_classes = (HasScopes("read:orders") | IsAdminUser,)

        def get(self, request):
            return Response({"machine": isinstance(request.auth, Caller)})

    assert call(Mixed, {"X-Person": "alice"}).json() == {"machine": False}
    assert call(Mixed, bearer()).json() == {"machine": True}
    assert call(Mixed).status_code == 401
    assert call(Mixed, bearer(scopes=["other"])).status_code == 403


def test_a_person_does_not_have_scopes(call):
    class Machines(Orders):
        authentication_classes = (ByHeader, M2MAuthentication)  # type: ignore[assignment]
        permission_classes = (HasScopes(),)

    assert call(Machines, {"X-Person": "alice"}).status_code == 403


def test_throttles_count_by_issuer_and_app_id(call, bearer):
    class OncePerHour(UserRateThrottle):
        rate = "1/hour"

    throttled = view(HasScopes(), throttle_classes=[OncePerHour])
    assert call(throttled, bearer("app-one")).status_code == 200
    assert call(throttled, bearer("app-two")).status_code == 200
    refused = call(throttled, bearer("app-one"))
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True)
    other = LocalIssuer()
    both = ResourceServer([Issuer(url=other.url, jwks=other.jwks)], audience=SHOPPING_API)
    of_other = type("OfOther", (M2MAuthentication,), {"server": both})
    same_id = {"Authorization": f"Bearer {other.mint('app-one')}"}
    for status in (200, 429):
        assert (
            call(view(HasScopes(), authentication=of_other, throttle_classes=[OncePerHour]), same_id).status_code
            == status
        )


def test_a_machine_has_no_permissions_of_django(call, bearer):
    assert call(view(IsAuthenticated), bearer()).status_code == 200
    assert call(view(IsAdminUser), bearer()).status_code == 403
    observed: list[Any] = []

    class KeepsUser(Orders):
        def get(self, request, **_):
            observed.append(request.user)
            return Response()

    call(KeepsUser, bearer())
    machine = observed[0]
    assert isinstance(machine, Machine)
    assert (machine.username, machine.get_username(), str(machine)) == ("app-orders",) * 3
    assert machine.pk == f"{machine.caller.issuer}#app-orders"
    assert (machine.is_authenticated, machine.is_active) == (True, True)
    assert not any((machine.is_anonymous, machine.is_staff, machine.is_superuser))
    assert not machine.has_perm("orders.view")
    assert not machine.has_perms(["orders.view"])


def test_function_views_and_view_sets_are_protected(call, bearer):
    @api_view(["GET"])
    @authentication_classes([M2MAuthentication])
    @permission_classes([HasScopes("read:orders")])
    def orders(request):
        return Response({"app": request.auth.app_id})

    class OrderSet(ViewSet):
        authentication_classes = (M2MAuthentication,)
        permission_classes = (HasScopes("read:orders"),)

        def list(self, request):
            return Response({"app": request.auth.app_id})

    for callback in (orders, OrderSet.as_view({"get": "list"})):
        assert call(callback, bearer("app-orders")).json() == {"app": "app-orders"}
        assert call(callback).status_code == 401


def test_options_is_protected_and_post_needs_no_csrf_token(server, bearer, call):
    assert call(view(), method="options").status_code == 401
    assert call(view(), bearer(), method="options").status_code == 200
    csrf_client = APIClient(enforce_csrf_checks=True)
    urls: Any = types.ModuleType("urls")
    urls.urlpatterns = [path("orders/", view().as_view())]
    with override_settings(
        M2MGUARD={"SERVER": server}, ROOT_URLCONF=urls, MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"]
    ):
        assert csrf_client.post("/orders/", headers=bearer()).status_code == 200


def test_a_custom_exception_handler_gets_the_refusal(call):
    """The answer keeps our headers."""
    observed = []

    def handler(error, context):
        observed.append(error)
        return Response({"problem": error.detail["error"]}, status=error.status_code)

    class WithOwnHandler(Orders):
        def get_exception_handler(self):
            return handler

    answer = call(WithOwnHandler)
    assert answer.json() == {"problem": "unauthorized"}
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'
    assert isinstance(observed[0], RefusedRequest)
    assert isinstance(observed[0].refusal, MissingToken)


def test_an_error_of_a_view_is_raised_even_if_it_is_one_of_ours(call, bearer):
    class Broken(Orders):
        def get(self, request, **_):
            raise InsufficientScope("scope", "raised by the view itself")

    with pytest.raises(InsufficientScope):
        call(Broken, bearer())


def test_an_authentication_class_may_have_its_own_server(call, issuer, bearer):
    other = ResourceServer(Issuer(url=issuer.url, jwks=issuer.jwks), audience="https://stock.api", realm="stock")
    stock = type("Stock", (M2MAuthentication,), {"server": other})
    guarded = view(HasScopes("a"), authentication=stock)
    assert call(guarded, bearer()).status_code == 401
    assert call(guarded, bearer(audience="https://stock.api", scopes=["a"])).status_code == 200
    refused = call(guarded, bearer(audience="https://stock.api"))
    assert refused.headers["WWW-Authenticate"].startswith('Bearer realm="stock"')


def test_force_authenticate_accepts_a_caller(call, client, server, issuer):
    caller = server.verify(issuer.mint(scopes=["a"]))
    client.force_authenticate(user=Machine(caller=caller), token=caller)
    assert call(view(HasScopes("a"))).status_code == 200
    assert call(view(HasScopes("b"))).status_code == 403


def test_an_invalid_value_is_rejected_when_the_permission_is_built():
    with pytest.raises(ConfigurationError):
        HasScopes("read orders")
    with pytest.raises(ConfigurationError):
        HasScopes(app_ids="app-orders")


def schema_of(guarded):
    from drf_spectacular.generators import SchemaGenerator

    return SchemaGenerator(patterns=[path("orders/", guarded.as_view())]).get_schema(request=None, public=True)


@pytest.mark.parametrize("get_permissions", [by_user, by_authenticator, without_requirement, with_scopes_only])
def test_a_schema_includes_views_whose_permissions_depend_on_the_caller(get_permissions):
    schema = schema_of(view(get_permissions=get_permissions, http_method_names=("get",), serializer_class=None))
    ((scheme, _scopes),) = schema["paths"]["/orders/"]["get"]["security"][0].items()
    assert scheme == "M2MAuth"


def test_a_view_with_swagger_fake_view_is_still_protected(call):
    assert call(view(swagger_fake_view=True)).status_code == 401


def test_the_schema_shows_the_scheme_and_the_scopes():
    class Documented(Orders):
        permission_classes = (HasScopes("read:orders", any_scope=["a", "b"]) & HasScopes("c"), IsAuthenticated)
        required_scopes = ("d",)
        http_method_names = ("get",)
        serializer_class = None

    schema = schema_of(Documented)
    assert schema["components"]["securitySchemes"]["M2MAuth"] == {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
    }
    security = schema["paths"]["/orders/"]["get"]["security"]
    assert security == [{"M2MAuth": ["d", "read:orders", "c", "a"]}, {"M2MAuth": ["d", "read:orders", "c", "b"]}]


SITE = """
from django.conf import settings
settings.configure(INSTALLED_APPS=["rest_framework"], REST_FRAMEWORK={
    "DEFAULT_AUTHENTICATION_CLASSES": ["m2mguard.drf.M2MAuthentication"], "UNAUTHENTICATED_USER": None})
import django
django.setup()
from rest_framework.views import APIView
assert [found.__name__ for found in APIView.authentication_classes] == ["M2MAuthentication"]
"""


@pytest.mark.parametrize("without", ["", "import sys; sys.modules['drf_spectacular'] = None\n"])
def test_m2m_authentication_can_be_the_default_of_all_views(without):
    done = subprocess.run([sys.executable, "-W", "error", "-c", without + SITE], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_authenticate_header_is_the_challenge_of_the_server(server):
    class Ours(M2MAuthentication):
        pass

    Ours.server = server
    assert Ours().authenticate_header(None) == 'Bearer realm="api"'

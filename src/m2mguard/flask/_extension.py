"""The extension: protects views, blueprints and apps, and finds views that were registered without their guard."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from functools import wraps
from typing import Any, Final, Literal, ParamSpec, TypeVar, cast

from flask import Blueprint, Flask, Request, current_app, request

from m2mguard._server.adapter_arguments import check_arguments, check_certificate
from m2mguard._server.requirement import HasUrl, Requirement
from m2mguard._server.resource_server import ResourceServer
from m2mguard._server.route_marks import RouteGuard, guards_of, mark
from m2mguard.certificates import CertificateReader
from m2mguard.errors import ConfigurationError
from m2mguard.exemptions import Exemptions
from m2mguard.flask._request import CERTIFICATE, EXTENSION, aauthenticate, authenticate
from m2mguard.flask._views import commands, resource_metadata
from m2mguard.wsgi import Head

P = ParamSpec("P")
R = TypeVar("R")
Organization = str | Callable[[Request], str | None] | None

METADATA_ENDPOINT: Final = "m2mguard_resource_metadata"
WITHOUT_GUARD: Final = "__m2mguard_without_guard__"  # on a hook: by identity, the functions that some guard has wrapped


class M2MGuard:
    """Flask's extension. One guard can serve several apps, each with its own settings; it keeps nothing about a request.

    `@guard.requires("read:orders")` protects a view, `guard.protect(blueprint)` a blueprint or an app. The requirements of a view,
    its blueprint and its app add up: a request must meet all of them. The view finds the Caller at `current_caller`.

    Args:
        app: the app to set up; without one, call `init_app`.
        server: verifies tokens and words the answers. Default: built for each app from its configuration, `M2MGUARD_ISSUER` or
            `M2MGUARD_LOGTO_ENDPOINT`, `M2MGUARD_AUDIENCE` and a key for every other setting of `ResourceServer.from_env`.
        preflight: "protect", the default, asks for a token on OPTIONS as on any method; "exempt" lets CORS preflights pass as
            browsers send them (Fetch standard, section 3.3.2), but to no view: one that handles OPTIONS itself needs a token.
        certificate: as for `BearerAuthMiddleware`.

    Raises:
        ConfigurationError: as `init_app`.
    """

    def __init__(
        self,
        app: Flask | None = None,
        server: ResourceServer | None = None,
        *,
        preflight: Literal["protect", "exempt"] = "protect",
        certificate: CertificateReader | None = None,
    ) -> None:
        if server is not None:
            check_arguments(server)
        check_certificate(certificate)
        self._server = server
        self._certificate = certificate
        self._preflights = Exemptions(preflight=preflight)
        self._guarded: dict[int, object] = {}  # by identity, the functions that `requires` has wrapped
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Read the app's configuration, and add `flask m2mguard health`. Fetches nothing.

        With a `resource_url` (`M2MGUARD_RESOURCE_URL`) the API's metadata gets a URL rule, open to anybody (RFC 9728).

        Raises:
            ConfigurationError: a setting that is missing, unknown or invalid; or the app has a guard already.
        """
        if EXTENSION in app.extensions:
            raise ConfigurationError("this app has a guard already; one ResourceServer can take several issuers.")
        server = self._server or ResourceServer.from_settings(app.config, prefix="M2MGUARD_")
        app.extensions[EXTENSION] = server
        if self._certificate is not None:
            app.extensions[CERTIFICATE] = self._certificate
        if server.resource_metadata is not None:
            app.add_url_rule(server.resource_metadata.path, METADATA_ENDPOINT, resource_metadata)
        app.before_request(self._find_unguarded_views(app))
        app.before_request(self._guard_automatic_options)
        app.cli.add_command(commands())

    def requires(
        self,
        *scopes: str,
        any_scope: Collection[str] = (),
        app_ids: Collection[str] = (),
        organization: Organization = None,
        issuers: Collection[str | HasUrl] = (),
        max_age: int | None = None,
        acr: str | Collection[str] = (),
    ) -> Callable[[Callable[P, R]], Callable[P, R]]:
        """Protect a view function, sync or async, or each view of a class: `decorators = [guard.requires("read:orders")]`.

        Put it below `@app.route`. Above it, the app would register the view without its guard: such a view is never called, its requests
        end in a `ConfigurationError`, which the app's log names at its first request. The OPTIONS requests that Flask answers for
        the view are protected, too.

        Args:
            scopes: every one of these must be granted.
            any_scope: as for `Requirement`.
            app_ids: as for `Requirement`.
            organization: as for `Requirement`. A callable is given the Flask request, with its `view_args`.
            issuers: as for `Requirement`.
            max_age: as for `Requirement`.
            acr: as for `Requirement`.

        Raises:
            ConfigurationError: an invalid value; or, when decorating, a class.
        """
        requirement = self._requirement(
            scopes=scopes,
            any_scope=any_scope,
            app_ids=app_ids,
            organization=organization,
            issuers=issuers,
            max_age=max_age,
            acr=acr,
        )

        def decorate(view: Callable[P, R]) -> Callable[P, R]:
            if inspect.isclass(view):
                raise ConfigurationError(
                    "requires() is for views; in a class, give decorators = [guard.requires(...)]."
                )
            if inspect.iscoroutinefunction(view):

                @wraps(view)
                async def guarded_async(*args: P.args, **kwargs: P.kwargs) -> Any:
                    await aauthenticate(requirement)
                    return await cast(Callable[P, Awaitable[Any]], view)(*args, **kwargs)

                guarded = cast(Callable[P, R], guarded_async)
            else:

                @wraps(view)
                def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
                    authenticate(requirement)
                    return view(*args, **kwargs)

            mark(guarded, RouteGuard(requirement=requirement, server=self._server))
            self._guarded |= {id(inner): inner for inner in _wrapped(view)}
            return guarded

        return decorate

    def protect(
        self,
        target: Flask | Blueprint,
        *scopes: str,
        any_scope: Collection[str] = (),
        app_ids: Collection[str] = (),
        organization: Organization = None,
        issuers: Collection[str | HasUrl] = (),
        max_age: int | None = None,
        acr: str | Collection[str] = (),
        public: Iterable[str] = (),
    ) -> None:
        """Protect every request to a blueprint, nested ones included, or to a whole app, unknown paths and static files included.

        Hooks registered before this call run first; it is itself a `before_request` hook.

        Args:
            target: the blueprint or app.
            scopes: as for `requires`.
            any_scope: as for `requires`.
            app_ids: as for `requires`.
            organization: as for `requires`.
            issuers: as for `requires`.
            max_age: as for `requires`.
            acr: as for `requires`.
            public: the paths below `SCRIPT_NAME` that need no token here, default none. An entry that ends in "/" opens all paths
                below it, any other one exact path; methods may come before it, as in "GET /reports/". See `PublicPaths`.

        Raises:
            ConfigurationError: an invalid value.
        """
        requirement = self._requirement(
            scopes=scopes,
            any_scope=any_scope,
            app_ids=app_ids,
            organization=organization,
            issuers=issuers,
            max_age=max_age,
            acr=acr,
        )
        exemptions = Exemptions(public=public)

        def guard() -> None:
            if exemptions.is_public(Head(request.environ)) or request.endpoint == METADATA_ENDPOINT:
                return
            if not (_is_answered_by_flask() and self._preflights.is_exempt_preflight(Head(request.environ))):
                authenticate(requirement)

        mark(guard, RouteGuard(requirement=requirement, server=self._server, public=exemptions.public))
        target.before_request(guard)

    def _requirement(self, **asked: Any) -> Requirement:
        """Make a requirement, and check it where the server is known already; else the first request that meets it does."""
        requirement = Requirement(**asked)
        if self._server is not None:
            self._server.check_requirement(requirement)
        return requirement

    def _find_unguarded_views(self, app: Flask) -> Callable[[], None]:
        """What each request is checked with: a view that has a guard must be known to the app by that guard."""
        unlogged = [app]

        def check() -> None:
            if unlogged:  # the first request, after which Flask takes no more views
                unlogged.clear()
                for name, view in app.view_functions.items():
                    if id(view) in self._guarded:
                        app.logger.error(_unguarded(name))
            endpoint = request.endpoint
            if endpoint is not None and id(app.view_functions.get(endpoint)) in self._guarded:
                raise ConfigurationError(_unguarded(endpoint))

        setattr(check, WITHOUT_GUARD, self._guarded)
        return check

    def _guard_automatic_options(self) -> None:
        """Flask answers OPTIONS without calling the view, so that a guard on the view alone would not be asked."""
        if _is_answered_by_flask() and not self._preflights.is_exempt_preflight(Head(request.environ)):
            for guard in guards_of(current_app.view_functions[cast(str, request.endpoint)]):
                authenticate(guard.requirement or Requirement())


def _is_answered_by_flask() -> bool:
    """Tell a request for OPTIONS that calls no view; Flask lists the methods of the rule."""
    return request.method == "OPTIONS" and bool(getattr(request.url_rule, "provide_automatic_options", False))


def _wrapped(view: Callable[..., Any]) -> Iterator[object]:
    """A function and those that it wraps, as `functools.wraps` tells."""
    inner: object = view
    while inner is not None:
        yield inner
        inner = getattr(inner, "__wrapped__", None)


def _unguarded(endpoint: str) -> str:
    return (
        f"the view of {endpoint!r} was registered without the guard that it has. Put guard.requires() below the route: "
        '@app.get("/orders"), then @guard.requires("read:orders"), then the function. A view that is open on purpose, too, '
        "needs a function of its own."
    )

"""What a survey says of one route, and how bad that is. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from m2mguard._formatting import listed
from m2mguard._route_marks import RouteGuard, guards_of
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer

RouteSeverity = Literal["alarm", "warning", "note", "fine"]
_PARAMETER = re.compile(r"\{[^}]*\}|<[^>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteReport:
    """What one route asks of its caller.

    Attributes:
        path: the route's path as the framework writes it.
        methods: its methods; "WEBSOCKET" for a handshake; none where it takes any.
        severity: "alarm": nothing asks for a token; "warning": a token of any application will do, or it is unknown;
            "note": open on purpose; "fine": it asks for something.
        text: the same in words.
        where: the module and name of what serves it.
        is_protected: whether every request needs a token, as far as the survey can tell.
        doubt: whether the survey cannot tell for sure.
        contradiction: what says that it is open, although it asks for a token; "" where nothing does.
        open_on_purpose: why it is no fault that nothing asks for a token: the framework's own pages; else "".
        servers: the servers that verify its tokens.
    """

    path: str
    methods: frozenset[str]
    severity: RouteSeverity
    text: str
    where: str
    is_protected: bool = False
    doubt: bool = False
    contradiction: str = ""
    open_on_purpose: str = ""
    servers: tuple[ResourceServer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedRoute:
    """A guard on the way to a route, and the part of the path that the application below it does not see.

    Attributes:
        guard: the guard.
        root: the path of the application that it guards; its public paths begin there.
        above: what is around the guard and may answer before it, such as a decorator of the user's own; "" where nothing is.
    """

    guard: RouteGuard
    root: str = ""
    above: str = ""


def reports(
    path: str,
    methods: Collection[str],
    seen: Iterable[ObservedRoute],
    *,
    where: str,
    doubt: str = "",
    contradiction: str = "",
    open_on_purpose: str = "",
) -> list[RouteReport]:
    """Judge one route; where its methods are protected differently, there are several reports.

    Args:
        path: the whole path.
        methods: its methods, or none for any.
        seen: the guards that a request passes.
        where: what serves it.
        doubt: why the survey cannot tell, or "".
        contradiction: what says that the route is open, although a guard asks for a token, or "".
        open_on_purpose: why it is no fault that nothing asks for a token, or "".
    """
    guards = list(seen)
    groups: dict[tuple[ObservedRoute, ...], list[str]] = {}
    for method in methods or ("",):
        asking = tuple(one for one in guards if not _is_public(one, path, method))
        groups.setdefault(asking, []).append(method)
    return [
        _report(
            path,
            [one for one in group if one],
            asking,
            where=where,
            doubt=doubt,
            contradiction=contradiction,
            open_on_purpose="" if asking or doubt else open_on_purpose,
            without_guard=_without_guard(guards, doubt, open_on_purpose),
        )
        for asking, group in groups.items()
    ]


def _without_guard(guards: list[ObservedRoute], doubt: str, open_on_purpose: str) -> tuple[RouteSeverity, str, bool]:
    """How bad a method is that no guard asks for anything, in which words, and whether that is in doubt."""
    if doubt:
        return "warning", f"no guard of m2mguard is on it; {doubt}", True
    if guards:
        return "note", "is public by name", False
    if open_on_purpose:
        return "note", f"is open: {open_on_purpose}", False
    return "alarm", "is not protected: nothing asks for a token", False


def _report(
    path: str,
    methods: list[str],
    asking: tuple[ObservedRoute, ...],
    *,
    where: str,
    doubt: str,
    contradiction: str,
    open_on_purpose: str,
    without_guard: tuple[RouteSeverity, str, bool],
) -> RouteReport:
    severity, text, is_in_doubt = _with_guard(path, asking, doubt) if asking else without_guard
    if asking and contradiction:
        severity, text = "warning", f"{text}; but {contradiction}"
    guards = [one.guard for one in asking]
    return RouteReport(
        path=path,
        methods=frozenset(methods),
        severity=severity,
        text=text,
        where=where,
        is_protected=bool(asking),
        doubt=is_in_doubt,
        contradiction=contradiction if asking else "",
        open_on_purpose=open_on_purpose,
        servers=tuple(dict.fromkeys(one.server for one in guards if one.server is not None)),
    )


def _with_guard(path: str, asking: tuple[ObservedRoute, ...], doubt: str) -> tuple[RouteSeverity, str, bool]:
    words, sure = (
        asked([one.guard.requirement for one in guards if one.guard.requirement is not None])
        for guards in (asking, [one for one in asking if not one.above])
    )
    above = next((one.above for one in asking if one.above), "")
    if above and not sure:
        return (
            "warning",
            f"asks for {words or 'a token'}, but {above} is above the guard, and may answer before it",
            True,
        )
    open_below = [entry for one in asking for entry in _public_below(one, path)]
    if open_below:
        return "warning", f"asks for {words or 'a token'}, and {listed(open_below)} is public by name", False
    if words:
        return "fine", f"asks for {words}", False
    if doubt:
        return "warning", f"asks for a token, and perhaps for more: {doubt}", True
    return (
        "warning",
        "asks for a token, and for nothing else: any application that has one for this API may call it",
        False,
    )


def _public_below(seen: ObservedRoute, path: str) -> list[str]:
    """The public paths that are this route with something in the place of its parameters."""
    if seen.guard.public is None or not _PARAMETER.search(path):
        return []
    parts = [re.escape(part) for part in _PARAMETER.split(path.removeprefix(seen.root))]
    pattern = re.compile(".+".join(parts))
    return [
        entry for entry in seen.guard.public.entries if pattern.fullmatch(f"{entry}x" if entry.endswith("/") else entry)
    ]


def asked(requirements: Iterable[Requirement]) -> str:
    """What several requirements ask for together, in words; "" where any token will do."""
    words: list[str] = []
    for one in requirements:
        for text, values in (
            ("scope", one.scopes),
            ("one of the scopes", one.any_scope),
            ("the application", one.app_ids),
            ("the issuer", [str(getattr(issuer, "url", issuer)) for issuer in one.issuers]),
        ):
            if values:
                words.append(f"{text} {listed(sorted(values))}")
        if callable(one.organization):
            words.append("the organization that the request names")
        elif one.organization not in (None, "*"):
            words.append(f"the organization {listed([one.organization])}")
    return ", ".join(dict.fromkeys(words))


def _is_public(seen: ObservedRoute, path: str, method: str) -> bool:
    """Whether every request of the route passes the guard without a token, whatever is in the place of its parameters."""
    public = seen.guard.public
    if public is None:
        return False
    below = _PARAMETER.sub("x", path).removeprefix(seen.root) or "/"
    return public.match(below, method=method or None)


def guards_around(target: object) -> tuple[RouteGuard, ...]:
    """The guards of a middleware or dependency, if m2mguard's own code runs when it is called: a subclass may let anybody pass."""
    called = next((vars(one)["__call__"] for one in type(target).__mro__ if "__call__" in vars(one)), None)
    return guards_of(target) if str(getattr(called, "__module__", "")).startswith("m2mguard.") else ()


def above_guard(view: object) -> str:
    """The decorator that is around a view's guard, by its module and name; "" where the guard is outermost, or cannot be found."""
    around = ""
    while view is not None:
        module = str(getattr(view, "__globals__", {}).get("__name__", ""))
        if module.startswith("m2mguard."):
            return around
        around = around or f"a decorator of {module}"
        view = getattr(view, "__wrapped__", None)
    return ""


def is_named(report: RouteReport, entries: Iterable[str]) -> bool:
    """Tell whether entries name a route, with each of its methods.

    Args:
        report: of the route.
        entries: paths as the framework writes them; one that ends in "/" names every path below it, too. Methods may come before it,
            as in "GET /reports"; without them it names every method.
    """
    return all(any(_names(entry, report.path, method) for entry in entries) for method in report.methods or ("",))


def _names(entry: str, path: str, method: str) -> bool:
    methods, _, named = entry.rpartition(" ")
    if methods and method not in methods.split(","):
        return False
    return named == path or (named.endswith("/") and named != "/" and path.startswith(named))


def where_is(served: object) -> str:
    """The module and name of a function or class, without what its decorators add."""
    inner: object = served
    unwrap: Callable[[object], object] = lambda one: getattr(one, "__wrapped__", None)  # noqa: E731
    while unwrap(inner) is not None:
        inner = unwrap(inner)
    name = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return f"{getattr(inner, '__module__', None) or type(inner).__module__}:{name}"

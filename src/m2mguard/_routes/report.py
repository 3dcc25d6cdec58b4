"""What a survey says of one route, and how bad that is. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Literal

from m2mguard._formatting import format_values
from m2mguard._routes.guarding import ObservedRoute, where_is
from m2mguard._routes.public_routes import is_public, public_below
from m2mguard._server.requirement import Requirement
from m2mguard._server.resource_server import ResourceServer

OUR_OWN_PAGE: Final = "m2mguard's own page for everybody, such as the API's metadata (RFC 9728)"
"""Why such a route is open on purpose."""
RouteSeverity = Literal["alarm", "warning", "note", "fine"]


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
        contradiction: what says that the route is open, although it asks for a token; "" where nothing does.
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


def reports(
    path: str,
    methods: Collection[str],
    seen: Iterable[ObservedRoute],
    *,
    where: str,
    doubt: str = "",
    contradiction: str = "",
    open_on_purpose: str = "",
    shape: str = "",
) -> list[RouteReport]:
    """Judge one route; where its methods are protected differently, there are several reports.

    Args:
        path: the whole path.
        methods: its methods, or none for any. HEAD is named only where it is protected otherwise than GET.
        seen: the guards that a request passes.
        where: what serves it.
        doubt: why the survey cannot tell, or "".
        contradiction: what says that the route is open, although a guard asks for a token, or "".
        open_on_purpose: why it is no fault that nothing asks for a token, or "".
        shape: the path with `<...>` for whatever can vary; default the path, whose parameters are in braces or angle brackets.
    """
    guards = list(seen)
    groups: dict[tuple[ObservedRoute, ...], list[str]] = {}
    for method in methods or ("",):
        asking = tuple(one for one in guards if not is_public(one, shape or path, method))
        groups.setdefault(asking, []).append(method)
    return [
        _report(
            path,
            [one for one in group if one and not (one == "HEAD" and "GET" in group)],
            asking,
            where=where,
            doubt=doubt,
            contradiction=contradiction,
            open_on_purpose="" if asking or doubt else open_on_purpose,
            shape=shape or path,
            without_guard=_without_guard(guards, doubt, open_on_purpose),
        )
        for asking, group in groups.items()
    ]


def own_answers(path: str, seen: Iterable[ObservedRoute], thing: object) -> list[RouteReport]:
    """Report on middleware or a hook of the user's that may answer any request below a path; not where a guard is above it."""
    doubt = "it is no route, but may answer any request before the guards below it are asked; put the guard above it"
    found = reports(f"{path}/*", (), seen, where=where_is(thing), doubt=doubt)
    return [one for one in found if not one.is_protected]


def _without_guard(guards: list[ObservedRoute], doubt: str, open_on_purpose: str) -> tuple[RouteSeverity, str, bool]:
    """How bad a method is that no guard asks for anything, in which words, and whether that is in doubt."""
    if guards:
        preflights = " or open to CORS preflights" if any(one.guard.preflights for one in guards) else ""
        return "note", f"is public by name{preflights}", False
    if doubt:
        return "warning", f"cannot tell: no guard of m2mguard is on it, and {doubt}", True
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
    shape: str,
    without_guard: tuple[RouteSeverity, str, bool],
) -> RouteReport:
    certain = [one for one in asking if not one.above]
    public = [public_below(one, shape, methods) for one in certain]
    open_below = public[0] if public and all(public) else []
    severity, text, is_in_doubt = _with_guard(asking, doubt, open_below) if asking else without_guard
    if asking and contradiction:
        severity, text = "warning", f"{text}; but {contradiction}"
    guards = [one.guard for one in asking]
    return RouteReport(
        path=path,
        methods=frozenset(methods),
        severity=severity,
        text=text,
        where=where,
        is_protected=bool(certain) and not open_below,
        doubt=is_in_doubt,
        contradiction=contradiction if asking else "",
        open_on_purpose=open_on_purpose,
        servers=tuple(dict.fromkeys(one.server for one in guards if one.server is not None)),
    )


def _with_guard(
    asking: tuple[ObservedRoute, ...], doubt: str, open_below: list[str]
) -> tuple[RouteSeverity, str, bool]:
    words, sure = (
        asked([one.guard.requirement for one in guards if one.guard.requirement is not None]) or "a token"
        for guards in (asking, [one for one in asking if not one.above])
    )
    above = next((one.above for one in asking if one.above), "")
    if open_below:
        return "warning", f"asks for {words}, and {format_values(open_below)} is public by name", False
    if all(one.above for one in asking):
        return (
            "warning",
            f"cannot tell: asks for {words}, but {above} is above the guard, and may answer before it",
            True,
        )
    if above and sure == "a token" != words:
        return "warning", f"asks for {words}, but {above} is above the guard, and may answer before it", True
    if words != "a token":
        return "fine", f"asks for {words}", False
    if doubt:
        return "warning", f"asks for a token, and perhaps for more: {doubt}", True
    return (
        "warning",
        "asks for a token, and for nothing else: any application that has one for this API may call it",
        False,
    )


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
                words.append(f"{text} {format_values(sorted(values))}")
        if one.max_age is not None:
            words.append(f"a person's sign-in at most {one.max_age} s ago")
        if one.acr:
            words.append(f"a person's sign-in by acr {' or '.join(format_values([value]) for value in one.acr)}")
        if callable(one.organization):
            words.append("the organization that the request names")
        elif one.organization not in (None, "*"):
            words.append(f"the organization {format_values([one.organization])}")
    return ", ".join(dict.fromkeys(words))


def is_named(report: RouteReport, entries: Iterable[str]) -> bool:
    """Tell whether entries name a route, with each of its methods.

    Args:
        report: of the route.
        entries: paths as the framework writes them; one that ends in "/" names every path below it, too. Methods may come before it,
            as in "GET /reports"; without them it names every method.
    """
    return all(any(_names(entry, report.path, method) for entry in entries) for method in report.methods or ("",))


def _names(entry: str, path: str, method: str) -> bool:
    methods, named = split_entry(entry)
    if methods and method not in methods:
        return False
    return named == path or (named.endswith("/") and named != "/" and path.startswith(named))


def split_entry(entry: str) -> tuple[list[str], str]:
    """The methods that an entry names, and its path."""
    if entry.startswith("/"):
        return [], entry
    methods, _, path = entry.partition(" ")
    return methods.split(","), path

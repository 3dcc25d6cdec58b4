"""`assert_all_routes_protected`: one line in a test suite that fails when somebody forgets to protect a route.

What each route asks for is found out as `m2mguard doctor --app` does it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from m2mguard._routes import RouteReport, is_named, survey

_ENTRY = re.compile(r"(?:[A-Z]+(?:,[A-Z]+)* )?/.*", re.DOTALL)


def assert_all_routes_protected(
    app: object, *, except_: Iterable[str] = (), any_token_is_enough: bool = True
) -> Sequence[RouteReport]:
    """Fail if a route of an application can be called without a token. Reads the application; sends no request.

    Every route needs a guard of m2mguard that asks for a token, whatever else guards it. A view of Django REST framework that asks for a
    token and says `AllowAny` of itself fails, too: one of the two is wrong. What cannot be read fails as well, with "cannot
    tell": a mounted application of another kind, a decorator above the guard that may answer before it, and, as `/*`, middleware
    that may. Not looked at are static files and the pages that a framework or m2mguard brings itself: FastAPI's documentation, Django's
    admin, the API's metadata (RFC 9728), readiness probes.

    Args:
        app: a FastAPI, Starlette, Flask or Django application, or what is wrapped around it; for Django also the settings module or
            `django.conf.settings`.
        except_: the paths that are open on purpose, as the framework writes them. An entry that ends in "/" also names every path below
            it, such as "/docs/", but "/" names the root alone; methods may come before the path: "GET /reports", "GET,POST /hook".
        any_token_is_enough: False: fail, too, on a route that asks for a token and for nothing else, so that every application with a token
            for this API may call it. Default True.

    Returns:
        One report for each route: `path`, `methods`, `text` (what it asks for), `where` (what serves it).

    Raises:
        AssertionError: with a line for each unprotected route, and then what every other route asks for.
        ValueError: no route was found, so that nothing was checked; or `except_` holds something that is no path.
        TypeError: `except_` is one string.
    """
    entries = _checked(except_)
    reports = survey(app)
    if not reports:
        raise ValueError(f"no route was found in {type(app).__name__}: give the application itself")
    failing = [
        report
        for report in reports
        if not is_named(report, entries) and _fails(report, any_token_is_enough=any_token_is_enough)
    ]
    if failing:
        raise AssertionError(_message(failing, reports))
    return reports


def _checked(entries: Iterable[str]) -> tuple[str, ...]:
    if isinstance(entries, str):
        raise TypeError("except_ is a list of paths, not one string")
    checked = tuple(entries)
    for entry in checked:
        if not _ENTRY.fullmatch(entry):
            raise ValueError(
                f"except_: {entry!r} names no route; give a path, such as '/docs', or methods and a path: 'GET,POST /docs'"
            )
    return checked


def _fails(report: RouteReport, *, any_token_is_enough: bool) -> bool:
    if report.open_on_purpose:
        return False
    if not report.is_protected or report.contradiction:
        return True
    return not any_token_is_enough and report.severity != "fine"


def _message(failing: Sequence[RouteReport], reports: Sequence[RouteReport]) -> str:
    lines = [f"{len(failing)} of {len(reports)} routes can be called, or may be called, by somebody who must not:"]
    lines += [f"  {_line(report)}  ({report.where})" for report in failing]
    lines += [
        "Protect each of them; or name it in except_ if everybody may call it: its path, as it is written here.",
        "The other routes:",
    ]
    lines += [f"  {_line(report)}" for report in reports if report not in failing]
    return "\n".join(lines)


def _line(report: RouteReport) -> str:
    return f"{','.join(sorted(report.methods)) or 'any method'} {report.path} {report.text}"

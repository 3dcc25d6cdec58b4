"""Checks of the routes of an application: what each requires of its caller, and which require nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from m2mguard._cli.application_loader import load_application
from m2mguard._cli.doctor.finding import Finding, Severity
from m2mguard._formatting import format_shell_word, format_value
from m2mguard._routes import RouteReport, is_named, survey
from m2mguard.errors import ConfigurationError

SECTION = "Routes"
_SEVERITIES = {
    "alarm": Severity.FAULT,
    "warning": Severity.WARNING,
    "note": Severity.NOTE,
    "fine": Severity.FINE,
}
_CODES = {"alarm": "route_not_protected", "warning": "route_asks_for_nothing", "note": "", "fine": ""}
_CURES = {
    "alarm": "API: protect the route. If everybody may call it, name it as public, or give this command the option --open.",
    "warning": "API: require a scope, or name the applications (app_ids) that may call it.",
    "note": "",
    "fine": "",
}


def check_routes(place: str, open_paths: Collection[str]) -> Iterator[Finding]:
    """Report for each route of the application at `place` what it requires.

    Args:
        place: MODULE:NAME.
        open_paths: paths of routes that are open on purpose.
    """
    try:
        loaded = load_application(place)
    except ConfigurationError as error:
        yield Finding(
            code="app",
            section=SECTION,
            name="application",
            severity=Severity.FAULT,
            text=str(error),
            cure="API: correct what the message names; then run this again.",
            diagnosis=f"The application cannot be imported: {error}",
        )
        return
    reports = survey(loaded.app)
    if not reports:
        yield Finding(
            section=SECTION,
            name="application",
            severity=Severity.NOTE,
            text="no routes were found; give the application itself as --app MODULE:NAME to see what each route requires",
        )
    for report in reports:
        is_open_on_purpose = report.severity == "alarm" and is_named(report, open_paths)
        yield _report_route(
            replace(report, severity="note", text="is open, as --open says") if is_open_on_purpose else report
        )


def _report_route(report: RouteReport) -> Finding:
    methods = ",".join(sorted(report.methods)) or "any"
    route = f"{methods} {format_value(report.path)[1:-1]}"
    diagnosis = ""
    if report.severity == "alarm":
        diagnosis = f"{route} is open: anybody can call it without a token ({report.where})."
    elif report.severity == "warning" and not report.doubt:
        diagnosis = (
            f"{route} asks for nothing: every application with a token for this API may call it ({report.where})."
        )
    return Finding(
        code=_CODES[report.severity],
        section=SECTION,
        name=methods,
        severity=_SEVERITIES[report.severity],
        text=f"{format_value(report.path)[1:-1]}: {report.text}",
        cure="" if report.doubt else _CURES[report.severity],
        diagnosis=diagnosis,
        if_intended=f"--open {format_shell_word(report.path)}" if report.severity == "alarm" else "",
    )

"""Formats the output of `m2mguard doctor`: findings by section, the diagnosis and the settings to paste; or all of it as JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

from m2mguard._cli.command_setup import PREFIX
from m2mguard._cli.doctor.finding import Finding, Severity
from m2mguard._cli.output import Output, Status

_MARKS = {
    Severity.FINE: Status.PASSED,
    Severity.NOTE: Status.NOT_REACHED,
    Severity.WARNING: Status.WARNING,
    Severity.FAULT: Status.REFUSED,
}
_NOTHING_WRONG = "Nothing is wrong: tokens of every issuer can be checked with the settings {origin}."
_NO_APPLICATION = "No application was looked at. It may have other settings in its code: --app MODULE:NAME checks those, and the routes."
_IF_INTENDED = "If everybody may call these routes, say so, and they are no error: {options}"


def show_finding(output: Output, finding: Finding, *, section: str) -> None:
    """Add one finding, with a heading if it starts a section."""
    if finding.section != section:
        output.line()
        output.line(finding.section)
    output.row(_MARKS[finding.severity], finding.name, finding.text)
    if finding.cure:
        output.row(Status.NONE, "what to do", finding.cure)


def show_diagnosis(output: Output, findings: Sequence[Finding], given: Mapping[str, str], *, app: str | None) -> None:
    """Add the diagnosis, the worst finding first, and the settings to paste.

    Args:
        output: gets the text.
        findings: all of them.
        given: the settings by their names without prefix.
        app: the value of `--app`, or None.
    """
    output.line()
    output.line("Diagnosis")
    diagnosed = list_diagnoses(findings)
    for finding in diagnosed:
        output.paragraph(finding.diagnosis, bullet="  - ", emphasis=_MARKS[finding.severity])
    if not diagnosed:
        origin = "from the environment and options" if app is None else f"of {app}"
        output.paragraph(_NOTHING_WRONG.format(origin=origin), bullet="  - ", emphasis=Status.PASSED)
    if app is None:
        output.paragraph(_NO_APPLICATION, bullet="  - ")
    options = " ".join(dict.fromkeys(one.if_intended for one in findings if one.if_intended))
    if options:
        output.paragraph(_IF_INTENDED.format(options=options), bullet="  - ")
    settings = correct_settings(findings, given)
    if settings:
        output.line()
        output.line("Settings to paste" + (" (corrected)" if settings != given else ""))
        for name, value in settings.items():
            output.line(f"  {PREFIX}{name}={shlex.quote(value)}")


def list_diagnoses(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings that have a diagnosis, the worst first."""
    return sorted((one for one in findings if one.diagnosis), key=lambda one: -one.severity)


def correct_settings(findings: Sequence[Finding], given: Mapping[str, str]) -> dict[str, str]:
    """Return the given settings with the corrections of the findings."""
    settings: dict[str, str | None] = dict(given)
    for finding in findings:
        settings |= finding.corrections
    return {name: value for name, value in settings.items() if value is not None}


def format_findings_json(findings: Sequence[Finding], given: Mapping[str, str]) -> str:
    """Format the findings, the diagnosis and the settings as JSON."""
    worst = max((one.severity for one in findings), default=Severity.FINE)
    document = {
        "worst": worst.name.lower(),
        "findings": [
            {
                "section": one.section,
                "name": one.name,
                "severity": one.severity.name.lower(),
                "code": one.code or None,
                "text": one.text,
                "cure": one.cure or None,
                "if_intended": one.if_intended or None,
            }
            for one in findings
        ],
        "diagnosis": [one.diagnosis for one in list_diagnoses(findings)],
        "settings": {f"{PREFIX}{name}": value for name, value in correct_settings(findings, given).items()},
    }
    return json.dumps(document, indent=2)

"""What `m2mguard doctor` prints: the findings by section, a diagnosis in plain words, and the settings to paste; or all of it as JSON."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence

from m2mguard._cli.doctor.finding import Finding, Severity
from m2mguard._cli.output import Output, Status
from m2mguard._cli.settings import PREFIX

_MARKS = {
    Severity.FINE: Status.PASSED,
    Severity.NOTE: Status.NOT_REACHED,
    Severity.WARNING: Status.WARNING,
    Severity.FAULT: Status.REFUSED,
}
_HEALTHY = "Nothing is wrong: tokens of every issuer can be checked with these settings."


def show_finding(output: Output, finding: Finding, *, section: str) -> None:
    """Add one finding, below a heading if it begins a section."""
    if finding.section != section:
        output.line()
        output.line(finding.section)
    output.row(_MARKS[finding.severity], finding.name, finding.text)
    if finding.cure:
        output.row(Status.NONE, "what to do", finding.cure)


def show_end(output: Output, findings: Sequence[Finding], given: Mapping[str, str]) -> None:
    """Add the diagnosis, the worst first, and the settings to paste."""
    output.line()
    output.line("Diagnosis")
    wrong = diagnoses(findings)
    for finding in wrong:
        output.paragraph(finding.diagnosis, bullet="  - ", emphasis=_MARKS[finding.severity])
    if not wrong:
        output.paragraph(_HEALTHY, bullet="  - ", emphasis=Status.PASSED)
    settings = corrected(findings, given)
    if settings:
        output.line()
        output.line("Settings to paste" + (" (corrected)" if settings != given else ""))
        for name, value in settings.items():
            output.line(f"  {PREFIX}{name}={shlex.quote(value)}")


def diagnoses(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that a diagnosis names, the worst first."""
    return sorted((one for one in findings if one.diagnosis), key=lambda one: -one.severity)


def corrected(findings: Sequence[Finding], given: Mapping[str, str]) -> dict[str, str]:
    """The settings that were given, with what was found to be right in the place of what is wrong."""
    settings: dict[str, str | None] = dict(given)
    for finding in findings:
        settings |= finding.corrections
    return {name: value for name, value in settings.items() if value is not None}


def as_json(findings: Sequence[Finding], given: Mapping[str, str]) -> str:
    """Everything, for programs."""
    worst = max((one.severity for one in findings), default=Severity.FINE)
    told = {
        "worst": worst.name.lower(),
        "findings": [
            {
                "section": one.section,
                "name": one.name,
                "severity": one.severity.name.lower(),
                "code": one.code or None,
                "text": one.text,
                "cure": one.cure or None,
            }
            for one in findings
        ],
        "diagnosis": [one.diagnosis for one in diagnoses(findings)],
        "settings": {f"{PREFIX}{name}": value for name, value in corrected(findings, given).items()},
    }
    return json.dumps(told, indent=2)

"""The result of one check: its name, its severity, what was found, and what to do. Data only."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Severity(enum.IntEnum):
    """The severities, the worst last."""

    FINE = 0
    NOTE = 1
    WARNING = 2
    FAULT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check.

    Attributes:
        code: what was found, for programs; "" if nothing is wrong.
        section: its section of the output, such as "Settings".
        name: what was checked, in one or two words.
        severity: its severity.
        text: what was found; one or two sentences, or a value.
        cure: what to do, or "".
        diagnosis: what is wrong, in one sentence that needs no context; "" if nothing is wrong.
        corrections: correct values of settings by their names without prefix, such as {"ISSUER": "https://…"}; None removes a setting.
        if_intended: the option of this command that says that this is intended, such as "--open /healthz"; "" if there is none.
    """

    section: str
    name: str
    text: str
    code: str = ""
    severity: Severity = Severity.FINE
    cure: str = ""
    diagnosis: str = ""
    corrections: Mapping[str, str | None] = field(default_factory=dict)
    if_intended: str = ""


def create_ok_finding(section: str, name: str, text: str) -> Finding:
    """Create the finding of a check that found nothing wrong."""
    return Finding(section=section, name=name, text=text)

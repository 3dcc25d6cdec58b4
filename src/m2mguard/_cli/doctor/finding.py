"""One thing that the doctor looked at: its name, its severity, what was found, and what to do. Data only."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Severity(enum.IntEnum):
    """How bad it is, the worst last."""

    FINE = 0
    NOTE = 1
    WARNING = 2
    FAULT = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        code: what was found, for programs; "" where nothing is wrong.
        section: the part of the report that it belongs to, such as "Settings".
        name: what was looked at, in one or two words.
        severity: how bad it is.
        text: what was found, one or two sentences or a value.
        cure: what to do, or "".
        diagnosis: what is wrong, in one sentence that is enough by itself; "" if nothing is.
        corrections: settings that would be right, by their names without prefix, such as {"ISSUER": "https://…"}; None: leave it out.
    """

    section: str
    name: str
    text: str
    code: str = ""
    severity: Severity = Severity.FINE
    cure: str = ""
    diagnosis: str = ""
    corrections: Mapping[str, str | None] = field(default_factory=dict)


def fine(section: str, name: str, text: str) -> Finding:
    """Something that is as it should be."""
    return Finding(section=section, name=name, text=text)

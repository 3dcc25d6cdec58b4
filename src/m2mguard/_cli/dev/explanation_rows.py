"""Converts the explanation of a pasted token into rows for the page. The token is neither stored nor logged."""

from __future__ import annotations

from dataclasses import dataclass

from m2mguard._cli.advice import Advice
from m2mguard._cli.dev.tenant import DevTenant
from m2mguard._cli.explain import explain
from m2mguard._cli.output import Status
from m2mguard.errors import KeysUnavailable

_STATES = {
    Status.PASSED: "passed",
    Status.REFUSED: "refused",
    Status.UNKNOWN: "unknown",
    Status.NOT_REACHED: "not checked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One check: its name, its status, the value found and the value expected."""

    name: str
    state: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplanationRows:
    """An explanation as the page shows it.

    Attributes:
        verdict: the result in one sentence.
        is_accepted: whether the token was accepted.
        notes: what was removed from the pasted text.
        steps: the checks.
        advice: the cause and what to do, or None.
    """

    verdict: str
    is_accepted: bool
    notes: tuple[str, ...]
    steps: tuple[StepRow, ...]
    advice: Advice | None


def explain_text(tenant: DevTenant, text: str, scope: str) -> ExplanationRows:
    """Explain a pasted text against the settings of the example API. Blocks while keys are fetched.

    Raises:
        ConfigurationError: the scope is invalid.
    """
    found = explain(text, tenant.create_setup(), tenant.create_requirement(scope), at=None)
    if found.caller is not None:
        verdict = f"Accepted: the caller is {found.caller.app_id}."
    elif found.error is None:
        verdict = "Refused: this is not a token that can be verified."
    elif isinstance(found.error, KeysUnavailable):
        verdict = f"Could not check (503): {found.error.detail}."
    else:
        verdict = f"Refused ({found.error.status}), {found.error.reason}: {found.error.detail}."
    return ExplanationRows(
        verdict=verdict,
        is_accepted=found.caller is not None,
        notes=tuple(note.text for note in found.pasted.notes),
        steps=tuple(StepRow(name=one.name, state=_STATES[one.status], text=one.text) for one in found.steps),
        advice=found.advice,
    )

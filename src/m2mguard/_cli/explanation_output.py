"""Formats an explanation: as text for people, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable

from m2mguard._cli.advice import Advice, Cure, Who, Wrong
from m2mguard._cli.explain import Explanation
from m2mguard._cli.fetch_advice import show_fetch_problem
from m2mguard._cli.output import Output, Status
from m2mguard._cli.recognition import RecognisedToken
from m2mguard._formatting import format_value, format_values
from m2mguard.errors import KeysUnavailable

_SHOWN_HEADERS = ("WWW-Authenticate", "Retry-After")
_WHO: dict[Who, str] = {"caller": "Caller: ", "api": "API:    ", "issuer": "Issuer: "}
_WRONG: dict[Wrong, str] = {
    "token": "The token is wrong, not the setting.",
    "setting": "The setting is wrong, not the token.",
    "issuer": "Something must change at the issuer.",
    "clock": "The clock is wrong, not the token.",
    "unclear": "Either side may be wrong.",
}
_STATES = {
    Status.PASSED: "passed",
    Status.REFUSED: "refused",
    Status.UNKNOWN: "unknown",
    Status.NOT_REACHED: "not_checked",
}


def show_explanation(output: Output, explanation: Explanation) -> None:
    """Show notes on the input, the steps, the result, the answer to the caller, and what to do."""
    for note in explanation.pasted.notes:
        output.paragraph(note.text, bullet="note  ", emphasis=Status.WARNING)
    if explanation.context is None:
        _show_no_token(output, explanation)
        return
    if explanation.pasted.notes:
        output.line()
    for step in explanation.steps:
        output.row(step.status, step.name, step.text)
    output.line()
    if explanation.caller is not None:
        scopes = format_values(sorted(explanation.caller.scopes))
        output.paragraph(
            f"Accepted: the caller is {format_value(explanation.caller.app_id)}, its scopes: {scopes}.",
            emphasis=Status.PASSED,
        )
        return
    _show_error(output, explanation)


def describe_recognised_token(kind: RecognisedToken) -> str:
    """Describe the product and the kind of a token in one sentence."""
    seems = "is" if kind.confidence == "sure" else "seems to be"
    what = _KINDS.get(kind.token_kind, "a token")
    return f"By its iss and claims this {seems} {what} of {kind.name}."


_KINDS = {
    "app_access": "an application's access token",
    "person_access": "a person's access token",
    "id_token": "an ID token",
    "refresh": "a refresh token",
    "workload": "a workload's token",
}


def _show_no_token(output: Output, explanation: Explanation) -> None:
    if explanation.pasted.notes:
        output.line()
    output.paragraph(
        f"Refused, {explanation.pasted.kind}: this is not a token that can be verified.", emphasis=Status.REFUSED
    )
    if explanation.advice is not None:
        show_advice(output, explanation.advice)


def _show_error(output: Output, explanation: Explanation) -> None:
    error, answer, context = explanation.error, explanation.answer, explanation.context
    if error is None or answer is None or context is None:
        raise TypeError("an explanation has a caller, or an error with its answer")
    if isinstance(error, KeysUnavailable):
        output.paragraph(f"Could not check: {error.detail}.", emphasis=Status.UNKNOWN)
        keys = context.keys
        show_fetch_problem(
            output,
            None if keys is None else keys.last_problem,
            None if keys is None else keys.last_error,
            list(explanation.exchanges),
        )
    else:
        output.paragraph(f"Refused, {error.reason}: {error.detail}.", emphasis=Status.REFUSED)
    if context.recognised is not None:
        output.line(describe_recognised_token(context.recognised))
    if explanation.advice is not None:
        show_advice(output, explanation.advice)
    output.line()
    output.line("The caller gets only this answer:")
    output.line(f"    {answer.status}")
    for name in _SHOWN_HEADERS:
        if name in answer.headers:
            output.line(f"    {name}: {answer.headers[name]}")
    output.line(f"    {answer.body.decode()}")


def show_advice(output: Output, advice: Advice) -> None:
    """Show the cause, which side is wrong, and what each side can do."""
    output.paragraph(f"{advice.cause} {_WRONG[advice.wrong]}", bullet="Cause: ", emphasis=Status.WARNING)
    output.line()
    output.line("What to do:")
    for cure in advice.cures:
        output.paragraph(f"{cure.text}{_format_opens(cure)}", bullet=f"  {_WHO[cure.who]}", emphasis=Status.WARNING)


def _format_opens(cure: Cure) -> str:
    return f" What this opens: {cure.opens}." if cure.opens else ""


def format_explanation_json(explanation: Explanation) -> str:
    """Format an explanation as JSON. Names and codes are stable; sentences may change."""
    error, advice, context = explanation.error, explanation.advice, explanation.context
    kind = None if context is None else context.recognised
    pasted = explanation.pasted
    document = {
        "accepted": explanation.caller is not None,
        "app_id": None if explanation.caller is None else explanation.caller.app_id,
        "scopes": None if explanation.caller is None else sorted(explanation.caller.scopes),
        "pasted": {"kind": pasted.kind, "notes": [{"code": note.code, "text": note.text} for note in pasted.notes]},
        "recognised": None
        if kind is None
        else {
            "issuer": kind.issuer_kind,
            "version": kind.version,
            "confidence": kind.confidence,
            "token": kind.token_kind,
            "preset": kind.preset,
        },
        "error": None
        if error is None
        else {
            "status": error.status,
            "reason": error.reason,
            "problem": error.problem,
            "claim": error.claim,
            "expected": _list_texts(error.expected),
            "got": _list_texts(error.got),
            "detail": error.detail,
        },
        "cause": None if advice is None else {"code": advice.code, "wrong": advice.wrong, "text": advice.cause},
        "cures": []
        if advice is None
        else [{"who": cure.who, "text": cure.text, "opens": cure.opens or None} for cure in advice.cures],
        "steps": [{"name": step.name, "state": _STATES[step.status], "text": step.text} for step in explanation.steps],
        "clock_offset_s": None if context is None else context.clock_offset_s,
    }
    return json.dumps(document, indent=2)


def _list_texts(values: Iterable[object] | None) -> list[str] | None:
    return None if values is None else [str(one) for one in values]

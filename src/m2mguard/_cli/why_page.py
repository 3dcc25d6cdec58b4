"""Formats the whole table of reasons as the page docs/reference/why.md, with an example log line for each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from m2mguard._cli.why_command import PARTS
from m2mguard._reasons import EVENT_NAMES, INTROSPECTION_PROBLEMS, REFUSALS, TOKEN_REQUESTS, Entry
from m2mguard._reasons.access import ACCESS
from m2mguard._reasons.fetching import FETCH_PROBLEMS
from m2mguard._reporting.log_lines import line_for
from m2mguard.events import Event, IntrospectionFailed, KeysUnavailableEvent, RefreshFailed, RenewalFailed, TokenRefused

_ISSUER = "https://tenant.logto.app/oidc"
_API = "https://shopping.api"
_GET: Mapping[str, Any] = {"method": "GET", "path": "/orders"}
_INTRODUCTION = """\
# Why do I get 400, 401, 403 or 503?

The answer to the caller contains as little as possible. The log of the API contains the reason, and this page explains each reason.
The page, the log and the command line use the same table: `m2mguard why expired` prints one entry, `m2mguard why 503` lists the
codes of a status, and `m2mguard why` lists all codes.

If you have the token, `m2mguard explain` finds the reason, and shows which side must change what ([the command line](cli.md)).
[Logging](../guides/logging.md) describes the log lines, and how to reduce them.

| status | error code in the answer | meaning |
|---|---|---|
| 400 | `invalid_request` | the request does not have exactly one well-formed token |
| 401 | none | the request has no token |
| 401 | `invalid_token` | the token is invalid; another token may be valid |
| 401 | `insufficient_user_authentication` | the token is valid, and the person must sign in again for this route |
| 403 | `insufficient_scope` | the token is valid, but not sufficient for this route |
| 503 | `temporarily_unavailable` | the token cannot be checked now, because keys are not available or the issuer could not be asked |
"""


def format_markdown() -> str:
    """Format the whole table as the page docs/reference/why.md."""
    lines = [_INTRODUCTION]
    for title, table, about in PARTS:
        lines += [f"## {title}\n", f"{about}\n"]
        for entry in table.values():
            lines += _format_section(entry, table)
    return "\n".join(lines)


def _format_section(entry: Entry, table: Mapping[str, Entry]) -> list[str]:
    status = "" if entry.status is None else f"{entry.status}: "
    lines = [
        f"### {entry.heading}\n",
        f"**{status}{entry.sentence if status else _capitalize(entry.sentence)}.** {entry.meaning}\n",
    ]
    lines += [
        f"More exactly, by `problem`: {'; '.join(f'`{problem}`: {entry.detail(problem, None)}' for problem in entry.problems)}.\n"
    ] * bool(entry.problems)
    if table is not EVENT_NAMES:
        lines += ["In the log:\n", f"```text\n{line_for(_create_example_event(entry, table), is_first=False)}\n```\n"]
    lines += ["Usual causes:\n", *(f"- {cause}" for cause in entry.causes), ""]
    return [*lines, "What to do:\n", *(f"- {cure}" for cure in entry.cures), ""]


def _capitalize(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _create_example_event(entry: Entry, table: Mapping[str, Entry]) -> Event:
    code: Any = entry.code  # a code of this table; a test checks that
    if code == "introspection_budget":
        return KeysUnavailableEvent(
            issuer=_ISSUER, reason="introspection_unavailable", detail=REFUSALS["introspection_unavailable"].sentence, problem=code,
            retry_after_s=1.0, **_GET
        )  # fmt: skip
    if table is INTROSPECTION_PROBLEMS:
        return IntrospectionFailed(issuer=_ISSUER, problem=code, error=entry.sentence, failures=1, retry_in_s=1.0)
    if table is FETCH_PROBLEMS:
        return RefreshFailed(
            issuer=_ISSUER,
            cause="refresh_ahead",
            problem=code,
            error=entry.sentence,
            failures=1,
            retry_in_s=1.0,
            remaining_s=3300.0,
        )
    if table is TOKEN_REQUESTS:
        return RenewalFailed(
            issuer=_ISSUER, app_id="app-orders", resource=_API, cause="first", reason=code, detail=entry.sentence, failures=1,
            retry_in_s=60.0, remaining_s=0.0,
        )  # fmt: skip
    if entry.status == 503:
        return KeysUnavailableEvent(
            issuer=_ISSUER, reason=code, detail=entry.sentence, problem="connect_timeout", retry_after_s=1.0, **_GET
        )
    example = _EXAMPLES.get(code, _Example())
    verified: Mapping[str, Any] = (
        {"issuer": _ISSUER, "app_id": "app-orders", "got": example.got} if code in _VERIFIED else {}
    )
    detail = entry.detail(example.problem, example.claim)
    return TokenRefused(
        status=entry.status or 401, reason=code, detail=detail, claim=example.claim, expected=example.expected, **verified, **_GET
    )  # fmt: skip


class _Example(NamedTuple):
    claim: str | None = None
    expected: tuple[str, ...] = ()
    got: tuple[str, ...] | None = None
    problem: str | None = None


_VERIFIED = ("token_type", "claim", "audience", "expired", "not_yet_valid", "certificate", *ACCESS)
_EXAMPLES = {
    "unknown_issuer": _Example("iss", (_ISSUER,)),
    "algorithm": _Example("alg", ("ES256", "ES384", "ES512", "RS256")),
    "unknown_key": _Example("kid"),
    "token_type": _Example("typ", ("at+jwt",), ("JWT",)),
    "claim": _Example("client_id", ("client_id",), (), "missing"),
    "audience": _Example("aud", (_API,), (f"{_API}/",)),
    "expired": _Example("exp", ("after 2026-11-26T09:29:30Z",), ("2026-11-26T08:00:00Z",)),
    "not_yet_valid": _Example("iat", ("until 2026-11-26T09:30:30Z",), ("2026-11-26T09:36:00Z",), "contradiction"),
    "certificate": _Example(problem="no_certificate"),
    "issuer": _Example("iss", ("https://partner.example/oidc",), (_ISSUER,)),
    "organization": _Example("organization_id", ("org-1",), ("org-2",)),
    "application": _Example(None, ("app-billing",), ("app-orders",)),
    "max_age": _Example("auth_time", ("at most 300 s ago",), ("2026-11-26T08:00:00Z",)),
    "acr": _Example("acr", ("mfa",), ("pwd",)),
    "scope": _Example("scope", ("write:orders",), ("read:orders",)),
}

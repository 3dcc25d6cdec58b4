"""Checks of one issuer: can its keys be fetched, and what do the exchanges say of status, redirects, names, times, cache and clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from m2mguard._cli.doctor.finding import Finding, Severity, fine
from m2mguard._cli.recording_transport import Exchange, clock_offset_s
from m2mguard._formatting import quoted, span
from m2mguard._reasons import FETCH_PROBLEMS
from m2mguard._reasons.difference import small_difference
from m2mguard._token.strict_json import NotStrictJson, parse_object, without_byte_order_mark
from m2mguard.health import IssuerHealth
from m2mguard.issuer import Issuer

SLOW_S = 1.0
CLOCK_TOLERANCE_S = 5.0


def check_issuer(
    issuer: Issuer, health: IssuerHealth, exchanges: list[Exchange], *, max_wait_s: float, leeway_s: float
) -> Iterator[Finding]:
    """Say how the issuer answered, and whether its tokens can be checked.

    Args:
        issuer: the settings.
        health: the state of its keys after they were asked for.
        exchanges: what was asked.
        max_wait_s: how long a request waits for keys that are too old.
        leeway_s: the difference of the clocks that is allowed.
    """
    section = f"Issuer {issuer.url}"
    if issuer.jwks is not None:
        yield fine(section, "keys", "given in the settings; nothing is fetched")
    for exchange in exchanges:
        yield from _exchange(section, exchange)
    if health.ready:
        yield fine(
            section,
            "ready",
            f"{len(health.keys)} usable key{'' if len(health.keys) == 1 else 's'}; tokens can be checked",
        )
    else:
        yield _failure(section, issuer, health, exchanges)
        return
    if exchanges:
        yield from _times(section, exchanges, max_wait_s=max_wait_s)
        yield from _cache(section, exchanges[-1])
        yield from _clock(section, exchanges, leeway_s=leeway_s)


def _exchange(section: str, exchange: Exchange) -> Iterator[Finding]:
    name = "metadata" if "/.well-known/" in exchange.url else "key set"
    if exchange.status == 200:
        yield fine(section, name, f"{exchange.url}: status 200 in {exchange.elapsed_s * 1000:.0f} ms")
    else:
        yield Finding(section=section, name=name, severity=Severity.NOTE, text=f"{exchange.url}: {exchange.outcome}")


def _failure(section: str, issuer: Issuer, health: IssuerHealth, exchanges: list[Exchange]) -> Finding:
    problem = health.last_problem or "timeout"
    entry = FETCH_PROBLEMS[problem]
    detail = health.last_error or entry.sentence
    more = _more(problem, issuer, exchanges)
    return Finding(
        code=problem,
        section=section,
        name="not ready",
        severity=Severity.FAULT,
        text=f"{detail}.{more}",
        cure=" ".join(entry.cures),
        diagnosis=f"No token of {issuer.url} can be checked: {detail}.{more}",
        corrections=_corrections(problem, issuer, exchanges),
    )


def _corrections(problem: str, issuer: Issuer, exchanges: list[Exchange]) -> Mapping[str, str | None]:
    """The setting that would be right, where the issuer itself tells it and the host stays the same."""
    named = _member(exchanges[-1], "issuer") if exchanges else None
    if problem == "other_issuer" and isinstance(named, str) and small_difference([issuer.url], [named]) is not None:
        return {"ISSUER": named}
    return {"LOGTO_ENDPOINT": issuer.url, "ISSUER": None} if _may_be_a_logto_endpoint(problem, issuer) else {}


def _may_be_a_logto_endpoint(problem: str, issuer: Issuer) -> bool:
    return problem == "no_metadata" and not urlsplit(issuer.url).path.rstrip("/") and issuer.organization_claim is None


def _more(problem: str, issuer: Issuer, exchanges: list[Exchange]) -> str:
    """What the issuer itself said that helps: its name, where it redirects to, where it says its keys are."""
    last = exchanges[-1] if exchanges else None
    if last is None:
        return ""
    if problem == "other_issuer":
        named = _member(last, "issuer")
        if not isinstance(named, str):
            return " It names no issuer."
        difference = small_difference([issuer.url], [named])
        return f" It names itself {quoted(named)}{'' if difference is None else f': {difference}'}."
    if problem in ("metadata_status", "key_set_status") and last.status in range(300, 400):
        return f" It redirects to {quoted(last.headers.get('location', 'nowhere'))}."
    if problem in ("other_origin", "bad_endpoint"):
        return f" It says that the keys are at {quoted(_member(last, 'jwks_uri'))}."
    if _may_be_a_logto_endpoint(problem, issuer):
        return " If this is a Logto endpoint, its issuer is the endpoint plus /oidc."
    if problem in ("metadata_not_json", "key_set_not_json"):
        return f" The answer has the Content-Type {quoted(last.headers.get('content-type', 'none'))}."
    return ""


def _member(exchange: Exchange, name: str) -> object:
    try:
        return parse_object(without_byte_order_mark(exchange.body or b"")).get(name)
    except NotStrictJson:
        return None


def _times(section: str, exchanges: list[Exchange], *, max_wait_s: float) -> Iterator[Finding]:
    slowest = max(exchanges, key=lambda exchange: exchange.elapsed_s)
    if slowest.elapsed_s < SLOW_S:
        return
    late = (
        ""
        if slowest.elapsed_s < max_wait_s
        else f" A request that waits for keys waits at most {max_wait_s:g} s (M2MGUARD_MAX_WAIT)."
    )
    yield Finding(
        code="slow_issuer",
        section=section,
        name="slow",
        severity=Severity.WARNING,
        text=f"{slowest.url} took {slowest.elapsed_s:.1f} s.{late}",
        cure="Here: find out what is slow on the way to the issuer; keys are refreshed in the background, so only the first request waits.",
        diagnosis=f"{section[7:]} answers slowly ({slowest.elapsed_s:.1f} s).",
    )


def _cache(section: str, exchange: Exchange) -> Iterator[Finding]:
    control = exchange.headers.get("cache-control")
    age = exchange.headers.get("age", "")
    yield fine(
        section,
        "cache headers",
        f"Cache-Control: {quoted(control) if control else 'none'}; keys are kept for at most `ttl` anyway",
    )
    if age.isdigit() and int(age) > 0:
        severe = int(age) >= 300
        yield Finding(
            code="cached_key_set" if severe else "",
            section=section,
            name="cached answer",
            severity=Severity.WARNING if severe else Severity.NOTE,
            text=f"a cache on the way answered with a key set that is {span(int(age))} old",
            cure="Issuer: let no cache keep the key set, or for at most a minute; a rotated key is seen that much later.",
            diagnosis="A cache between this machine and the issuer serves an old key set, so a rotated key is seen late."
            if severe
            else "",
        )


def _clock(section: str, exchanges: list[Exchange], *, leeway_s: float) -> Iterator[Finding]:
    offset = clock_offset_s(exchanges)
    if offset is None:
        yield Finding(
            section=section,
            name="clock",
            severity=Severity.NOTE,
            text="the issuer tells no time (Date), so the clocks were not compared",
        )
        return
    if abs(offset) < CLOCK_TOLERANCE_S:
        yield fine(section, "clock", "this machine's clock agrees with the issuer's to a few seconds")
        return
    where = "ahead of" if offset > 0 else "behind"
    beyond = abs(offset) > leeway_s
    effect = "expired" if offset > 0 else "not valid yet"
    text = f"this machine's clock is {span(abs(offset))} {where} the issuer's"
    yield Finding(
        code="clock",
        section=section,
        name="clock",
        severity=Severity.FAULT if beyond else Severity.WARNING,
        text=f"{text}; {leeway_s:g} s are allowed (leeway)",
        cure="Here: correct this machine's clock, and keep it right by NTP.",
        diagnosis=f"{text.capitalize()}, so good tokens may be refused as {effect}.",
    )

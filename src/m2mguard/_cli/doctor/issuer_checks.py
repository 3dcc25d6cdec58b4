"""Checks of one issuer: are its keys available; status, redirects, issuer name, response times, cache and clock of the exchanges."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from m2mguard._cli.doctor.finding import Finding, Severity, create_ok_finding
from m2mguard._cli.recording_transport import Exchange, measure_clock_offset_s
from m2mguard._formatting import format_duration, format_value
from m2mguard._reasons import FETCH_PROBLEMS
from m2mguard._reasons.difference import small_difference
from m2mguard.health import IssuerHealth
from m2mguard.issuer import Issuer

SLOW_S = 1.0
CLOCK_TOLERANCE_S = 5.0


def check_issuer(
    issuer: Issuer, health: IssuerHealth, exchanges: list[Exchange], *, max_wait_s: float, leeway_s: float
) -> Iterator[Finding]:
    """Report how the issuer answered, and whether its tokens can be checked.

    Args:
        issuer: the settings of the issuer.
        health: the state of its keys after a fetch.
        exchanges: the exchanges of that fetch.
        max_wait_s: how long a request waits for keys, in seconds.
        leeway_s: the allowed difference between the clocks, in seconds.
    """
    section = f"Issuer {issuer.url}"
    if issuer.jwks is not None:
        yield create_ok_finding(section, "keys", "given in the settings; nothing is fetched")
        if issuer.introspection is not None and not health.keys:
            yield create_ok_finding(section, "opaque", "the settings have no keys: all its tokens are opaque")
            return
    for exchange in exchanges:
        yield from _report_exchange(section, exchange)
    if health.ready:
        yield create_ok_finding(
            section,
            "ready",
            f"{len(health.keys)} usable key{'' if len(health.keys) == 1 else 's'}; tokens can be checked",
        )
    else:
        yield _report_failure(section, issuer, health, exchanges)
        return
    if exchanges:
        yield from _check_response_times(section, exchanges, max_wait_s=max_wait_s)
        yield from _check_cache_headers(section, exchanges[-1])
        yield from _check_clock(section, exchanges, leeway_s=leeway_s)


def _report_exchange(section: str, exchange: Exchange) -> Iterator[Finding]:
    name = "metadata" if "/.well-known/" in exchange.url else "key set"
    if exchange.status == 200:
        yield create_ok_finding(section, name, f"{exchange.url}: status 200 in {exchange.elapsed_s * 1000:.0f} ms")
    else:
        yield Finding(section=section, name=name, severity=Severity.NOTE, text=f"{exchange.url}: {exchange.outcome}")


def _report_failure(section: str, issuer: Issuer, health: IssuerHealth, exchanges: list[Exchange]) -> Finding:
    problem = health.last_problem or "timeout"
    entry = FETCH_PROBLEMS[problem]
    detail = health.last_error or entry.sentence
    answer = _describe_last_answer(problem, issuer, exchanges)
    return Finding(
        code=problem,
        section=section,
        name="not ready",
        severity=Severity.FAULT,
        text=f"{detail}.{answer}",
        cure=" ".join(entry.cures),
        diagnosis=f"No token of {issuer.url} can be checked: {detail}.{answer}",
        corrections=_suggest_settings(problem, issuer, exchanges),
    )


def _suggest_settings(problem: str, issuer: Issuer, exchanges: list[Exchange]) -> Mapping[str, str | None]:
    """Return corrected settings, if the issuer's own name shows them and differs only slightly from the setting."""
    own_name = exchanges[-1].read_member("issuer") if exchanges else None
    if (
        problem == "other_issuer"
        and isinstance(own_name, str)
        and small_difference([issuer.url], [own_name]) is not None
    ):
        return {"ISSUER": own_name}
    return {"LOGTO_ENDPOINT": issuer.url, "ISSUER": None} if _may_be_a_logto_endpoint(problem, issuer) else {}


def _may_be_a_logto_endpoint(problem: str, issuer: Issuer) -> bool:
    return problem == "no_metadata" and not urlsplit(issuer.url).path.rstrip("/") and issuer.organization_claim is None


def _describe_last_answer(problem: str, issuer: Issuer, exchanges: list[Exchange]) -> str:
    """Describe what helps in the issuer's last answer: its name, a redirect target, its jwks_uri."""
    last = exchanges[-1] if exchanges else None
    if last is None:
        return ""
    if problem == "other_issuer":
        own_name = last.read_member("issuer")
        if not isinstance(own_name, str):
            return " It names no issuer."
        difference = small_difference([issuer.url], [own_name])
        return f" It names itself {format_value(own_name)}{'' if difference is None else f': {difference}'}."
    if problem in ("metadata_status", "key_set_status") and last.status in range(300, 400):
        return f" It redirects to {format_value(last.headers.get('location', 'nowhere'))}."
    if problem in ("other_origin", "bad_endpoint"):
        return f" Its jwks_uri is {format_value(last.read_member('jwks_uri'))}."
    if _may_be_a_logto_endpoint(problem, issuer):
        return " If this is a Logto endpoint, its issuer is the endpoint plus /oidc."
    if problem in ("metadata_not_json", "key_set_not_json"):
        return f" The answer has the Content-Type {format_value(last.headers.get('content-type', 'none'))}."
    return ""


def _check_response_times(section: str, exchanges: list[Exchange], *, max_wait_s: float) -> Iterator[Finding]:
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
        cure="Here: look for what is slow between this machine and the issuer; keys are refreshed in the background, "
        "so only the first request waits.",
        diagnosis=f"{section[7:]} answers slowly ({slowest.elapsed_s:.1f} s).",
    )


def _check_cache_headers(section: str, exchange: Exchange) -> Iterator[Finding]:
    control = exchange.headers.get("cache-control")
    age = exchange.headers.get("age", "")
    yield create_ok_finding(
        section,
        "cache headers",
        f"Cache-Control: {format_value(control) if control else 'none'}; keys are kept for at most `ttl` anyway",
    )
    if age.isdigit() and int(age) > 0:
        is_old = int(age) >= 300
        yield Finding(
            code="cached_key_set" if is_old else "",
            section=section,
            name="cached answer",
            severity=Severity.WARNING if is_old else Severity.NOTE,
            text=f"a cache between this machine and the issuer answered with a key set that is {format_duration(int(age))} old",
            cure="Issuer: do not let a cache store the key set for more than a minute; a rotated key is found that much later.",
            diagnosis="A cache between this machine and the issuer serves an old key set, so a rotated key is found late."
            if is_old
            else "",
        )


def _check_clock(section: str, exchanges: list[Exchange], *, leeway_s: float) -> Iterator[Finding]:
    offset = measure_clock_offset_s(exchanges)
    if offset is None:
        yield Finding(
            section=section,
            name="clock",
            severity=Severity.NOTE,
            text="the issuer sends no Date, so the clocks were not compared",
        )
        return
    if abs(offset) < CLOCK_TOLERANCE_S:
        yield create_ok_finding(section, "clock", "this machine's clock agrees with the issuer's to a few seconds")
        return
    where = "ahead of" if offset > 0 else "behind"
    is_fault = abs(offset) > leeway_s
    effect = "expired" if offset > 0 else "not valid yet"
    text = f"this machine's clock is {format_duration(abs(offset))} {where} the issuer's"
    yield Finding(
        code="clock",
        section=section,
        name="clock",
        severity=Severity.FAULT if is_fault else Severity.WARNING,
        text=f"{text}; {leeway_s:g} s are allowed (leeway)",
        cure="Here: correct this machine's clock, and keep it right by NTP.",
        diagnosis=f"{text.capitalize()}, so valid tokens may be refused as {effect}.",
    )
